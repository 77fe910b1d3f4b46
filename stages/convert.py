"""A take's clip, the target's tracks and the pair's checkpoint -> the swapped, marked video and a record a frame."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from errors import FaceError, TrustError, one_line_errors
from models.checkpoint import CheckpointInfo
from stages.face_swap import NO_FACE, Place, SwappedPart, Swapping, load_same_checkpoint, swap_faces
from stages.params import Blend, Convert, pick, read_key, read_params
from stages.permission import require_consent
from stages.progress import Progress
from stages.release import Release
from stages.spread import spread
from trust.mark_tile import CHIPS_PER_SHORT_SIDE
from trust.publish import PublishedPart, Publisher, publish_video
from vision.alignment import compose, scale_of, view_matrix
from vision.clip_read import probe_clip
from vision.expression import EXPRESSION
from vision.hashing import hash_file
from vision.parts import read_parts
from vision.picture_folder import refuse_stills
from vision.tables import CONVERSIONS, TRACKS, TableWriter, matrix, outlines, points, read_batches
from vision.video_format import VideoFormat


def convert(
    clip: Path,
    parts: Path,
    tracks: Path,
    checkpoint: Path,
    video: Path,
    record: Path,
    params: Convert,
    blend: Blend,
    release: Release,
) -> None:
    """Swap the face in every frame of the clip and publish the video.

    Raises FaceError where no frame shows the target's face, or one does not and params.missing is `fail`, ClipError
    for a folder of stills, and where the clip is not the one of `parts`, TrustError where there are no keys, and where
    the pictures are too small for a mark, or lose it.
    """
    refuse_stills(clip)
    form = probe_clip(clip)
    _require_room(clip, form)
    publisher = Publisher()
    plan = plan_swap(clip, parts, tracks, checkpoint, params, blend, release)
    first = plan[0]
    origin = release.tell_origin(params, first.marking, clip, first.clip_sha256, first.checkpoint_sha256)
    with TableWriter(record, CONVERSIONS) as writer:
        swapped = _take_rows(spread(swap_faces, plan), writer)
        publish_video(swapped, video, form, params.crf, origin, publisher)
    n_swapped = sum(len(swapping.places) for swapping in plan)
    print(f"convert: {n_swapped} of {plan[-1].part.end_frame} frames swapped", flush=True)


def _require_room(clip: Path, form: VideoFormat) -> None:
    """A chip of the mark is a pixel or larger."""
    if min(form.height, form.width) < CHIPS_PER_SHORT_SIDE:
        size = f"pictures of {form.height} x {form.width} are too small for a mark"
        raise TrustError(f"{clip}: {size}; it needs {CHIPS_PER_SHORT_SIDE} lines")


def plan_swap(
    clip: Path, parts: Path, tracks: Path, checkpoint: Path, params: Convert, blend: Blend, release: Release
) -> list[Swapping]:
    """What is to be swapped, in order: each part of the clip with the places of its faces."""
    checkpoint_sha256 = hash_file(checkpoint)
    clip_sha256, known = read_parts(parts, clip)
    places = read_places(tracks, clip.name, load_same_checkpoint(checkpoint, checkpoint_sha256).info)
    _check_missing(clip, places, known[-1].end_frame, params.missing)
    marking = release.mark(params, blend, clip_sha256, checkpoint_sha256)
    return [
        Swapping(
            clip=clip,
            clip_sha256=clip_sha256,
            part=part,
            first_pts=known[0].first_pts,
            places=tuple(places[n] for n in range(part.first_frame, part.end_frame) if n in places),
            checkpoint=checkpoint,
            checkpoint_sha256=checkpoint_sha256,
            params=params,
            blend=blend,
            marking=marking,
        )
        for part in known
    ]


def read_places(tracks: Path, clip: str, info: CheckpointInfo) -> dict[int, Place]:
    """The places of a clip's used faces by frame."""
    to_view = view_matrix(info.crop_px, info.coverage_ratio, info.size_px)
    places = {}
    for batch in read_batches(tracks, TRACKS):
        for row in batch[(batch["clip"] == clip) & batch["is_used"]].itertuples():
            to_crop = matrix(row.frame_to_crop)
            expression = np.array([getattr(row, name) for name in EXPRESSION], np.float32)
            crop_side = info.crop_px / scale_of(to_crop)
            outline, covers = points(row.outline), tuple(outlines(row.covers))
            places[row.frame] = Place(row.frame, compose(to_view, to_crop), outline, covers, crop_side, expression)
    return places


def _check_missing(clip: Path, places: dict[int, Place], n_frames: int, missing: str) -> None:
    """A clip without a face is an error always, a frame without one where params say so."""
    if not places:
        raise FaceError(f"{clip}: {NO_FACE} in any of {n_frames} frames; see the reasons in the target's tracks")
    first = next((frame for frame in range(n_frames) if frame not in places), None)
    if missing == "fail" and first is not None:
        raise FaceError(f"{clip}: frame {first} shows {NO_FACE}; set convert.missing to pass, or edit tracks")


def _take_rows(parts: Iterable[SwappedPart], writer: TableWriter) -> Iterator[PublishedPart]:
    """Pass the parts on, their rows written, with a line every few seconds."""
    progress = Progress("convert")
    for part in parts:
        writer.write_rows(part.rows)
        yield part.published
        progress.tell(part.rows[-1]["frame"] + 1)


def main() -> None:
    with one_line_errors():
        key = read_key("convert")
        params = read_params()
        require_consent("convert", key, params)
        take = pick(params.takes, "takes", key)
        convert(
            clip=Path(take.clip),
            parts=Path(f"data/sample/{take.target}/parts.parquet"),
            tracks=Path(f"data/align/{take.target}/tracks.parquet"),
            checkpoint=Path(f"data/train/{take.pair}/checkpoint.safetensors"),
            video=Path(f"data/convert/{key}.mp4"),
            record=Path(f"data/convert/{key}.parquet"),
            params=params.convert,
            blend=take.blend,
            release=Release(
                take=key,
                purpose=params.takes[key].purpose,
                parts={who: Path(f"data/sample/{who}/parts.parquet") for who in (take.source, take.target)},
                consent={
                    take.source: params.identities[take.source].consent,
                    take.target: params.identities[take.target].consent,
                },
            ),
        )


if __name__ == "__main__":
    main()
