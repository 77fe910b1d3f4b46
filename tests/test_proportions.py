"""Proportions: eyes come to the canonical place whatever the face's length, by the least turned faces."""

import numpy as np
import pytest

from tests.turned_mesh import turned_mesh
from vision.alignment import Points, align_face, canonical_landmarks, compose, transform
from vision.proportions import eye_middles, fit_proportions

CROP_PX = 256
EYES = canonical_landmarks("five")[:2] * CROP_PX - 0.5


def stretched(mesh: Points, length: float) -> Points:
    """A face so many times as long below the eyes."""
    longer = mesh.copy()
    below = longer[:, 1] - eye_middles(mesh, "mesh")[:, 1].mean()
    longer[:, 1] += np.maximum(below, 0) * (length - 1)
    return longer


def eyes_in_crop(mesh: Points, own: np.ndarray) -> Points:
    return transform(compose(own, align_face(mesh, "mesh", CROP_PX)), eye_middles(mesh, "mesh"))


@pytest.mark.parametrize("length", [0.8, 1.0, 1.3])
def test_the_eyes_of_a_long_face_lie_where_those_of_a_short_one_do(length: float) -> None:
    mesh = stretched(turned_mesh(0, 0, 0), length)
    own = fit_proportions([(mesh, "mesh")] * 3, CROP_PX)
    np.testing.assert_allclose(eyes_in_crop(mesh, own), EYES, atol=0.1)


def test_a_long_face_is_as_much_longer_in_its_crop_as_it_is() -> None:
    mouth = []
    for length in (1.0, 1.3):
        mesh = stretched(turned_mesh(0, 0, 0), length)
        to_crop = compose(fit_proportions([(mesh, "mesh")], CROP_PX), align_face(mesh, "mesh", CROP_PX))
        mouth.append(transform(to_crop, mesh[[2], :2])[0, 1] - EYES[:, 1].mean())
    assert mouth[1] / mouth[0] == pytest.approx(1.3, abs=0.02)


def test_turned_faces_do_not_count_as_long_as_half_are_frontal() -> None:
    frontal = [(turned_mesh(yaw, 0, 0), "mesh") for yaw in (-2, 0, 2)]
    turned = [(turned_mesh(yaw, 0, 0), "mesh") for yaw in (-35, 30, 35)]
    found = fit_proportions(frontal + turned, CROP_PX)
    np.testing.assert_allclose(found, fit_proportions(frontal, CROP_PX), atol=0.05)
    assert fit_proportions(turned, CROP_PX)[0, 0] > found[0, 0] + 0.03


def test_place_and_size_in_the_frame_do_not_matter() -> None:
    mesh = stretched(turned_mesh(5, 3, 0), 1.2)
    moved = mesh * 2.5 + 40
    np.testing.assert_allclose(
        fit_proportions([(mesh, "mesh")], CROP_PX), fit_proportions([(moved, "mesh")], CROP_PX), atol=0.01
    )


def test_five_points_are_enough_and_no_face_changes_nothing() -> None:
    five = (canonical_landmarks("five") * 90 + 10).astype(np.float32)
    five[2:, 1] += 12  # a long face
    own = fit_proportions([(five, "five")], CROP_PX)
    eyes = transform(compose(own, align_face(five, "five", CROP_PX)), five[:2])
    np.testing.assert_allclose(eyes, EYES, atol=0.1)
    np.testing.assert_array_equal(fit_proportions([], CROP_PX), np.eye(2, 3))
