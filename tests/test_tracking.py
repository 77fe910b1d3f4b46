"""Tracks: followed through a shot, ended by a cut, bridged over short gaps."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from vision.boxes import overlap
from vision.bridge import TrackedFace, bridge_gaps
from vision.tracking import assign_tracks


def table(faces: Iterable[tuple[int, float, float]]) -> pd.DataFrame:
    """Detections of 40 px boxes: (frame, x, y)."""
    rows = [(frame, x, y, x + 40, y + 40) for frame, x, y in faces]
    return pd.DataFrame(rows, columns=["frame", "x1", "y1", "x2", "y2"])


def shots(*bounds: int) -> pd.DataFrame:
    return pd.DataFrame(
        [(i, a, b) for i, (a, b) in enumerate(pairwise(bounds))], columns=["shot", "first_frame", "end_frame"]
    )


def test_two_people_who_pass_each_other_keep_their_tracks() -> None:
    faces = [(f, x, y) for f in range(20) for x, y in ((10 + 5 * f, 10), (110 - 5 * f, 60))]
    tracks = assign_tracks(table(faces), shots(0, 20), 0.3, 5)
    assert set(tracks[::2]) == {0}
    assert set(tracks[1::2]) == {1}


def test_a_cut_ends_a_track_even_where_the_face_stays() -> None:
    tracks = assign_tracks(table([(f, 10, 10) for f in range(10)]), shots(0, 4, 10), 0.3, 5)
    assert tracks.tolist() == [0] * 4 + [1] * 6


def test_a_face_lost_for_longer_than_the_gap_starts_anew() -> None:
    tracks = assign_tracks(table([(0, 10, 10), (1, 10, 10), (5, 10, 10), (12, 10, 10)]), shots(0, 20), 0.3, 3)
    assert tracks.tolist() == [0, 0, 0, 1]


def test_a_jump_without_overlap_is_another_track() -> None:
    assert assign_tracks(table([(0, 10, 10), (1, 200, 10)]), shots(0, 2), 0.3, 3).tolist() == [0, 1]


def test_overlap_of_boxes_with_a_known_answer() -> None:
    first = np.array([[0.0, 0, 10, 10]])
    second = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    np.testing.assert_allclose(overlap(first, second), [[1, 1 / 3, 0]])


def face(frame: int, x: float, track: int = 0) -> TrackedFace:
    return TrackedFace(frame, track, "five", np.full((5, 2), x, np.float32))


def test_a_short_gap_is_filled_on_the_straight_line_and_marked() -> None:
    filled = list(bridge_gaps([face(0, 0), face(4, 8)], max_gap=3))
    assert [f.frame for f in filled] == [0, 1, 2, 3, 4]
    assert [float(f.landmarks[0, 0]) for f in filled] == [0, 2, 4, 6, 8]
    assert [f.is_bridged for f in filled] == [False, True, True, True, False]


def test_a_long_gap_stays_open() -> None:
    assert [f.frame for f in bridge_gaps([face(0, 0), face(5, 8)], max_gap=3)] == [0, 5]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), unique=True))
def test_bridging_keeps_every_face_and_the_order_of_frames(places: list[tuple[int, int]]) -> None:
    faces = [face(frame, frame, track) for frame, track in sorted(places)]
    filled = list(bridge_gaps(faces, max_gap=4))
    assert [f.frame for f in filled] == sorted(f.frame for f in filled)
    assert {(f.frame, f.track) for f in filled if not f.is_bridged} == set(places)
    assert len({(f.frame, f.track) for f in filled}) == len(filled)
