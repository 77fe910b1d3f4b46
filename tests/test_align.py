"""Align: the right crops of the right person, every frame in the tracks, hand edits first."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from errors import FaceError, TableError
from tests.made_clip import COLORS, Dots, align_clip, gather_clips, make_clip, make_pictures
from vision.alignment import Matrix, Points, canonical_landmarks
from vision.crops import decode_png
from vision.faceset import read_faceset
from vision.proportions import fit_proportions
from vision.tables import DETECTIONS, FRAMES, PARTS, POSE, SHOTS, TRACKS, read_table, write_table

ALL = tuple(range(12))
PERSON = Dots(ALL, 20, 10)
PASSER_BY = Dots((0, 1, 2, 3, 4, 5), 110, 60, side=70, step=0.0, disk=(40, 90, 200))


def run(place: Path, edits: tuple[str, ...] = (), min_track_s: float = 0.1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Align the clip made in `place`: (tracks, face set)."""
    align_clip(place, edits, min_track_s)
    return read_table(place / "tracks.parquet", TRACKS), pd.concat(read_faceset(place / "faceset"))


def _check_crops(faces: pd.DataFrame) -> None:
    """Each of a face set's crops shows the five dots in their canonical places."""
    for picture in faces["picture"]:
        crop = decode_png(picture)
        assert crop.shape == (128, 128, 3)
        for (x, y), color in zip(canonical_landmarks("five") * 128 - 0.5, COLORS, strict=True):
            assert np.abs(crop[round(y), round(x)].astype(int) - color).max() < 30


def test_every_sampled_frame_gives_a_crop_with_the_face_in_its_canonical_place(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON])
    tracks, faces = run(tmp_path)
    assert tracks["frame"].tolist() == list(ALL)
    assert faces["frame"].tolist() == [0, 2, 4, 6, 8, 10]
    _check_crops(faces)
    assert np.ptp(faces["yaw"]) < 1


def test_a_blink_of_the_detector_is_bridged_and_kept_out_of_the_face_set(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [Dots(tuple(f for f in ALL if f not in (4, 5)), 20, 10)])
    tracks, faces = run(tmp_path)
    assert tracks["frame"].tolist() == list(ALL)
    assert tracks.loc[tracks["is_bridged"], "frame"].tolist() == [4, 5]
    expected = PERSON.five(4)
    np.testing.assert_allclose(tracks["landmarks"][4], expected.ravel(), atol=0.1)
    assert 4 not in faces["frame"].tolist()


def test_a_face_that_stays_as_it_was_is_a_duplicate_and_one_at_the_border_is_cut_off(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [Dots(ALL, 20, 10, step=0)])
    _, faces = run(tmp_path)
    assert faces["reason"].iloc[0] == ""
    assert faces["reason"].iloc[1:].str.startswith("duplicate").all()
    make_clip(tmp_path, "a.mp4", [Dots(ALL, -30, 10)])
    _, faces = run(tmp_path)
    assert faces["reason"].iloc[0].startswith("cut off by the border")


def test_the_one_who_fills_the_clip_is_used_the_passer_by_is_kept_but_ignored(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON, PASSER_BY])
    tracks, faces = run(tmp_path)
    used = tracks.groupby("track")["is_used"].first()
    assert used.tolist() == [True, False]
    assert len(tracks) == 12 + 6
    assert len(faces) == 6
    reason = tracks.loc[~tracks["is_used"], "reason"].iloc[0]
    assert "person" in reason


def test_of_a_passer_by_the_tracks_keep_a_box_and_nothing_else(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON, PASSER_BY])
    tracks, _ = run(tmp_path)
    ignored = tracks[~tracks["is_used"]]
    low, high = PASSER_BY.five(0).min(0), PASSER_BY.five(0).max(0)
    np.testing.assert_allclose(ignored[["x1", "y1", "x2", "y2"]].iloc[0], [*low, *high], atol=0.1)
    for name in ("landmarks", "outline", "covers"):
        assert ignored[name].map(len).eq(0).all()
    assert np.isnan(np.stack(ignored["frame_to_crop"])).all()
    assert ignored[[column.name for column in POSE]].isna().all(axis=None)
    assert tracks[tracks["is_used"]]["landmarks"].map(len).eq(10).all()


