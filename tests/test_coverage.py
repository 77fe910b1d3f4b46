"""Coverage: what the source lacks is told with its share, what it shows is not."""

import numpy as np
import pytest

from vision.coverage import Faces, count_cells, find_lacks, measure_coverage, tell_lack


def _faces(yaw: np.ndarray, pitch: float = 0.0, mouth: float = 0.1, eyes: float = 1.0, light: float = 120.0) -> Faces:
    others = (np.full(len(yaw), value, np.float64) for value in (pitch, mouth, eyes, light))
    return Faces(yaw.astype(np.float64), *others)


AHEAD = np.linspace(-20, 20, 41)


def _tell(source: Faces, target: Faces) -> list[str]:
    return [tell_lack(lack) for lack in find_lacks(source, target, 3)]


def test_who_does_the_same_lacks_nothing() -> None:
    assert _tell(_faces(AHEAD), _faces(AHEAD)) == []
    covered = measure_coverage(_faces(AHEAD), _faces(AHEAD), 3)
    assert covered == dict.fromkeys(
        ("covered_pose_ratio", "covered_mouth_open_ratio", "covered_eye_open_ratio", "covered_light_ratio"), 1.0
    )


def test_a_turn_that_the_source_never_takes_is_told_with_its_share() -> None:
    target = _faces(np.concatenate([np.zeros(86), np.full(14, -40.0)]))
    (said,) = _tell(_faces(AHEAD), target)
    wanted = "No source face is turned further to the picture's left than a yaw of -18 degrees"
    assert said == f"{wanted}; 14 % of the target's frames need it."
    assert measure_coverage(_faces(AHEAD), target, 3)["covered_pose_ratio"] == pytest.approx(0.86)


def test_a_few_stray_faces_do_not_count_as_reach() -> None:
    stray = _faces(np.concatenate([AHEAD, [-40.0, -41.0]]))
    target = _faces(np.full(10, -40.0))
    assert "left" in _tell(stray, target)[0]
    assert _tell(_faces(np.concatenate([AHEAD, [-40.0, -41.0, -39.0]])), target) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"pitch": 30.0}, "looks further up"),
        ({"pitch": -30.0}, "looks further down"),
        ({"mouth": 0.6}, "opens the mouth wider than 10 % of its width"),
        ({"eyes": 0.2}, "shuts the eyes below 100 % of the usual opening"),
        ({"light": 40.0}, "is darker than a mean of 120 grey levels"),
        ({"light": 220.0}, "is lighter than a mean of 120 grey levels"),
    ],
)
def test_every_other_end_has_its_words(change: dict[str, float], word: str) -> None:
    said = _tell(_faces(AHEAD), _faces(AHEAD, **change))
    assert len(said) == 1
    assert word in said[0]
    assert "100 % of the target's frames" in said[0]


def test_a_hole_within_the_reach_is_told_by_its_cell() -> None:
    both_sides = np.concatenate([np.linspace(-40, -30, 10), np.linspace(30, 40, 10)])
    said = _tell(_faces(both_sides), _faces(np.full(50, 4.0)))
    assert said == [
        "No source face has a yaw of 0 to 10 with a pitch of 0 to 10 degrees; 100 % of the target's frames need it."
    ]


def test_the_most_needed_comes_first_and_what_hardly_anybody_needs_is_left_out() -> None:
    yaw = np.concatenate([np.zeros(880), np.full(100, 60.0), np.full(15, -60.0), np.full(5, 0.0)])
    target = _faces(yaw)
    target.mouth_open[-5:] = 0.9
    said = _tell(_faces(AHEAD), target)
    assert ["right" in said[0], "left" in said[1], len(said)] == [True, True, 2]


def test_unknown_measures_are_no_lack() -> None:
    target = _faces(AHEAD)
    target.mouth_open[:] = target.eye_open[:] = np.nan
    assert _tell(_faces(AHEAD), target) == []
    covered = measure_coverage(_faces(AHEAD), target, 3)
    assert np.isnan(covered["covered_mouth_open_ratio"])
    assert covered["covered_pose_ratio"] == 1


def test_cells_add_up() -> None:
    assert count_cells(_faces(AHEAD))["share"].sum() == pytest.approx(1)
    assert count_cells(_faces(np.full(4, 33.0)))[["yaw", "pitch", "share"]].to_numpy().tolist() == [[30, 0, 1]]


@pytest.mark.parametrize("n_faces", [0, 2])
def test_a_source_of_hardly_any_face_lacks_everything(n_faces: int) -> None:
    (said,) = _tell(_faces(AHEAD[:n_faces]), _faces(AHEAD))
    assert said.startswith(f"Training may use {n_faces} of the source's faces")
    assert said.endswith("100 % of the target's frames need it.")
