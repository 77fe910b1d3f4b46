"""A take's clip, the target's tracks and the pair's checkpoint -> the swapped, marked video and a record a frame."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from errors import FaceError, one_line_errors
from models.checkpoint import Checkpoint, CheckpointInfo, load_checkpoint
from models.tensors import to_pictures, to_tensor
from stages.params import Blend, Convert, pick, read_key, read_params
from trust.publish import publish_video
from vision.alignment import Matrix, Points, compose, scale_of, view_matrix
from vision.blend import Blending, Face, paste_face
from vision.crops import crop_picture
from vision.expression import EXPRESSION, Expressions
from vision.masks import face_outline
from vision.planes import Planes
from vision.tables import CONVERSIONS, TRACKS, TableWriter, matrix, points, read_batches
from vision.video_read import Frame, probe_clip, read_frames

NO_FACE = "no face of the target"


@dataclass(frozen=True)
class Place:
    """A frame's face: `outline` (N, 2) and `crop_side`, the crop's side, in frame pixels; `expression` (6,)."""

    frame: int
    frame_to_view: Matrix
    outline: Points
    crop_side: float
    expression: Expressions


@dataclass(frozen=True)
class SwappedFrame:
    """A frame as it goes out, with its face replaced or as it was."""

    index: int
    pts: int
    duration: int | None
    planes: Planes
    is_swapped: bool


Placed = tuple[Frame, Place | None]


def convert(
    clip: Path, tracks: Path, checkpoint: Path, video: Path, record: Path, params: Convert, blend: Blend
) -> None:
    """Swap the face in every frame of the clip and publish the video.

    Raises FaceError where no frame shows the target's face, or one does not and params.missing is `fail`.
    """
    loaded = load_checkpoint(checkpoint)
    placed = pair_frames(read_frames(clip), read_places(tracks, clip.name, loaded.info))
    swapped = swap_frames(_check_missing(clip, placed, params.missing), loaded, blend, params.batch_frames)
    n_frames = n_swapped = 0
    with TableWriter(record, CONVERSIONS) as writer:
        published = publish_video(swapped, video, probe_clip(clip), clip, params.label, params.crf)
        for frame, picture_sha256 in published:
            writer.write_rows([_make_row(frame, picture_sha256)])
            n_frames, n_swapped = n_frames + 1, n_swapped + frame.is_swapped
    print(f"convert: {n_swapped} of {n_frames} frames swapped", flush=True)


def read_places(tracks: Path, clip: str, info: CheckpointInfo) -> Iterator[Place]:
    """The places of a clip's used faces, in order of frames."""
    to_view = view_matrix(info.crop_px, info.coverage_ratio, info.size_px)
    for batch in read_batches(tracks, TRACKS):
        for row in batch[(batch["clip"] == clip) & batch["is_used"]].itertuples():
            to_crop = matrix(row.frame_to_crop)
            outline = face_outline(points(row.landmarks), row.kind, to_crop, info.crop_px)
            expression = np.array([getattr(row, name) for name in EXPRESSION], np.float32)
            yield Place(row.frame, compose(to_view, to_crop), outline, info.crop_px / scale_of(to_crop), expression)


def pair_frames(frames: Iterable[Frame], places: Iterator[Place]) -> Iterator[Placed]:
    """Each frame with the place of its face, or None. Both come in order of frames, at most one place a frame."""
    place = next(places, None)
    for frame in frames:
        if place is not None and place.frame == frame.index:
            yield frame, place
            place = next(places, None)
        else:
            yield frame, None


def swap_frames(placed: Iterable[Placed], checkpoint: Checkpoint, blend: Blend, n_batch: int) -> Iterator[SwappedFrame]:
    """The frames with their faces replaced, batch by batch, each with whether it was."""
    for batch in _split(placed, n_batch):
        faces = [(frame, place) for frame, place in batch if place is not None]
        swaps = iter(_swap_faces(faces, checkpoint, blend.carry_ratio))
        for frame, place in batch:
            planes = frame.planes
            if place is not None:
                face = Face(next(swaps), place.frame_to_view, place.outline)
                planes = paste_face(planes, frame.layout, face, _to_settings(blend, place))
            yield SwappedFrame(frame.index, frame.pts, frame.duration, planes, is_swapped=place is not None)


def _to_settings(blend: Blend, place: Place) -> Blending:
    """The take's settings in pixels of the frame, as large as its face is there."""
    erosion_px, feather_px = blend.erosion_ratio * place.crop_side, blend.feather_ratio * place.crop_side
    return Blending(erosion_px, feather_px, blend.color_transfer == "reinhard", blend.detail)


@torch.inference_mode()
def _swap_faces(faces: list[tuple[Frame, Place]], checkpoint: Checkpoint, carry_ratio: float) -> NDArray[np.uint8]:
    """The target's faces as the source looks: uint8 (N, S, S, 3), views."""
    if not faces:
        return np.empty((0, 0, 0, 3), np.uint8)
    size_px = checkpoint.info.size_px
    views = [crop_picture(frame.to_rgb(), place.frame_to_view, size_px) for frame, place in faces]
    expressions = np.stack([place.expression for _, place in faces])
    return to_pictures(checkpoint.model.swap(to_tensor(np.stack(views)), expressions, "source", carry_ratio))


def _make_row(frame: SwappedFrame, picture_sha256: str) -> dict[str, object]:
    return {
        "frame": frame.index,
        "pts": frame.pts,
        "is_swapped": frame.is_swapped,
        "reason": "" if frame.is_swapped else NO_FACE,
        "picture_sha256": picture_sha256,
    }


def _split(placed: Iterable[Placed], n: int) -> Iterator[list[Placed]]:
    remaining = iter(placed)
    while batch := list(islice(remaining, n)):
        yield batch


def _check_missing(clip: Path, placed: Iterable[Placed], missing: str) -> Iterator[Placed]:
    """Pass frames on; a frame without a face is an error where params say so, a clip without one always."""
    n_frames = n_found = 0
    for frame, place in placed:
        n_frames, n_found = n_frames + 1, n_found + (place is not None)
        if place is None and missing == "fail":
            raise FaceError(f"{clip}: frame {frame.index} shows {NO_FACE}; set convert.missing to pass, or edit tracks")
        yield frame, place
    if not n_found:
        raise FaceError(f"{clip}: {NO_FACE} in any of {n_frames} frames; see the reasons in the target's tracks")


def main() -> None:
    with one_line_errors():
        key = read_key("convert")
        params = read_params()
        take = pick(params.takes, "takes", key)
        convert(
            clip=Path(take.clip),
            tracks=Path(f"data/align/{take.target}/tracks.parquet"),
            checkpoint=Path(f"data/train/{take.pair}/checkpoint.safetensors"),
            video=Path(f"data/convert/{key}.mp4"),
            record=Path(f"data/convert/{key}.parquet"),
            params=params.convert,
            blend=take.blend,
        )


if __name__ == "__main__":
    main()
