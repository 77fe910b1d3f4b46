"""A part of a take's clip -> its frames with the face replaced, labelled and encoded: work that can be spread."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoint import Checkpoint, load_checkpoint
from models.tensors import to_pictures, to_tensor
from models.threads import one_thread
from stages.params import Blend, Convert
from trust.publish import Marking, PublishedPart, publish_part
from vision.ahead import read_ahead
from vision.alignment import Matrix, Points, transform
from vision.blend import Blending, Face, paste_face
from vision.clip import Frame, Part
from vision.clip_read import probe_clip
from vision.crops import Picture, crop_frame
from vision.expression import Expressions
from vision.hashing import check_clip, check_copy
from vision.light import Light, follow_light, measure_light, take_skin_out
from vision.masks import draw_inner_face
from vision.planes import Planes

NO_FACE = "no face of the target"

Row = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A frame's face, in frame pixels: `outline` (N, 2), those of what covers it, `crop_side`, the crop's side.

    `expression` is (9,).
    """

    frame: int
    frame_to_view: Matrix
    outline: Points
    covers: tuple[Points, ...]
    crop_side: float
    expression: Expressions


@dataclass(frozen=True)
class Swapping:
    """A part of a clip whose faces, at `places`, are to be replaced by a checkpoint's source.

    `first_pts` is the time of the clip's first frame.
    """

    clip: Path
    clip_sha256: str
    part: Part
    first_pts: int
    places: tuple[Place, ...]
    checkpoint: Path
    checkpoint_sha256: str
    params: Convert
    blend: Blend
    marking: Marking

    def __str__(self) -> str:
        return f"{self.clip}, {self.part}"


@dataclass(frozen=True)
class SwappedPart:
    """A part as it goes out, and a row of CONVERSIONS for each of its frames."""

    published: PublishedPart
    rows: list[Row]


@dataclass(frozen=True)
class SwappedFrame:
    """A frame as it goes out, with its face replaced or as it was."""

    index: int
    pts: int
    duration: int | None
    planes: Planes
    is_swapped: bool


Placed = tuple[Frame, Place | None]


def swap_faces(swapping: Swapping) -> SwappedPart:
    """The part's frames, labelled and encoded. Raises ClipError, CheckpointError."""
    check_clip(swapping.clip, swapping.clip_sha256)
    checkpoint = load_same_checkpoint(swapping.checkpoint, swapping.checkpoint_sha256)
    rows: list[Row] = []
    with one_thread():
        placed = _pair_frames(read_ahead(swapping.clip, swapping.part), swapping.places)
        frames = _swap_frames(placed, checkpoint, swapping.blend, swapping.params.batch_frames)
        form, params = probe_clip(swapping.clip), swapping.params
        published = publish_part(_note(frames, rows), form, swapping.marking, swapping.first_pts, params.crf)
    digests = published.picture_sha256
    return SwappedPart(published, [row | {"picture_sha256": digest} for row, digest in zip(rows, digests, strict=True)])


@lru_cache(1)
def load_same_checkpoint(path: Path, sha256: str) -> Checkpoint:
    """The checkpoint that has this SHA-256; a process keeps the last one. Raises CheckpointError, ClipError."""
    check_copy(path, sha256)
    return load_checkpoint(path)


def _note(frames: Iterable[SwappedFrame], rows: list[Row]) -> Iterator[SwappedFrame]:
    """Pass the frames on, each with a row."""
    for frame in frames:
        reason = "" if frame.is_swapped else NO_FACE
        rows.append({"frame": frame.index, "pts": frame.pts, "is_swapped": frame.is_swapped, "reason": reason})
        yield frame


def _pair_frames(frames: Iterable[Frame], places: Iterable[Place]) -> Iterator[Placed]:
    """Each frame with the place of its face, or None."""
    of_frame = {place.frame: place for place in places}
    for frame in frames:
        yield frame, of_frame.get(frame.index)


def _swap_frames(
    placed: Iterable[Placed], checkpoint: Checkpoint, blend: Blend, n_batch: int
) -> Iterator[SwappedFrame]:
    """The frames with their faces replaced, batch by batch, each with whether it was."""
    for batch in _split(placed, n_batch):
        faces = [(frame, place) for frame, place in batch if place is not None]
        swaps = iter(_swap_faces(faces, checkpoint, blend))
        for frame, place in batch:
            planes = frame.planes
            if place is not None:
                swap = next(swaps)
                own_mask = swap[..., 3] if blend.mask == "learned" else None
                face = Face(swap[..., :3], place.frame_to_view, place.outline, place.covers, own_mask)
                planes = paste_face(planes, frame.layout, face, _to_settings(blend, place))
            yield SwappedFrame(frame.index, frame.pts, frame.duration, planes, is_swapped=place is not None)


def _to_settings(blend: Blend, place: Place) -> Blending:
    """The take's settings in pixels of the frame, as large as its face is there."""
    erosion_px, feather_px = blend.erosion_ratio * place.crop_side, blend.feather_ratio * place.crop_side
    return Blending(erosion_px, feather_px, blend.color_transfer == "reinhard", blend.detail)


@torch.inference_mode()
def _swap_faces(faces: list[tuple[Frame, Place]], checkpoint: Checkpoint, blend: Blend) -> NDArray[np.uint8]:
    """The target's faces as the source looks: uint8 (N, S, S, 3), views; with their masks (N, S, S, 4) where known."""
    if not faces:
        return np.empty((0, 0, 0, 3), np.uint8)
    size_px = checkpoint.info.size_px
    views = [crop_frame(frame, place.frame_to_view, size_px) for frame, place in faces]
    expressions = np.stack([place.expression for _, place in faces])
    swaps = to_pictures(checkpoint.model.swap(to_tensor(np.stack(views)), expressions, "source", blend.exchange_ratio))
    if blend.color_transfer in ("light", "skin"):
        is_own = blend.color_transfer == "light"
        for swap, view, (_, place) in zip(swaps, views, faces, strict=True):
            swap[..., :3] = _light(swap[..., :3], view, place, checkpoint.lights["source"], is_own)
    return swaps


def _light(swap: Picture, view: Picture, place: Place, difference: Light, is_own: bool) -> Picture:
    """A swap in the light of the face that it is made of, of which it keeps its usual difference.

    `is_own`: in its own skin's color; else in that face's, of which it differs only from place to place.
    """
    outline, *covers = (transform(place.frame_to_view, part) for part in (place.outline, *place.covers))
    mask = draw_inner_face(outline, covers, (len(view), len(view)), len(view))
    shown, own = measure_light(view, mask), measure_light(swap, mask)
    if shown is None or own is None:
        return swap
    return follow_light(swap, own, shown + (difference if is_own else take_skin_out(difference, mask)))


def _split(placed: Iterable[Placed], n: int) -> Iterator[list[Placed]]:
    remaining = iter(placed)
    while batch := list(islice(remaining, n)):
        yield batch
