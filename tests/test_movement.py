"""What a face does: gaze and brows as the head holds them, however it is turned, and no gaze of shut eyes."""

import numpy as np
import pytest

from tests.turned_mesh import turned_mesh
from vision.alignment import Points
from vision.crops import Picture
from vision.mesh_regions import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS, brow_height, gaze, mouth_lift, straighten
from vision.movement import measure_movement
from vision.take_faces import TakeFace

FACE = TakeFace(np.eye(2, 3), np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 0.0, 0.0, 0.0, {})
PICTURE: Picture = np.zeros((4, 4, 3), np.uint8)


class OneMesh:
    """Finds the same mesh in every picture."""

    def __init__(self, mesh: Points | None) -> None:
        self._mesh = mesh

    def fit(self, picture: Picture, box: Points, five: Points | None = None) -> Points | None:
        del picture, box, five
        return self._mesh


def draw_mesh(rng: np.random.Generator, gap: float = 0.3) -> Points:
    """Eyes of width 20, open as far as `gap` says, whose irises lie 0.3 of that to the right; the rest anywhere."""
    mesh = rng.normal(0, 20, (478, 3)).astype(np.float32)
    for (outer, inner, upper, lower), iris, side in ((LEFT_EYE, LEFT_IRIS, -1), (RIGHT_EYE, RIGHT_IRIS, 1)):
        x = 25 * side
        mesh[outer], mesh[inner] = (x + 10 * side, 0, 0), (x - 10 * side, 0, 0)
        mesh[iris] = (x + 0.3 * 20, 2, 0)
        mesh[list(upper)], mesh[list(lower)] = (x, 0, 0), (x, 20 * gap, 0)
    return mesh


def turn_mesh(mesh: Points, rng: np.random.Generator) -> Points:
    turn = np.linalg.qr(rng.normal(0, 1, (3, 3)))[0].astype(np.float32)
    return np.asarray(3 * mesh @ turn + 7, np.float32)


def test_gaze_is_the_same_of_a_turned_and_nearer_head(rng: np.random.Generator) -> None:
    mesh = draw_mesh(rng)
    turned = turn_mesh(mesh, rng)
    np.testing.assert_allclose([gaze(mesh), gaze(turned)], 0.3, atol=1e-4)


@pytest.mark.parametrize(("cm_px", "yaw", "pitch", "roll"), [(12.0, 0, 0, 0), (20.0, 30, -10, 15), (7.0, -35, 12, -80)])
def test_brows_and_the_mouth_s_corners_rise_by_centimetres_however_the_head_is_turned(
    cm_px: float, yaw: float, pitch: float, roll: float
) -> None:
    def measure(brows_up: float, corners_up: float) -> tuple[float, float]:
        brows = {point: (x, 4.4 + brows_up, 5.0) for point, x in ((55, -1.5), (107, -1.7), (285, 1.5), (336, 1.7))}
        corners = {point: (x, -4.3 + corners_up, 4.3) for point, x in ((61, -2.5), (291, 2.5))}
        lips = dict.fromkeys((82, 13, 312), (0.0, -4.0, 5.5)) | dict.fromkeys((87, 14, 317), (0.0, -4.4, 5.5))
        straight = straighten(turned_mesh(yaw, pitch, roll, cm_px, brows | corners | lips))
        return brow_height(straight), mouth_lift(straight)

    bridge = (3.271 + 2.473) / 2
    np.testing.assert_allclose(measure(0, 0), (4.4 - bridge, -0.2), atol=0.01)
    np.testing.assert_allclose(measure(0.5, 0), (4.9 - bridge, -0.2), atol=0.01)
    np.testing.assert_allclose(measure(0, 0.3), (4.4 - bridge, 0.1), atol=0.01)


def test_shut_eyes_have_no_gaze_and_where_no_face_is_nothing_is_known(rng: np.random.Generator) -> None:
    seen, shut = (measure_movement(PICTURE, FACE, OneMesh(draw_mesh(rng, gap))) for gap in (0.3, 0.05))
    np.testing.assert_allclose((seen.eye, seen.gaze), (0.3, 0.3), atol=1e-5)
    np.testing.assert_allclose(shut.eye, 0.05, atol=1e-5)
    assert np.isnan(shut.gaze)
    nothing = measure_movement(PICTURE, FACE, OneMesh(None))
    assert np.isnan([nothing.mouth, nothing.eye, nothing.gaze, nothing.brow]).all()
