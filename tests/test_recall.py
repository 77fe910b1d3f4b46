"""Which faces are found of those that are there, also of turned heads, and nothing else."""

from collections import defaultdict

import pytest

from models.face_search import Search, Stretch, find_faces, search_frame
from models.threads import one_thread
from tests.footage import REAL, needs_footage
from tests.hand_counts import CROWD, CROWD_STARTS, find_missed
from tests.turned_heads import list_turned, render_turned
from vision.clip import Part
from vision.hashing import hash_file

SEARCH = Search("torch", "mesh", 0.12, (0.6, 0.7, 0.8), 0.5, profiles=True)


@pytest.mark.heavy
def test_turned_heads_are_found_up_to_the_profile_and_nothing_beside_them() -> None:
    """benchmarks/recall.py has more of them."""
    is_found = defaultdict(list)
    with one_thread():
        heads = list(render_turned(list_turned((30, 60, 90), 1, 0.5)))
    for head in heads:
        faces = search_frame(SEARCH, head.frame)
        hits = [face for face in faces if head.is_in(face.box)]
        assert len(faces) == len(hits) <= 1
        is_found[abs(head.turned.yaw)].append(bool(hits))
    assert all(is_found[30])
    assert all(is_found[60])
    assert sum(is_found[90]) >= 0.75 * len(is_found[90])


@pytest.mark.heavy
@needs_footage
def test_faces_counted_by_eye_are_found_in_a_clip_with_cuts_profiles_and_hands() -> None:
    clip = REAL / "crowd.mp4"
    found = find_faces(Stretch(clip, hash_file(clip), Part(0, 275, 0), SEARCH, 15, CROWD_STARTS))
    assert len(find_missed(found)) <= 0.05 * sum(map(len, CROWD.values()))