def test_hand_edits_win_over_the_choice(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON, PASSER_BY])
    sha = read_table(tmp_path / "shots.parquet", SHOTS)["clip_sha256"][0]
    x, y = PASSER_BY.five(0).mean(0)
    tracks, faces = run(tmp_path, (f"{sha},0,3,{x},{y},use",))
    assert tracks.groupby("track")["is_used"].first().tolist() == [False, True]
    reasons = tracks.groupby("track")["reason"].first()
    assert reasons[0].startswith("person 1, beside the identity's")
    assert reasons[1] == "by hand"
    assert tracks.groupby("track")["person"].first().tolist() == [1, 0]
    assert faces["frame"].tolist() == [0, 2, 4]


def test_a_line_of_the_page_holds_where_a_new_detection_misses_a_face(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON, PASSER_BY])
    align_clip(tmp_path)
    lines = re.findall(r"<code>([^<]*,use)</code>", (tmp_path / "tracks.html").read_text())
    (line,) = [line for line in lines if float(line.split(",")[3]) > 100]  # the passer-by's
    known = read_table(tmp_path / "detections.parquet", DETECTIONS)
    for missed in PASSER_BY.frames:
        write_table(known[known["frame"] != missed], tmp_path / "detections.parquet", DETECTIONS)
        tracks, _ = run(tmp_path, (line,))
        assert tracks.groupby("track")["is_used"].first().tolist() == [False, True]


def test_a_line_that_speaks_of_no_face_is_told_and_nobody_is_chosen_in_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON, PASSER_BY])
    sha = read_table(tmp_path / "shots.parquet", SHOTS)["clip_sha256"][0]
    idle = f"{sha},0,3,1,1,ignore"
    run(tmp_path, (idle,))
    said = "line 2: no face holds this point in these frames of such a clip; the line decides nothing"
    assert said in capsys.readouterr().out
    assert said in (tmp_path / "tracks.html").read_text()
    with pytest.raises(TableError, match=r"tracks\.csv: no line with use speaks of a face"):
        run(tmp_path, (idle, f"{sha},0,3,1,1,use"))


def test_neither_a_larger_nor_a_faster_clip_outweighs_another(tmp_path: Path) -> None:
    make_clip(tmp_path / "1", "a.mp4", [Dots(ALL, 20, 10)])
    stranger = Dots(ALL, 30, 20, side=150, disk=(20, 20, 20))  # more pixels, and as many frames
    make_clip(tmp_path / "2", "b.mp4", [stranger], size=(432, 576), rate=50)
    gather_clips(tmp_path, [tmp_path / name for name in "12"])
    tracks, _ = run(tmp_path)
    used = tracks.groupby("clip")["is_used"].first()
    assert used.to_dict() == {"a.mp4": True, "b.mp4": False}


def test_a_short_track_is_ignored_with_its_reason(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON, Dots((3, 4), 120, 60, side=60, step=0)])
    tracks, _ = run(tmp_path, min_track_s=0.2)
    assert tracks.loc[tracks["track"] == 1, "reason"].unique().tolist() == ["short (2 frames)"]
    assert tracks.loc[tracks["track"] == 1, "person"].unique().tolist() == [-1]


