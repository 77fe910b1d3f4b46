"""Who is who: the person fills the clips, strangers and doubles are left out, each with a reason."""

from dataclasses import replace

import numpy as np

from vision.people import Candidate, choose_person, describe_face, likeness

ME, STRANGER = np.array([1.0, 0, 0], np.float32), np.array([0.1, 1, 0], np.float32)
UNLIKE = np.array([0, 0, 1], np.float32)


def candidate(track: int, first: int, end: int, weight: float, look: np.ndarray, clip: str = "a.mp4") -> Candidate:
    return Candidate(clip, track, first, end, weight, look)


def test_the_one_who_fills_the_clips_is_the_person_not_the_largest_face() -> None:
    verdicts = choose_person([candidate(0, 0, 10, 900, STRANGER), candidate(1, 10, 200, 5000, ME)])
    assert [v.is_used for v in verdicts] == [False, True]
    assert "another person" in verdicts[0].reason


def test_the_person_is_followed_through_shots_and_clips() -> None:
    looks = [ME, ME + 0.2 * STRANGER, STRANGER]
    tracks = [candidate(i, 0, 50, 100 - i, look, f"{i}.mp4") for i, look in enumerate(looks)]
    assert [v.is_used for v in choose_person(tracks)] == [True, True, False]


def test_nobody_is_in_a_frame_twice() -> None:
    verdicts = choose_person([candidate(0, 0, 50, 100, ME), candidate(1, 40, 90, 80, ME)])
    assert [v.is_used for v in verdicts] == [True, False]
    assert "beside" in verdicts[1].reason


def test_who_is_alone_in_stills_is_the_person_and_others_there_must_look_alike() -> None:
    stills = [candidate(i, i, i + 1, 40, ME + i * UNLIKE, "stills") for i in range(3)]
    beside = [candidate(3, 3, 4, 90, ME + 0.5 * UNLIKE, "stills"), candidate(4, 4, 5, 110, STRANGER, "stills")]
    verdicts = choose_person([*beside, *(replace(one, is_alone=True) for one in stills)])
    assert [v.is_used for v in verdicts] == [True, False, True, True, True]
    assert verdicts[4].reason == "alone in a still (likeness 0.95)"


def test_no_track_gives_no_verdict() -> None:
    assert choose_person([]) == []


def test_a_look_survives_a_change_of_light_but_not_another_face(rng: np.random.Generator) -> None:
    def smooth_noise() -> np.ndarray:
        small = rng.normal(size=(12, 12, 3))
        return np.kron(small, np.ones((8, 8, 1))) * 40 + 120

    first, second = smooth_noise(), smooth_noise()
    same = describe_face(np.clip(first * 0.8 + 10, 0, 255).astype(np.uint8))
    own = describe_face(np.clip(first, 0, 255).astype(np.uint8))
    other = describe_face(np.clip(second, 0, 255).astype(np.uint8))
    assert likeness(own, same) > 0.95
    assert likeness(own, other) < 0.4
