"""An identity's clips, detections, sampled frames and edits -> its tracks (every frame), its face set (PNG crops)."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd

from errors import FaceError, TableError, one_line_errors
from stages.params import Align, pick, read_key, read_params
from stages.permission import require_consent
from stages.spread import spread
from vision.alignment import Matrix, Points
from vision.bridge import TrackedFace, bridge_gaps
from vision.chart import chart_view
from vision.clip import ClipInfo, Part
from vision.clip_read import probe_clip
from vision.edits import find_edited, read_edits
from vision.evenly import pick_evenly
from vision.face_crops import CutFace, Cutting, Located, Row, Rules, cut_faces
from vision.faceset import FacesetWriter
from vision.people import UNKNOWN, Candidate, Verdict, Verdicts, judge_tracks
from vision.person_face import MIN_CHARTS, PersonFace, learn_face
from vision.portraits import Portraits, portray_tracks
from vision.proportions import fit_proportions
from vision.quality import Duplicates, Limits
from vision.smoothing import smooth_faces
from vision.surface import Mesh, fit_shape, unroll
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
from vision.view import LEARNT_VIEWS, read_view
from vision.whole import whole_folder

_MESH_OF = 3  # views are read for one that is learnt from: profiles have a view and no mesh
FITTED_FACES = 500  # from which a person's proportions are taken
MAX_GAP_S = 0.3  # of the detector, over which a track is followed and its landmarks interpolated

Infos = dict[str, ClipInfo]  # by the clips' names

_PLACES = [column.name for column in DETECTIONS.columns if column.name != "mesh"]
_LANDMARKS = ["clip", "frame", "face", "five", "mesh"]


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
    places = _read_places(detections)
    infos = {str(clip): probe_clip(clips / str(clip)) for clip in sorted(places["clip"].unique())}
    faces = _follow_faces(infos, places, read_table(shots, SHOTS), params)
    sampled, known_parts = read_table(frames, FRAMES), read_table(parts, PARTS)
    in_faceset = sampled["reason"] == ""
    faceset_clips = set(sampled.loc[in_faceset, "clip"])
    by_hand, notes = _decide_by_hand(faces, edits)
    portraits = portray_tracks(detections, faces)
    verdicts = _judge_tracks(infos, faces, portraits, by_hand, params)
    write_page(page, faces, verdicts, portraits, notes)
    own = _list_own(faces, faceset_clips, verdicts)
    person = _learn_person(detections, own, params)
    taken = own.merge(sampled.loc[in_faceset, ["clip", "frame"]], on=["clip", "frame"])
    located = _locate_faces(infos, detections, faces, sampled, verdicts, is_smoothed=params.smooth)
    proportions, limits = _fit_own(detections, taken, params.crop_px), Limits(**params.limits.model_dump())
    rules = Rules(params.crop_px, proportions, person, limits)
    with TableWriter(tracks, TRACKS) as writer, whole_folder(faceset) as folder:
        crops, taken_before = FacesetWriter(folder), Duplicates(params.duplicate_levels)
        for cut in spread(cut_faces, plan_crops(clips, known_parts, located, rules)):
            writer.write_rows([face.row for face in cut])
            for record in _find_duplicates(cut, taken_before):
                crops.write(record)
        crops.close()
        if not crops.n_faces:
            raise FaceError(_describe_lack(clips, faces, verdicts, page))
    print(f"align: {crops.n_faces} faces in the face set; {_count(verdicts)}; see {page}", flush=True)


def _read_places(detections: Path) -> pd.DataFrame:
    """The detections without their mesh; of a view only whether there is one."""
    return pd.concat(
        batch.assign(has_view=batch.pop("view").notna()) for batch in read_batches(detections, DETECTIONS, _PLACES)
    )


def _follow_faces(infos: Infos, detections: pd.DataFrame, shots: pd.DataFrame, params: Align) -> pd.DataFrame:
    """The detections, each with its track and shot."""
    pieces = []
    for clip, faces in detections.groupby("clip", sort=True):
        of_clip = shots[shots["clip"] == clip]
        track = assign_tracks(faces, of_clip, params.min_overlap, _max_gap(infos[str(clip)]))
        pieces.append(faces.assign(track=track))
    return pd.concat(pieces) if pieces else detections.assign(track=0)


def _max_gap(info: ClipInfo) -> int:
    return round(MAX_GAP_S * info.rate)


def _decide_by_hand(faces: pd.DataFrame, path: Path) -> tuple[dict[tuple[str, int], bool], list[str]]:
    """Whether the (clip, track)s that edits speak of are to be used, the last one counts; which edits speak of none.

    Raises TableError where of those that say who the person is none speaks of a face.
    """
    edits = read_edits(path)
    tracks = [_tracks_of(faces[find_edited(edit, faces)]) for edit in edits]
    notes = [
        f"{path}, line {edit.line}: no face holds this point in these frames of such a clip; the line decides nothing"
        for edit, of_edit in zip(edits, tracks, strict=True)
        if not of_edit
    ]
    print(*notes, sep="\n", end="\n" if notes else "", flush=True)
    found = [of_edit for edit, of_edit in zip(edits, tracks, strict=True) if edit.is_used]
    if found and not any(found):
        raise TableError(f"{path}: no line with use speaks of a face, so nothing says who the person is; mend them")
    return {track: edit.is_used for edit, of_edit in zip(edits, tracks, strict=True) for track in of_edit}, notes


def _judge_tracks(
    infos: Infos, faces: pd.DataFrame, portraits: Portraits, by_hand: dict[tuple[str, int], bool], params: Align
) -> Verdicts:
    """A verdict for every (clip, track): by hand, by length, by look."""
    verdicts: Verdicts = {}
    candidates: list[Candidate] = []
    for clip, of_clip in faces.groupby("clip", sort=True):
        info = infos[str(clip)]
        # A still's track is one frame long, however short that is.
        min_frames = 1 if info.is_stills else min(params.min_track_s * info.rate, of_clip["frame"].nunique())
        n_faces = of_clip.groupby("frame").size()
        for track, rows in of_clip.groupby("track"):
            key = str(clip), int(track)
            first, end = int(rows["frame"].min()), int(rows["frame"].max()) + 1
            if end - first < min_frames and key not in by_hand:
                verdicts[key] = Verdict(False, f"short ({end - first} frames)", UNKNOWN)
            else:
                weight = _weigh(rows, info)
                is_alone = info.is_stills and n_faces[first] == 1
                look = portraits[key].look
                candidates.append(Candidate(*key, first, end, weight, look, by_hand.get(key), is_alone))
    judged = judge_tracks(candidates)
    return verdicts | {(c.clip, c.track): verdict for c, verdict in zip(candidates, judged, strict=True)}


def _weigh(faces: pd.DataFrame, info: ClipInfo) -> float:
    """How much of a clip a track fills, in picture heights and seconds: neither size nor rate of a clip count.

    A still counts in full: they differ in size.
    """
    return float(len(faces) if info.is_stills else (faces["y2"] - faces["y1"]).sum() / info.height / info.rate)


def _tracks_of(faces: pd.DataFrame) -> list[tuple[str, int]]:
    return sorted({(str(clip), int(track)) for clip, track in zip(faces["clip"], faces["track"], strict=True)})


def _list_own(faces: pd.DataFrame, faceset: set[str], verdicts: Verdicts) -> pd.DataFrame:
    """The person's faces in the face set's clips: a clip outside of it changes nothing that is learnt."""
    of_set = faces[faces["clip"].isin(faceset)]
    is_used = [verdicts[key].is_used for key in zip(of_set["clip"], of_set["track"], strict=True)]
    return of_set[np.array(is_used, bool)]


def _fit_own(detections: Path, own: pd.DataFrame, crop_px: int) -> Matrix:
    """The person's proportions, from some of their faces."""
    some = own.iloc[pick_evenly(len(own), FITTED_FACES)]
    return fit_proportions(((face.landmarks, face.kind) for _, face in _read_faces(detections, some)), crop_px)


