"""Alignment: geometry with a known answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.turned_mesh import turned_mesh
from vision.alignment import (
    CROP_CM,
    align_face,
    canonical_landmarks,
    compose,
    estimate_pose,
    invert,
    scale_of,
    transform,
    view_matrix,
)
from vision.mesh_regions import STABLE_POINTS
from vision.similarity import estimate_similarity

angles = st.floats(-3, 3)
scales = st.floats(0.05, 20)
shifts = st.floats(-500, 500)


def similarity(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


@given(angles, scales, shifts, shifts)
def test_umeyama_recovers_a_known_similarity(angle: float, scale: float, x: float, y: float) -> None:
    points = np.array([[0.0, 0], [10, 2], [4, 9], [-3, 5]])
    known = similarity(angle, scale, x, y)
    found = estimate_similarity(points, points @ known[:, :2].T + known[:, 2])
    np.testing.assert_allclose(found, known, atol=1e-6 * max(1, scale))


def test_umeyama_never_mirrors() -> None:
    points = np.array([[0.0, 0], [10, 0], [10, 5], [0, 7]])
    found = estimate_similarity(points, points * (-1, 1))
    assert np.linalg.det(found[:, :2]) > 0


@given(angles, scales, shifts, shifts)
def test_a_matrix_and_its_inverse_cancel(angle: float, scale: float, x: float, y: float) -> None:
    known = similarity(angle, scale, x, y)
    both = compose(invert(known), known)
    np.testing.assert_allclose(both, [[1, 0, 0], [0, 1, 0]], atol=1e-7)
    assert scale_of(known) == pytest.approx(scale)


@pytest.mark.parametrize("kind", ["mesh", "five"])
def test_aligned_points_fall_on_the_canonical_ones(kind: str) -> None:
    unit = canonical_landmarks(kind)
    if kind == "mesh":
        landmarks = np.zeros((478, 2), np.float32)
        landmarks[list(STABLE_POINTS)] = unit * 77 + 31
    else:
        landmarks = (unit * 77 + 31).astype(np.float32)
    chosen = landmarks[list(STABLE_POINTS)] if kind == "mesh" else landmarks
    aligned = transform(align_face(landmarks, kind, 256), chosen)
    np.testing.assert_allclose(aligned, unit * 256 - 0.5, atol=0.01)


def test_mesh_and_five_agree_on_where_a_frontal_face_lies() -> None:
    mesh = turned_mesh(0, 0, 0)
    five = (canonical_landmarks("five") - canonical_landmarks("mesh").mean(0)) * CROP_CM * 12
    five += mesh[list(STABLE_POINTS), :2].mean(0)
    np.testing.assert_allclose(
        align_face(mesh, "mesh", 256), align_face(five.astype(np.float32), "five", 256), atol=0.05
    )


@pytest.mark.parametrize("width", [0.9, 1.1])
def test_a_head_that_turns_keeps_its_size_however_wide_it_is_and_its_eyes_their_place(width: float) -> None:
    eyes = canonical_landmarks("mesh")[[list(STABLE_POINTS).index(point) for point in (33, 133, 362, 263)]].mean(0)
    for yaw in (-40, -20, 20, 40):
        mesh = turned_mesh(yaw, 0, 0)
        mesh[:, 0] = (mesh[:, 0] - 300) * width + 300
        matrix = align_face(mesh, "mesh", 256)
        assert scale_of(matrix) == pytest.approx(scale_of(align_face(turned_mesh(0, 0, 0), "mesh", 256)), rel=0.01)
        found = transform(matrix, mesh[[33, 133, 362, 263], :2]).mean(axis=0)
        np.testing.assert_allclose(found, eyes * 256 - 0.5, atol=0.05)


@pytest.mark.parametrize("yaw", [0, 35, -60])
def test_a_head_that_nods_keeps_its_size(yaw: float) -> None:
    frontal = scale_of(align_face(turned_mesh(0, 0, 0), "mesh", 256))
    for pitch in (-60, -30, -12, 12, 30, 60):
        assert scale_of(align_face(turned_mesh(yaw, pitch, 20), "mesh", 256)) == pytest.approx(frontal, rel=1e-3)


@pytest.mark.parametrize(("yaw", "pitch"), [(-35, 30), (60, 20), (60, -20), (75, 20), (-75, -20)])
def test_a_head_that_turns_and_nods_does_not_roll(yaw: float, pitch: float) -> None:
    assert estimate_pose(turned_mesh(yaw, pitch, 0), "mesh")[2] == pytest.approx(0, abs=2.8)


@pytest.mark.parametrize("yaw", [-92, 70, 85, 88, 90, 92, 120])
def test_a_profile_whose_points_are_not_exact_has_its_size_and_roll(yaw: float, rng: np.random.Generator) -> None:
    frontal = scale_of(align_face(turned_mesh(0, 0, 0), "mesh", 256))
    for _ in range(20):
        mesh = turned_mesh(yaw, 0, 10)
        mesh += rng.normal(0, 1, mesh.shape).astype(np.float32)  # of 90 pixels between the eyes
        assert scale_of(align_face(mesh, "mesh", 256)) == pytest.approx(frontal, rel=0.04)
        assert estimate_pose(mesh, "mesh")[2] == pytest.approx(10, abs=3)


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (30, 0, 0), (-35, 0, 0), (0, 15, 0), (0, 0, 20)])
def test_pose_is_found_in_the_picture_s_directions(yaw: float, pitch: float, roll: float) -> None:
    found = estimate_pose(turned_mesh(yaw, pitch, roll), "mesh")
    np.testing.assert_allclose(found, (yaw, pitch, roll), atol=0.5)


def test_a_face_that_turns_right_has_its_nose_to_the_right() -> None:
    mesh = turned_mesh(30, 0, 0)
    assert mesh[4, 0] > mesh[[33, 263], 0].mean() + 20
    assert estimate_pose(mesh, "mesh")[0] > 25


def test_the_view_is_the_middle_of_the_crop() -> None:
    matrix = view_matrix(256, 0.75, 96)
    middle, corner = transform(matrix, np.array([[127.5, 127.5], [31.5, 31.5]]))
    np.testing.assert_allclose(middle, [47.5, 47.5], atol=1e-5)
    np.testing.assert_allclose(corner, [-0.5, -0.5], atol=1e-5)
