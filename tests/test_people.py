"""Who is who: tracks become people, one of them is the identity's, and what a person decided holds."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vision.look import MIN_LIKENESS
from vision.people import OWN, Candidate, Verdict, judge_tracks

ME, STRANGER, THIRD = np.eye(3, dtype=np.float32)
FROM_THE_SIDE = np.array([0.5, 0, 0.866], np.float32)


def candidate(
    look: np.ndarray,
    weight: float = 100,
    frames: tuple[int, int] | None = None,
    by_hand: bool | None = None,
) -> Candidate:
    """A track; without frames, in a clip of its own."""
    candidate.count += 1  # type: ignore[attr-defined]
    clip = "shared.mp4" if frames else f"{candidate.count}.mp4"  # type: ignore[attr-defined]
    first, end = frames or (0, 50)
    return Candidate(clip, 0, first, end, weight, look, by_hand)


candidate.count = 0  # type: ignore[attr-defined]


def near(look: np.ndarray, other: np.ndarray, alike: float) -> np.ndarray:
    """As far from `look`, in the direction of `other`, as this likeness says."""
    towards = other - (other @ look) * look
    mixed: np.ndarray = alike * look + (1 - alike**2) ** 0.5 * towards / np.linalg.norm(towards)
    return mixed.astype(np.float32)


def used(verdicts: Sequence[Verdict]) -> list[bool]:
    return [verdict.is_used for verdict in verdicts]


def people(verdicts: Sequence[Verdict]) -> list[int]:
    return [verdict.person for verdict in verdicts]


def test_the_one_who_fills_the_clips_is_the_person_not_the_largest_face() -> None:
    verdicts = judge_tracks([candidate(STRANGER, 900), candidate(ME, 5000)])
    assert used(verdicts) == [False, True]
    assert verdicts[0].reason == "person 1, not the identity's (likeness 0.00)"
    assert verdicts[1].reason == "the person"


def test_many_short_tracks_of_one_outweigh_the_longest_of_another() -> None:
    verdicts = judge_tracks([candidate(STRANGER, 500), candidate(ME, 300), candidate(ME, 300)])
    assert used(verdicts) == [False, True, True]


def test_the_person_is_followed_through_shots_and_clips() -> None:
    looks = [ME, near(ME, STRANGER, 0.9), STRANGER]
    verdicts = judge_tracks([candidate(look, 100 - i) for i, look in enumerate(looks)])
    assert used(verdicts) == [True, True, False]
    assert verdicts[1].reason == "the person (likeness 0.90)"


def test_people_are_numbered_by_how_much_they_fill() -> None:
    verdicts = judge_tracks([candidate(THIRD, 5), candidate(ME, 50), candidate(STRANGER, 10), candidate(STRANGER, 1)])
    assert people(verdicts) == [2, OWN, 1, 1]


def test_what_is_in_between_joins_two_looks_only_where_the_mean_is_high_enough() -> None:
    between = near(ME, STRANGER, 0.98)
    far = near(ME, STRANGER, 0.76)
    assert people(judge_tracks([candidate(look) for look in (ME, between, far)])) == [OWN] * 3
    far = near(ME, STRANGER, 0.64)
    assert between @ far > MIN_LIKENESS > (between @ far + ME @ far) / 2
    assert people(judge_tracks([candidate(look) for look in (ME, between, far)])) == [OWN, OWN, 1]


def test_nobody_is_in_a_frame_twice() -> None:
    verdicts = judge_tracks([candidate(ME, 100, (0, 50)), candidate(ME, 80, (49, 90)), candidate(ME, 60, (50, 90))])
    assert used(verdicts) == [True, False, True]
    assert verdicts[1].reason == "person 1, beside the identity's (likeness 1.00)"


def test_two_who_share_frames_are_not_joined_by_way_of_a_third() -> None:
    verdicts = judge_tracks([candidate(ME, 9, (0, 50)), candidate(ME, 8, (0, 50)), candidate(ME, 7)])
    assert sorted(people(verdicts)) == [OWN, OWN, 1]
    assert verdicts[0].person != verdicts[1].person


def test_tracks_used_by_hand_say_who_the_person_is() -> None:
    tracks = [candidate(ME, 900), candidate(STRANGER, 10, by_hand=True), candidate(STRANGER, 20), candidate(THIRD, 5)]
    verdicts = judge_tracks(tracks)
    assert used(verdicts) == [False, True, True, False]
    assert people(verdicts) == [1, OWN, OWN, 2]
    assert verdicts[1].reason == "by hand"


def test_all_tracks_used_by_hand_are_the_person_however_unlike_and_each_brings_its_like() -> None:
    named = [candidate(ME, by_hand=True), candidate(STRANGER, by_hand=True)]
    verdicts = judge_tracks([*named, candidate(ME), candidate(STRANGER), candidate(THIRD, 999)])
    assert used(verdicts) == [True, True, True, True, False]


def test_what_looks_more_like_a_track_ignored_by_hand_than_like_the_person_is_ignored() -> None:
    twin = near(ME, STRANGER, 0.85)
    nearer_to_twin, nearer_to_me = near(twin, ME, 0.99), near(ME, STRANGER, 0.99)
    tracks = [candidate(look) for look in (nearer_to_twin, nearer_to_me)]
    assert used(judge_tracks([candidate(ME, 900, by_hand=True), candidate(twin), *tracks])) == [True] * 4
    verdicts = judge_tracks([candidate(ME, 900, by_hand=True), candidate(twin, by_hand=False), *tracks])
    assert used(verdicts) == [True, False, False, True]
    assert verdicts[2].reason == "person 1, ignored by hand (likeness 0.99)"


def test_one_bad_track_ignored_takes_no_other_with_it() -> None:
    verdicts = judge_tracks([candidate(ME, 50), candidate(ME, 60, by_hand=False), candidate(ME, 40)])
    assert used(verdicts) == [True, False, True]
    assert people(verdicts) == [OWN] * 3


def test_the_person_is_not_one_of_whom_every_track_is_ignored_by_hand() -> None:
    verdicts = judge_tracks([candidate(ME, 900, by_hand=False), candidate(STRANGER, 10)])
    assert used(verdicts) == [False, True]
    assert people(verdicts) == [1, OWN]
    assert people(judge_tracks([candidate(ME, by_hand=False)])) == [1]


def test_what_is_decided_by_hand_holds_in_shared_frames_too() -> None:
    tracks = [candidate(ME, 9, (0, 50), by_hand=True), candidate(FROM_THE_SIDE, 8, (0, 50), by_hand=True)]
    assert used(judge_tracks([*tracks, candidate(ME, 99, (40, 90))])) == [True, True, False]


def test_the_order_of_the_tracks_changes_no_verdict(rng: np.random.Generator) -> None:
    looks = [
        near(look, other, rng.uniform(0.9, 1)) for look in (ME, STRANGER, THIRD) for other in (ME + 2, STRANGER - 1)
    ]
    tracks = [candidate(look, 100 + 7 * index) for index, look in enumerate(looks)]
    there, back = judge_tracks(tracks), judge_tracks(tracks[::-1])
    assert there == back[::-1]
    assert people(there) == [2, 2, 1, 1, OWN, OWN]


def test_who_is_alone_in_stills_is_the_person_and_others_there_must_look_alike() -> None:
    alone = [replace(candidate(near(ME, STRANGER, alike), 40), is_alone=True) for alike in (1.0, 0.7, 0.2)]
    beside = [candidate(near(ME, THIRD, 0.8), 90), candidate(THIRD, 110)]
    verdicts = judge_tracks([*beside, *alone])
    assert used(verdicts) == [True, False, True, True, True]
    assert people(verdicts) == [0, 1, 0, 0, 0]
    assert verdicts[4].reason.startswith("alone in a still (likeness")
    verdicts = judge_tracks([*beside, replace(alone[0], by_hand=False), *alone[1:]])
    assert used(verdicts)[2:] == [False, True, True]


def test_a_large_group_takes_nobody_in_who_shares_frames_with_one_of_it() -> None:
    crowd = [candidate(ME, 10) for _ in range(40)]
    verdicts = judge_tracks([*crowd, candidate(ME, 50, (0, 30)), candidate(ME, 5, (20, 40))])
    assert used(verdicts) == [True] * 41 + [False]


def test_no_track_gives_no_verdict() -> None:
    assert judge_tracks([]) == []