def _learn_person(detections: Path, own: pd.DataFrame, params: Align) -> PersonFace | None:
    """How the person's face looks, from some views of it, evenly; None where no mesh is known of any."""
    viewed = own[own["has_view"]]
    found = list(_read_views(detections, viewed.iloc[pick_evenly(len(viewed), _MESH_OF * LEARNT_VIEWS)]))
    seen = [(mesh, read_view(*view)) for mesh, *view in (found[n] for n in pick_evenly(len(found), LEARNT_VIEWS))]
    if params.find_covers and len(seen) < MIN_CHARTS:
        print(
            f"align: {len(seen)} views of the person with a mesh are there, {MIN_CHARTS} needed: what covers faces, "
            "and which are blurred, is not told; give clips that show more of the person",
            flush=True,
        )
    if not seen:
        return None
    shape = fit_shape([mesh for mesh, _ in seen])
    surface = unroll(shape, params.forehead_cm)
    charts = [chart_view(*view, surface.place(mesh)) for mesh, view in seen]
    return learn_face(charts, shape, surface, has_looks=params.find_covers)


def _read_views(detections: Path, chosen: pd.DataFrame) -> Iterator[tuple[Mesh, bytes, Points]]:
    """Meshes of some faces that have a view, each with that and its five landmarks; `chosen`: the faces' rows."""
    wanted = set(zip(chosen["clip"], chosen["frame"], chosen["face"], strict=True))
    for batch in read_batches(detections, DETECTIONS, ["clip", "frame", "face", "five", "mesh", "view"]):
        for row in batch.itertuples():
            if (row.clip, row.frame, row.face) in wanted and row.mesh is not None:
                yield np.asarray(row.mesh, np.float32).reshape(-1, 3), row.view, points(row.five)


