"""The running tally of a take: its frames go in one by one; sums, a few numbers a frame, and chosen pictures stay."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vision.alignment import compose, view_matrix
from vision.contact_sheet import SheetRow, scale_to_height
from vision.crops import Picture, crop_picture
from vision.flicker import Flicker
from vision.likeness import FramePsnr, Likeness
from vision.mean_face import MeanFace
from vision.metrics import correlation
from vision.openings import FitsMesh, Opening, measure_opening
from vision.take_faces import TakeFace

FLICKER_PX = 96
FLICKER_COVERAGE = 0.5  # the inner face alone: brows, eyes, mouth, cheeks
ZOOM_COVERAGE = 0.8  # a little more than the face, so that the seam shows

TARGET, SWAP, TRUTH = "target", "swap", "truth"


class Tally:
    """Measures a clip (`target`), its swap and, where it is known, the truth, in one pass.

    `faces` are the clip's faces by frame, `chosen` the frames of the contact sheet with why; `mesh` is None where mouth
    and eyes cannot be measured.
    """

    def __init__(
        self,
        mean_face: MeanFace,
        faces: Mapping[int, TakeFace],
        chosen: Mapping[int, str],
        sheet_px: int,
        mesh: FitsMesh | None,
    ) -> None:
        self._mean_face = mean_face
        self._faces = faces
        self._chosen = chosen
        self.sheet_px = sheet_px
        self._mesh = mesh
        self.has_truth = False
        self._likeness = Likeness()
        self._flickers = {TARGET: Flicker(), SWAP: Flicker()}
        self._rows: list[dict[str, float]] = []
        self.sheet: list[SheetRow] = []

    def add(self, pictures: Mapping[str, Picture], mask: NDArray[np.bool_] | None) -> None:
        """Take the next frame's pictures by name; `mask` is where target and truth both show the face, None without."""
        frame = len(self._rows)
        face = self._faces.get(frame)
        psnr = FramePsnr() if mask is None else self._compare(pictures, face, mask)
        openings = {name: self._measure_opening(picture, face) for name, picture in pictures.items()}
        self._rows.append(
            {
                "frame": frame,
                "psnr": psnr.swap,
                "unswapped_psnr": psnr.unswapped,
                "floor_psnr": psnr.floor,
                **{f"mouth_{name}": openings.get(name, Opening()).mouth for name in (TARGET, TRUTH, SWAP)},
                **{f"eye_{name}": openings.get(name, Opening()).eye for name in (TARGET, TRUTH, SWAP)},
            }
        )
        if face is not None:
            for name, flicker in self._flickers.items():
                flicker.add(frame, self._cut_face(pictures[name], face, FLICKER_COVERAGE, FLICKER_PX))
        if frame in self._chosen:
            self.sheet.append(self._make_row(frame, pictures, face))

    @property
    def n_frames(self) -> int:
        return len(self._rows)

    def table(self) -> pd.DataFrame:
        """A row a frame: PSNR against the truth in dB, and the openings of mouth and eyes; NaN where unknown."""
        return pd.DataFrame(self._rows)

    def figures(self) -> dict[str, float]:
        """The figures over all frames; NaN where one cannot be told. Those of the truth only where it was given."""
        table = self.table()
        found = self._likeness.figures() if self.has_truth else {}
        references = {TRUTH: "", TARGET: "_to_target"} if self.has_truth else {TARGET: "_to_target"}
        for reference, ending in references.items():
            for part in ("mouth", "eye"):
                curves = (table[f"{part}_{name}"].to_numpy(np.float64) for name in (SWAP, reference))
                found[f"{part}_corr{ending}"] = correlation(*curves)
        calm = self._flickers[TARGET].level
        found["flicker_ratio"] = self._flickers[SWAP].level / calm if calm > 0 else math.nan
        return found

    def _compare(self, pictures: Mapping[str, Picture], face: TakeFace | None, mask: NDArray[np.bool_]) -> FramePsnr:
        self.has_truth = True
        target, swap, truth = (pictures[name] for name in (TARGET, SWAP, TRUTH))
        pasted = target if face is None else self._mean_face.paste(target, face.frame_to_crop, mask)
        return self._likeness.add(swap, target, pasted, truth, mask)

    def _measure_opening(self, picture: Picture, face: TakeFace | None) -> Opening:
        if face is None or self._mesh is None:
            return Opening()
        return measure_opening(picture, face, self._mesh)

    def _cut_face(self, picture: Picture, face: TakeFace, coverage_ratio: float, size_px: int) -> Picture:
        to_view = view_matrix(self._mean_face.crop_px, coverage_ratio, size_px)
        return crop_picture(picture, compose(to_view, face.frame_to_crop), size_px)

    def _make_row(self, frame: int, pictures: Mapping[str, Picture], face: TakeFace | None) -> SheetRow:
        """The frames, then the faces, in the pictures' order."""
        whole = [scale_to_height(picture, self.sheet_px) for picture in pictures.values()]
        zoomed = [
            np.full((self.sheet_px, self.sheet_px, 3), 128, np.uint8)
            if face is None
            else self._cut_face(picture, face, ZOOM_COVERAGE, self.sheet_px)
            for picture in pictures.values()
        ]
        return SheetRow((f"frame {frame}", *self._chosen[frame].split(", ")), (*whole, *zoomed))