def test_a_line_for_one_track_makes_its_person_the_identity_s_in_every_clip(tmp_path: Path) -> None:
    dark = (20, 20, 20)
    for name, faces in (
        ("a.mp4", [PERSON]),
        ("b.mp4", [Dots(ALL[:6], 40, 20, disk=dark)]),
        ("c.mp4", [Dots(ALL[:6], 60, 30, side=80, disk=dark)]),
    ):
        make_clip(tmp_path / name, name, faces)
    gather_clips(tmp_path, [tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4")])
    tracks, _ = run(tmp_path)
    assert tracks.groupby("clip")["person"].agg(set).tolist() == [{0}, {1}, {1}]
    assert tracks.groupby("clip")["is_used"].all().tolist() == [True, False, False]
    sha = tracks.loc[tracks["clip"] == "b.mp4", "clip_sha256"].iloc[0]
    x, y = Dots(ALL, 40, 20).five(0).mean(0)
    tracks, faces = run(tmp_path, (f"{sha},0,1,{x},{y},use",))
    assert tracks.groupby("clip")["person"].agg(set).tolist() == [{1}, {0}, {0}]
    assert tracks.groupby("clip")["reason"].first()["b.mp4"] == "by hand"
    assert sorted(faces["clip"].unique()) == ["b.mp4", "c.mp4"]


def test_a_sequence_is_followed_as_a_video_is(tmp_path: Path) -> None:
    make_pictures(tmp_path, "take", [Dots(tuple(f for f in ALL if f not in (4, 5)), 20, 10)])
    tracks, faces = run(tmp_path)
    assert tracks["track"].unique().tolist() == [0]
    assert tracks.loc[tracks["is_bridged"], "frame"].tolist() == [4, 5]
    assert faces["frame"].tolist() == [0, 2, 6, 8, 10]
    _check_crops(faces)


def test_no_still_is_too_short_and_nothing_is_followed_or_bridged_from_one_to_the_next(tmp_path: Path) -> None:
    seen = tuple(f for f in ALL if f not in (4, 5))
    make_pictures(tmp_path, "stills", [Dots(seen, 20, 10)], rate=None)
    tracks, faces = run(tmp_path, min_track_s=60)
    assert tracks["frame"].tolist() == list(seen)
    assert tracks["track"].tolist() == list(range(len(seen)))
    assert tracks["is_used"].all()
    assert faces["frame"].tolist() == [0, 2, 6, 8, 10]
    _check_crops(faces)


def test_of_stills_with_two_faces_the_one_that_is_elsewhere_alone_is_used(tmp_path: Path) -> None:
    larger = Dots((0, 1), 100, 20, side=110, step=0.0, disk=(40, 90, 200))
    make_pictures(tmp_path, "stills", [PERSON, larger], rate=None)
    tracks, _ = run(tmp_path)
    used = tracks.groupby("frame")["is_used"].agg(list)
    assert used.tolist() == [[True, False]] * 2 + [[True]] * 10
    assert tracks.loc[tracks["frame"] > 1, "reason"].str.startswith("alone in a still (likeness").all()


def test_a_clip_outside_the_face_set_changes_no_crop_of_the_others(tmp_path: Path) -> None:
    alone, both, other = (tmp_path / name for name in ("alone", "both", "other"))
    for place in (alone, both):
        make_clip(place, "a.mp4", [PERSON])
    make_clip(other, "b.mp4", [PERSON])
    (both / "clips" / "b.mp4").write_bytes((other / "clips" / "b.mp4").read_bytes())
    for name, table in (("shots", SHOTS), ("parts", PARTS), ("frames", FRAMES), ("detections", DETECTIONS)):
        added = read_table(other / f"{name}.parquet", table)
        if name == "frames":
            added["reason"] = "not in face set"
        if name == "detections":  # a somewhat longer face
            added["five"] = [five * np.tile((1.0, 1.1), 5) for five in added["five"]]
        joined = pd.concat([read_table(both / f"{name}.parquet", table), added])
        write_table(joined, both / f"{name}.parquet", table)
    x, y = added["five"].iloc[0].reshape(5, 2).mean(0)
    tracks, faces = run(both, (f"{added['clip_sha256'].iloc[0]},0,3,{x},{y},use",))
    assert sorted(tracks.loc[tracks["is_used"], "clip"].unique()) == ["a.mp4", "b.mp4"]
    pd.testing.assert_frame_equal(faces, run(alone)[1])


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON, PASSER_BY])
    results = []
    for _ in range(2):
        run(tmp_path)
        results.append([(tmp_path / name).read_bytes() for name in ("tracks.parquet", "faceset/part-00000.parquet")])
    assert results[0] == results[1]


def test_where_nobody_is_left_the_reasons_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON])
    sha = read_table(tmp_path / "shots.parquet", SHOTS)["clip_sha256"][0]
    x, y = PERSON.five(0).mean(0)
    with pytest.raises(FaceError, match=r"by hand.*tracks\.html"):
        run(tmp_path, (f"{sha},0,12,{x},{y},ignore",))
    assert not (tmp_path / "faceset").exists()
    assert not (tmp_path / "tracks.parquet").exists()


def test_where_no_frame_is_for_the_face_set_it_is_told(tmp_path: Path) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON])
    frames = read_table(tmp_path / "frames.parquet", FRAMES).assign(reason="blurred")
    write_table(frames, tmp_path / "frames.parquet", FRAMES)
    with pytest.raises(FaceError, match="no face for the face set in 12 detections"):
        align_clip(tmp_path)
    assert not (tmp_path / "faceset").exists()


def test_proportions_come_from_some_of_many_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_clip(tmp_path, "a.mp4", [PERSON])
    fitted: list[list[float]] = []

    def fit_noted(some: Iterator[tuple[Points, str]], crop_px: int) -> Matrix:
        kept = list(some)
        fitted.append([float(landmarks[0, 0]) for landmarks, _ in kept])
        return fit_proportions(kept, crop_px)

    monkeypatch.setattr("stages.align.fit_proportions", fit_noted)
    monkeypatch.setattr("stages.align.FITTED_FACES", 2)
    _, faces = run(tmp_path)
    np.testing.assert_allclose(fitted, [[PERSON.five(frame)[0, 0] for frame in (0, 10)]])
    assert len(faces) == 6
    _check_crops(faces)
