"""An identity's clips, shots and parts -> detections: box, landmarks and mesh of every face of every frame, pixels."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pandas as pd

from errors import ClipError, FaceError, one_line_errors
from models.face_search import Search, Stretch, find_faces
from stages.params import Detect, pick, read_key, read_params
from stages.permission import require_consent
from stages.progress import Progress
from stages.spread import spread
from vision.clip import Part
from vision.clip_read import list_clips, probe_clip
from vision.hashing import check_clip
from vision.tables import DETECTIONS, PARTS, SHOTS, TableWriter, read_table
from vision.view import LEARNT_VIEWS, VIEWS_S


def detect(clips: Path, shots: Path, parts: Path, detections: Path, params: Detect) -> None:
    """Find every face of every frame and write one row each.

    Raises ClipError where the clips are not those of `parts`, FaceError for a clip without any face.
    """
    stretches = plan_search(clips, shots, parts, params)
    found = zip(stretches, spread(find_faces, stretches), strict=True)
    with TableWriter(detections, DETECTIONS) as writer:
        for clip, of_clip in groupby(found, key=lambda pair: pair[0].clip):
            for faces in _check_faces(clip, of_clip, params.min_face_ratio):
                writer.write(faces)


def plan_search(clips: Path, shots: Path, parts: Path, params: Detect) -> list[Stretch]:
    """What is to be searched, in order: each part of each clip. Raises ClipError."""
    search = Search(**params.model_dump() | {"thresholds": tuple(params.thresholds)})
    known = read_table(parts, PARTS)
    remedy = f"run sample@{parts.parent.name} again"
    if [path.name for path in list_clips(clips)] != list(known["clip"].unique()):
        raise ClipError(f"{clips}: other clips than those that {parts} knows; {remedy}")
    n_views = -(-LEARNT_VIEWS // known["clip"].nunique())
    starts = read_table(shots, SHOTS).groupby("clip")["first_frame"].agg(frozenset)
    stretches = []
    for (name, sha256), rows in known.groupby(["clip", "clip_sha256"], sort=False):
        clip = clips / name
        check_clip(clip, sha256, remedy)
        rate = probe_clip(clip).rate
        every, view_every = (max(1, round(seconds * rate)) for seconds in (params.search_s, VIEWS_S))
        view_every = min(view_every, max(1, int(rows["end_frame"].max()) // n_views))
        for row in rows.itertuples():
            part = Part(row.first_frame, row.end_frame, row.first_pts)
            stretches.append(Stretch(clip, sha256, part, search, every, starts[name], view_every))
    return stretches


def _check_faces(
    clip: Path, found: Iterable[tuple[Stretch, pd.DataFrame]], min_face_ratio: float
) -> Iterator[pd.DataFrame]:
    """Pass one clip's faces on, with a line every few seconds. Raises FaceError at its end where there were none."""
    n_faces = n_frames = 0
    progress = Progress(f"detect: {clip.name}")
    for stretch, faces in found:
        yield faces
        n_faces, n_frames = n_faces + len(faces), stretch.part.end_frame
        progress.tell(n_frames)
    if not n_faces:
        raise FaceError(
            f"{clip}: no face in any of its {n_frames} frames; lower detect.min_face_ratio "
            f"({min_face_ratio}) if the faces are small, or take the clip out of the folder"
        )
    print(f"detect: {clip.name}: {n_faces} faces in {n_frames} frames", flush=True)


def main() -> None:
    with one_line_errors():
        key = read_key("detect")
        params = read_params()
        require_consent("detect", key, params)
        detect(
            clips=Path(pick(params.identities, "identities", key).clips),
            shots=Path(f"data/sample/{key}/shots.parquet"),
            parts=Path(f"data/sample/{key}/parts.parquet"),
            detections=Path(f"data/detect/{key}/detections.parquet"),
            params=params.detect,
        )


if __name__ == "__main__":
    main()
