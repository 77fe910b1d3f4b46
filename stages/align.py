"""An identity's clips, detections, sampled frames and edits -> its tracks (every frame), its face set (PNG crops)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from errors import FaceError, one_line_errors
from stages.params import Align, pick, read_key, read_params
from stages.spread import spread
from vision.alignment import Matrix, align_face, compose, estimate_pose
from vision.bridge import TrackedFace, bridge_gaps
from vision.edits import Edit, find_edited, read_edits
from vision.expression import measure_expression
from vision.face_crops import Cutting, cut_faces
from vision.faceset import FacesetWriter
from vision.people import Candidate, Verdict, Verdicts, choose_person
from vision.portraits import Portraits, portray_tracks
from vision.proportions import fit_proportions
from vision.smoothing import smooth_faces
from vision.tables import (
    DETECTIONS,
    FRAMES,
    PARTS,
    SHOTS,
    TRACKS,
    TableWriter,
    points,
    read_batches,
    read_table,
)
from vision.track_page import write_page
from vision.tracking import assign_tracks
from vision.video_read import Part, probe_clip
from vision.whole import whole_folder

MAX_GAP_S = 0.3  # of the detector, over which a track is followed and its landmarks interpolated

Row = dict[str, Any]
_WITHOUT_MESH = [column.name for column in DETECTIONS.columns if column.name != "mesh"]


def align(
    clips: Path,
    shots: Path,
    parts: Path,
    frames: Path,
    detections: Path,
    edits: Path,
    tracks: Path,
    faceset: Path,
    page: Path,
    params: Align,
) -> None:
    """Follow every face, choose the person's tracks, write all tracks, their page, and the sampled frames' crops.

    Raises FaceError where no sampled frame shows the person.
    """
    faces = _follow_faces(clips, read_table(detections, DETECTIONS, _WITHOUT_MESH), read_table(shots, SHOTS), params)
    portraits = portray_tracks(clips, faces)
    verdicts = _judge_tracks(clips, faces, portraits, params) | _judge_by_hand(faces, read_edits(edits))
    write_page(page, faces, verdicts, portraits)
    sampled = read_table(frames, FRAMES)
    own = _fit_own(detections, faces, sampled, verdicts, params.crop_px)
    rows = _list_rows(clips, detections, faces, sampled, verdicts, own, params)
    with TableWriter(tracks, TRACKS) as writer, whole_folder(faceset) as folder:
        crops = FacesetWriter(folder)
        plan = plan_crops(clips, read_table(parts, PARTS), _write_rows(rows, writer), sampled, params.crop_px)
        for records in spread(cut_faces, plan):
            for record in records:
                crops.write(record)
        crops.close()
        if not crops.n_faces:
            raise FaceError(_describe_lack(clips, faces, verdicts, page))
    print(f"align: {crops.n_faces} faces in the face set; {_count(verdicts)}; see {page}", flush=True)


def _follow_faces(clips: Path, detections: pd.DataFrame, shots: pd.DataFrame, params: Align) -> pd.DataFrame:
    """The detections without their mesh, each with its track and shot."""
    pieces = []
    for clip, faces in detections.groupby("clip", sort=True):
        of_clip = shots[shots["clip"] == clip]
        track = assign_tracks(faces, of_clip, params.min_overlap, _max_gap(clips / str(clip)))
        pieces.append(faces.assign(track=track))
    return pd.concat(pieces) if pieces else detections.assign(track=0)


def _max_gap(path: Path) -> int:
    return round(MAX_GAP_S * probe_clip(path).rate)


def _judge_tracks(clips: Path, faces: pd.DataFrame, portraits: Portraits, params: Align) -> Verdicts:
    """A verdict by length and look for every (clip, track)."""
    verdicts: Verdicts = {}
    candidates: list[Candidate] = []
    for clip, of_clip in faces.groupby("clip", sort=True):
        min_frames = min(params.min_track_s * probe_clip(clips / str(clip)).rate, of_clip["frame"].nunique())
        for track, rows in of_clip.groupby("track"):
            first, end = int(rows["frame"].min()), int(rows["frame"].max()) + 1
            if end - first < min_frames:
                verdicts[str(clip), track] = Verdict(False, f"short ({end - first} frames)")
            else:
                weight = float((rows["y2"] - rows["y1"]).sum())
                look = portraits[str(clip), track].look
                candidates.append(Candidate(str(clip), track, first, end, weight, look))
    chosen = choose_person(candidates)
    return verdicts | {(c.clip, c.track): verdict for c, verdict in zip(candidates, chosen, strict=True)}


def _judge_by_hand(faces: pd.DataFrame, edits: list[Edit]) -> Verdicts:
    """What the edits say of tracks; what shares frames with a track used by hand is ignored, unless it is one too."""
    verdicts: Verdicts = {}
    for edit in edits:
        for clip, track in _tracks_of(faces[find_edited(edit, faces)]):
            verdicts[clip, track] = Verdict(edit.is_used, "by hand")
    for clip, track in [key for key, verdict in verdicts.items() if verdict.is_used]:
        of_clip = faces[faces["clip"] == clip]
        its_frames = of_clip.loc[of_clip["track"] == track, "frame"]
        for other in _tracks_of(of_clip[of_clip["frame"].isin(its_frames)]):
            verdicts.setdefault(other, Verdict(False, "beside a face used by hand"))
    return verdicts


def _tracks_of(faces: pd.DataFrame) -> list[tuple[str, int]]:
    return sorted({(str(clip), int(track)) for clip, track in zip(faces["clip"], faces["track"], strict=True)})


def _fit_own(detections: Path, faces: pd.DataFrame, sampled: pd.DataFrame, verdicts: Verdicts, crop_px: int) -> Matrix:
    """The person's proportions, from the faces that the face set takes: a clip outside of it changes nothing."""
    for_faceset = sampled[sampled["reason"] == ""].groupby("clip", sort=True)["frame"].agg(set)
    used = (
        (face.landmarks, face.kind)
        for clip, frames in for_faceset.items()
        for face in _read_faces(detections, faces[faces["clip"] == clip])
        if face.frame in frames and verdicts[str(clip), face.track].is_used
    )
    return fit_proportions(used, crop_px)


