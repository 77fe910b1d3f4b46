"""A part of a take's videos -> their tally: work that can be spread."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import ParamsError, TableError
from vision.alignment import compose, view_matrix
from vision.clip import Part
from vision.contact_sheet import SheetRow, scale_to_height
from vision.crops import Picture, crop_picture, decode_png
from vision.flicker import Flicker
from vision.hashing import check_copy
from vision.likeness import FramePsnr
from vision.lockstep import read_lockstep
from vision.mean_face import MeanFace, read_mean_face
from vision.mesh import share_mesh
from vision.movement import PARTS, FitsMesh, Movement, measure_movement
from vision.tables import TRUTH as TRUTH_TABLE
from vision.tables import read_batches, read_table
from vision.take_faces import TakeFace
from vision.tally import SWAP, TARGET, TRUTH, Tally

FLICKER_PX = 96
FLICKER_COVERAGE = 0.5  # the inner face alone: brows, eyes, mouth, cheeks
ZOOM_COVERAGE = 0.8  # a little more than the face, so that the seam shows
MASKS_AT_A_TIME = 16

Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Measuring:
    """Some frames to be measured: those of `part`, or of the whole videos, which must be `n_frames`.

    `videos` by name: target, swap and maybe truth, `masks` the truth's table; `sha256` has each file's hash. `faces`
    are the target's by frame, `chosen` the frames of the contact sheet with why.
    """

    videos: Mapping[str, Path]
    masks: Path | None
    checkpoint: Path
    conversions: Path
    sha256: Mapping[Path, str]
    part: Part | None
    n_frames: int
    faces: Mapping[int, TakeFace]
    chosen: Mapping[int, str]
    sheet_px: int

    def __str__(self) -> str:
        first = self.part.first_frame if self.part else 0
        return f"{self.videos[SWAP]}, frames {first} to {first + self.n_frames - 1}"


def measure_take(measuring: Measuring) -> Tally:
    """Run through the videos once.

    Raises ClipError for videos that do not belong together, TableError where the table of conversions or the masks are
    of other videos, CheckpointError.
    """
    for path, sha256 in measuring.sha256.items():
        check_copy(path, sha256)
    masks = _read_masks(measuring.masks, measuring.n_frames) if measuring.masks else repeat(None)
    mesh, lack = _find_mesh()
    tally = Tally(has_truth=TRUTH in measuring.videos, mesh_lack=lack)
    measurer = _Measurer(measuring, read_mean_face(measuring.checkpoint, "source"), mesh, tally)
    for frames in read_lockstep(tuple(measuring.videos.values()), measuring.part):
        if tally.n_frames == measuring.n_frames:
            table = measuring.conversions
            raise TableError(f"{table}: ends before frame {tally.n_frames} of the video; rerun convert")
        pictures = {name: frame.to_rgb() for name, frame in zip(measuring.videos, frames, strict=True)}
        measurer.add(frames[0].index, pictures, next(masks))
    return tally


def _find_mesh() -> tuple[FitsMesh | None, str]:
    """What fits meshes, or None and why there is none."""
    try:
        return share_mesh(), ""
    except ParamsError as error:
        return None, str(error)


def _read_masks(table: Path, n_frames: int) -> Iterator[Bits]:
    """Where target and truth both show the face, frame by frame: bool (H, W). Raises TableError."""
    known = read_table(table, TRUTH_TABLE, ["frame"])["frame"].tolist()
    if known != list(range(n_frames)):
        raise TableError(f"{table}: its {len(known)} rows are not the {n_frames} frames in order; make the truth anew")
    for batch in read_batches(table, TRUTH_TABLE, n_rows=MASKS_AT_A_TIME):
        for target, truth in zip(batch["target_mask"], batch["truth_mask"], strict=True):
            yield (decode_png(target) > 0) & (decode_png(truth) > 0)


class _Measurer:
    """Measures frame by frame into a tally; `mesh` is None where mouth and eyes cannot be measured."""

    def __init__(self, measuring: Measuring, mean_face: MeanFace, mesh: FitsMesh | None, tally: Tally) -> None:
        self._measuring = measuring
        self._mean_face = mean_face
        self._mesh = mesh
        self._tally = tally
        self._flickers = {name: Flicker(pool) for name, pool in tally.trembling.items()}

    def add(self, frame: int, pictures: Mapping[str, Picture], mask: Bits | None) -> None:
        """Take the next frame's pictures by name; `mask` is where target and truth both show the face, None without."""
        face = self._measuring.faces.get(frame)
        psnr = FramePsnr() if mask is None else self._compare(pictures, face, mask)
        movements = {name: self._measure_movement(picture, face) for name, picture in pictures.items()}
        self._tally.rows.append(
            {
                "frame": frame,
                "psnr": psnr.swap,
                "unswapped_psnr": psnr.unswapped,
                "floor_psnr": psnr.floor,
                **{
                    f"{part}_{name}": getattr(movements.get(name, Movement()), part)
                    for part in PARTS
                    for name in (TARGET, TRUTH, SWAP)
                },
            }
        )
        if face is not None:
            for name, flicker in self._flickers.items():
                flicker.add(frame, self._cut_face(pictures[name], face, FLICKER_COVERAGE, FLICKER_PX))
        if frame in self._measuring.chosen:
            self._tally.sheet.append(self._make_row(frame, pictures, face))

    def _compare(self, pictures: Mapping[str, Picture], face: TakeFace | None, mask: Bits) -> FramePsnr:
        target, swap, truth = (pictures[name] for name in (TARGET, SWAP, TRUTH))
        pasted = target if face is None else self._mean_face.paste(target, face.frame_to_crop, mask)
        return self._tally.likeness.add(swap, target, pasted, truth, mask, face.regions if face else {})

    def _measure_movement(self, picture: Picture, face: TakeFace | None) -> Movement:
        if face is None or self._mesh is None:
            return Movement()
        return measure_movement(picture, face, self._mesh)

    def _cut_face(self, picture: Picture, face: TakeFace, coverage_ratio: float, size_px: int) -> Picture:
        to_view = view_matrix(self._mean_face.crop_px, coverage_ratio, size_px)
        return crop_picture(picture, compose(to_view, face.frame_to_crop), size_px)

    def _make_row(self, frame: int, pictures: Mapping[str, Picture], face: TakeFace | None) -> SheetRow:
        """The frames, then the faces, in the pictures' order."""
        side = self._measuring.sheet_px
        whole = [scale_to_height(picture, side) for picture in pictures.values()]
        zoomed = [
            np.full((side, side, 3), 128, np.uint8)
            if face is None
            else self._cut_face(picture, face, ZOOM_COVERAGE, side)
            for picture in pictures.values()
        ]
        return SheetRow((f"frame {frame}", *self._measuring.chosen[frame].split(", ")), (*whole, *zoomed))
