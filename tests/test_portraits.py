"""Portraits: a few faces of every track are seen, evenly, and some are kept to learn from."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from vision.clip import Part
from vision.look import VIEW_PX, describe_face
from vision.portraits import LEARNT_FACES, LOOKS, THUMBS, Sitting, View, plan_sittings, portray_tracks

PARTS = pd.DataFrame(
    [(clip, "00", n, 200 * n, 200 * n + 200, 200 * n) for clip in ("a.mp4", "b.mp4") for n in range(3)],
    columns=["clip", "clip_sha256", "part", "first_frame", "end_frame", "first_pts"],
)


def make_faces(clip: str, track: int, frames: range) -> pd.DataFrame:
    five = np.arange(10, dtype=np.float32)
    return pd.DataFrame([{"clip": clip, "track": track, "frame": frame, "five": five} for frame in frames])


def wanted(plan: list[Sitting], clip: str, track: int) -> list[tuple[int, bool]]:
    return [
        (face.frame, face.is_kept)
        for sitting in plan
        if sitting.clip.name == clip
        for face in sitting.faces
        if face.track == track
    ]


def test_long_tracks_are_seen_often_short_ones_wholly_and_only_the_face_set_s_clips_are_kept() -> None:
    faces = [
        make_faces("a.mp4", 0, range(600)),
        make_faces("a.mp4", 1, range(50, 55)),
        make_faces("b.mp4", 0, range(300, 600)),
    ]
    plan = plan_sittings(Path("clips"), PARTS, pd.concat(faces), {"a.mp4"})
    assert [(sitting.clip, sitting.part) for sitting in plan] == [
        (Path("clips/a.mp4"), Part(0, 200, 0)),
        (Path("clips/a.mp4"), Part(200, 400, 200)),
        (Path("clips/a.mp4"), Part(400, 600, 400)),
        (Path("clips/b.mp4"), Part(200, 400, 200)),
        (Path("clips/b.mp4"), Part(400, 600, 400)),
    ]
    long = wanted(plan, "a.mp4", 0)
    assert len(long) in (LEARNT_FACES - 1, LEARNT_FACES)
    assert all(is_kept for _, is_kept in long)
    assert max(np.diff([frame for frame, _ in long])) <= 7
    assert [frame for frame, _ in wanted(plan, "a.mp4", 1)] == [50, 51, 52, 53, 54]
    assert sum(is_kept for _, is_kept in wanted(plan, "a.mp4", 1)) == 1
    assert len(wanted(plan, "b.mp4", 0)) == LOOKS
    assert not any(is_kept for _, is_kept in wanted(plan, "b.mp4", 0))


def test_a_clip_outside_the_face_set_changes_nothing_of_what_is_seen_of_others() -> None:
    alone = make_faces("a.mp4", 0, range(600))
    both = pd.concat([alone, make_faces("b.mp4", 0, range(600))])
    plans = [plan_sittings(Path("clips"), PARTS, faces, {"a.mp4"}) for faces in (alone, both)]
    assert wanted(plans[0], "a.mp4", 0) == wanted(plans[1], "a.mp4", 0)
    shared = plan_sittings(Path("clips"), PARTS, both, {"a.mp4", "b.mp4"})
    assert len(wanted(shared, "a.mp4", 0)) == LEARNT_FACES // 2


def test_a_portrait_sums_its_faces_looks_and_keeps_its_views(rng: np.random.Generator) -> None:
    faces = pd.concat([make_faces("a.mp4", 0, range(0, 600, 30)), make_faces("a.mp4", 7, range(5))])
    plan = plan_sittings(Path("clips"), PARTS, faces, {"a.mp4"})
    views = [
        [View(rng.integers(0, 255, (VIEW_PX, VIEW_PX, 3), dtype=np.uint8), np.eye(2, 3)) for _ in sitting.faces]
        for sitting in plan
    ]
    portraits = portray_tracks(plan, views)
    assert Counter(key for key in portraits) == Counter([("a.mp4", 0), ("a.mp4", 7)])
    pairs = [
        (face, view)
        for sitting, taken in zip(plan, views, strict=True)
        for face, view in zip(sitting.faces, taken, strict=True)
    ]
    for (_, track), portrait in portraits.items():
        own = [(face, view) for face, view in pairs if face.track == track]
        np.testing.assert_allclose(portrait.look, sum(describe_face(view.picture) for _, view in own), atol=1e-4)
        assert len(portrait.thumbs) == THUMBS
        assert np.array_equal(portrait.thumbs[0], own[0][1].picture)
        assert np.array_equal(portrait.thumbs[-1], own[-1][1].picture)
        assert sorted(portrait.views) == [face.frame for face, _ in own if face.is_kept]