def _read_faces(detections: Path, tracked: pd.DataFrame) -> Iterator[TrackedFace]:
    """One clip's faces with their landmarks, in order of frames. `tracked`: its rows with the column `track`."""
    track_of = {(row.frame, row.face): row.track for row in tracked.itertuples()}
    clip = tracked["clip"].iloc[0] if len(tracked) else None
    for batch in read_batches(detections, DETECTIONS):
        for row in batch[batch["clip"] == clip].itertuples():
            track = track_of[row.frame, row.face]
            if row.mesh is None:
                yield TrackedFace(row.frame, track, "five", points(row.five))
            else:
                yield TrackedFace(row.frame, track, "mesh", np.asarray(row.mesh, np.float32).reshape(-1, 3))


def _list_rows(
    clips: Path,
    detections: Path,
    faces: pd.DataFrame,
    sampled: pd.DataFrame,
    verdicts: Verdicts,
    own: Matrix,
    params: Align,
) -> Iterator[Row]:
    """All rows of the tracks table, in order of clips and frames."""
    for clip, frames in sampled.groupby("clip", sort=True):
        clip_faces = _read_faces(detections, faces[faces["clip"] == clip])
        followed = bridge_gaps(clip_faces, _max_gap(clips / str(clip)))
        if params.smooth:
            followed = smooth_faces(followed)
        yield from _make_rows(followed, frames, verdicts, own, params.crop_px)


def _make_rows(
    faces: Iterator[TrackedFace], frames: pd.DataFrame, verdicts: Verdicts, own: Matrix, crop_px: int
) -> Iterator[Row]:
    """The row of the tracks table for each face of a clip. `frames`: the clip's rows of the frames table.

    `own`: the person's proportions, applied after every face's alignment.
    """
    of_frame = {row.frame: row for row in frames.itertuples()}
    for face in faces:
        frame = of_frame[face.frame]
        verdict = verdicts[frame.clip, face.track]
        matrix = compose(own, align_face(face.landmarks, face.kind, crop_px))
        yaw, pitch, roll = estimate_pose(face.landmarks, face.kind)
        yield {
            **{name: getattr(frame, name) for name in ("clip", "clip_sha256", "frame", "pts", "shot")},
            "track": face.track,
            "is_used": verdict.is_used,
            "reason": verdict.reason,
            "is_bridged": face.is_bridged,
            "kind": face.kind,
            "landmarks": face.landmarks[:, :2].ravel(),
            "frame_to_crop": matrix.ravel(),
            "yaw": yaw,
            "pitch": pitch,
            "roll": roll,
            **measure_expression(face.landmarks, face.kind),
        }


def _write_rows(rows: Iterator[Row], tracks: TableWriter) -> Iterator[Row]:
    """Pass the rows on, each written."""
    for row in rows:
        tracks.write_rows([row])
        yield row


def plan_crops(
    clips: Path, parts: pd.DataFrame, rows: Iterator[Row], sampled: pd.DataFrame, crop_px: int
) -> Iterator[Cutting]:
    """What the face set takes, part by part. `rows`: of the tracks table, in order of clips and frames."""
    taken = set(sampled.loc[sampled["reason"] == "", ["clip", "frame"]].itertuples(index=False, name=None))
    waiting = next(rows, None)
    for part in parts.itertuples():
        wanted: list[Row] = []
        while waiting and waiting["clip"] == part.clip and waiting["frame"] < part.end_frame:
            if waiting["is_used"] and not waiting["is_bridged"] and (part.clip, waiting["frame"]) in taken:
                wanted.append(waiting)
            waiting = next(rows, None)
        where = Part(part.first_frame, part.end_frame, part.first_pts)
        yield Cutting(clips / part.clip, part.clip_sha256, where, tuple(wanted), crop_px)
    assert waiting is None, "every face lies in a part"


def _describe_lack(clips: Path, faces: pd.DataFrame, verdicts: Verdicts, page: Path) -> str:
    reasons = sorted({verdict.reason for verdict in verdicts.values() if not verdict.is_used})
    return (
        f"{clips}: no face for the face set in {faces['frame'].size} detections and {len(verdicts)} tracks "
        f"({'; '.join(reasons) or 'no sampled frame shows the person'}); choose a track by hand "
        f"(see {page}), or lower the identity's interval_s or align.min_track_s"
    )


def _count(verdicts: Verdicts) -> str:
    n_used = sum(verdict.is_used for verdict in verdicts.values())
    return f"{n_used} tracks used, {len(verdicts) - n_used} ignored"


def main() -> None:
    with one_line_errors():
        key = read_key("align")
        params = read_params()
        align(
            clips=Path(pick(params.identities, "identities", key).clips),
            shots=Path(f"data/sample/{key}/shots.parquet"),
            parts=Path(f"data/sample/{key}/parts.parquet"),
            frames=Path(f"data/sample/{key}/frames.parquet"),
            detections=Path(f"data/detect/{key}/detections.parquet"),
            edits=Path(f"edits/{key}/tracks.csv"),
            tracks=Path(f"data/align/{key}/tracks.parquet"),
            faceset=Path(f"data/align/{key}/faceset"),
            page=Path(f"data/align/{key}/tracks.html"),
            params=params.align,
        )


if __name__ == "__main__":
    main()