def _read_faces(detections: Path, tracked: pd.DataFrame) -> Iterator[tuple[str, TrackedFace]]:
    """Some faces with their landmarks, each with its clip, in order. `tracked`: their rows with the column `track`."""
    track_of = {(row.clip, row.frame, row.face): row.track for row in tracked.itertuples()}
    for batch in read_batches(detections, DETECTIONS, _LANDMARKS):
        for row in batch.itertuples():
            track = track_of.get((row.clip, row.frame, row.face))
            if track is None:
                continue
            if row.mesh is None:
                yield row.clip, TrackedFace(row.frame, track, "five", points(row.five))
            else:
                yield row.clip, TrackedFace(row.frame, track, "mesh", np.asarray(row.mesh, np.float32).reshape(-1, 3))


def _locate_faces(
    infos: Infos,
    detections: Path,
    faces: pd.DataFrame,
    sampled: pd.DataFrame,
    verdicts: Verdicts,
    *,
    is_smoothed: bool,
) -> Iterator[Located]:
    """All faces of all tracks, in order of clips and frames."""
    frames_of = dict(iter(sampled.groupby("clip")))
    for clip, of_clip in groupby(_read_faces(detections, faces), key=itemgetter(0)):
        followed = bridge_gaps(map(itemgetter(1), of_clip), _max_gap(infos[clip]))
        if is_smoothed:
            followed = smooth_faces(followed)
        yield from _locate_in_clip(followed, frames_of[clip], verdicts)


def _locate_in_clip(faces: Iterable[TrackedFace], frames: pd.DataFrame, verdicts: Verdicts) -> Iterator[Located]:
    """The faces of a clip. `frames`: its rows of the frames table."""
    of_frame = {row.frame: row for row in frames.itertuples()}
    for face in faces:
        frame = of_frame[face.frame]
        verdict = verdicts[frame.clip, face.track]
        row = {
            **{name: getattr(frame, name) for name in ("clip", "clip_sha256", "frame", "pts", "shot")},
            "track": face.track,
            "person": verdict.person,
            "is_used": verdict.is_used,
            "reason": verdict.reason,
            "is_bridged": face.is_bridged,
            "kind": face.kind,
        }
        yield Located(row, face.landmarks, verdict.is_used and not face.is_bridged and not frame.reason)


def plan_crops(clips: Path, parts: pd.DataFrame, located: Iterator[Located], rules: Rules) -> Iterator[Cutting]:
    """The faces part by part. `located`: in order of clips and frames."""
    waiting = next(located, None)
    for part in parts.itertuples():
        faces: list[Located] = []
        while waiting and waiting.row["clip"] == part.clip and waiting.row["frame"] < part.end_frame:
            faces.append(waiting)
            waiting = next(located, None)
        where = Part(part.first_frame, part.end_frame, part.first_pts)
        yield Cutting(clips / part.clip, part.clip_sha256, where, tuple(faces), rules)
    assert waiting is None, "every face lies in a part"


def _find_duplicates(cut: list[CutFace], taken_before: Duplicates) -> Iterator[Row]:
    """The records among a part's faces; one that is without flaw, but much like one before, has that as its reason."""
    for face in cut:
        if face.record is not None and face.small is not None:
            reason = face.record["reason"] or taken_before.find_duplicate(face.small)
            yield face.record | {"reason": reason}


def _describe_lack(clips: Path, faces: pd.DataFrame, verdicts: Verdicts, page: Path) -> str:
    reasons = sorted({verdict.reason for verdict in verdicts.values() if not verdict.is_used})
    return (
        f"{clips}: no face for the face set in {faces['frame'].size} detections and {len(verdicts)} tracks "
        f"({'; '.join(reasons) or 'no sampled frame shows the person'}); choose a track by hand "
        f"(see {page}), or lower the identity's interval_s or align.min_track_s"
    )


def _count(verdicts: Verdicts) -> str:
    n_used = sum(verdict.is_used for verdict in verdicts.values())
    n_people = len({verdict.person for verdict in verdicts.values()} - {UNKNOWN})
    return f"{n_people} people, {n_used} tracks used, {len(verdicts) - n_used} ignored"


def main() -> None:
    with one_line_errors():
        key = read_key("align")
        params = read_params()
        require_consent("align", key, params)
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
