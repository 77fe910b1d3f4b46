"""Quality: each flaw of a face is named, and a face without any is kept."""

import cv2
import numpy as np
import pytest

from vision.alignment import invert, transform
from vision.person_face import FaceShape
from vision.quality import Duplicates, Limits, find_flaw, measure_cut, shrink_face

LIMITS = Limits(max_cut_ratio=0.1, max_covered_ratio=0.25, max_misfit_cm=1.0, min_sharpness_ratio=0.7)
SQUARE = np.array([[20, 20], [60, 20], [60, 60], [20, 60]], np.float32) - 0.5
GOOD = FaceShape(SQUARE, (), covered_ratio=0.1, sharpness_ratio=0.9, misfit_cm=0.4)


def test_a_good_face_has_no_flaw_nor_has_one_of_which_nothing_is_known() -> None:
    assert find_flaw(GOOD, 0.05, LIMITS) == ""
    assert find_flaw(FaceShape(SQUARE), 0.0, LIMITS) == ""


@pytest.mark.parametrize(
    ("shape", "cut_ratio", "reason"),
    [
        (GOOD, 0.34, "cut off by the border (34 %)"),
        (FaceShape(SQUARE, misfit_cm=1.24), 0.0, "landmarks fit badly (1.2 cm)"),
        (FaceShape(SQUARE, covered_ratio=0.41), 0.0, "covered (41 %)"),
        (FaceShape(SQUARE, sharpness_ratio=0.52), 0.0, "blurred (52 % of the usual sharpness)"),
    ],
)
def test_each_flaw_is_named_with_its_figure(shape: FaceShape, cut_ratio: float, reason: str) -> None:
    assert find_flaw(shape, cut_ratio, LIMITS) == reason


def test_what_the_border_cuts_off_is_measured_also_of_a_tilted_face() -> None:
    upright = np.eye(2, 3)
    assert measure_cut(SQUARE, upright, 80, (200, 200)) == pytest.approx(0, abs=1e-6)
    assert measure_cut(SQUARE, upright, 80, (40, 200)) == pytest.approx(0.5, abs=0.01)
    assert measure_cut(SQUARE, upright, 80, (40, 30)) == pytest.approx(1 - 0.5 * 0.25, abs=0.01)
    to_crop = cv2.getRotationMatrix2D((39.5, 39.5), 30, 1.0) + np.array([[0, 0, -40], [0, 0, 0]])
    tilted = transform(invert(to_crop), SQUARE)
    width = round(tilted[:, 0].mean()) + 1
    assert measure_cut(tilted, to_crop, 80, (200, width)) == pytest.approx(0.5, abs=0.03)


def test_a_face_much_like_any_one_before_is_a_duplicate(rng: np.random.Generator) -> None:
    crops = [rng.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(3)]
    near = crops[0].copy()
    near[32, 32] ^= 1
    known = Duplicates(0.1)
    assert [known.find_duplicate(shrink_face(crop)) for crop in crops] == ["", "", ""]
    assert known.find_duplicate(shrink_face(crops[1])) == "duplicate (differs by 0.00 grey levels)"
    assert known.find_duplicate(shrink_face(near)).startswith("duplicate")


def test_only_the_last_faces_taken_are_remembered(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vision.quality.REMEMBERED", 2)
    first, second, third = (shrink_face(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)) for _ in range(3))
    known = Duplicates(0.1)
    assert [known.find_duplicate(small) for small in (first, second, third, first)] == [""] * 4
    assert known.find_duplicate(third).startswith("duplicate")
    assert known.find_duplicate(second) == ""


def test_without_a_least_difference_nothing_is_a_duplicate(rng: np.random.Generator) -> None:
    small = shrink_face(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    off = Duplicates(0)
    assert [off.find_duplicate(small) for _ in range(2)] == ["", ""]
