"""What a face does: gaze and brows as the head holds them, however it is turned, and no gaze of shut eyes."""

import numpy as np

from vision.alignment import Points
from vision.crops import Picture
from vision.mesh_regions import LEFT_EYE, LEFT_IRIS, REGIONS, RIGHT_EYE, RIGHT_IRIS, brow_height, gaze
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


def test_gaze_and_brows_are_the_same_of_a_turned_and_nearer_head(rng: np.random.Generator) -> None:
    mesh = draw_mesh(rng)
    turned = turn_mesh(mesh, rng)
    np.testing.assert_allclose([gaze(mesh), gaze(turned)], 0.3, atol=1e-4)
    np.testing.assert_allclose(brow_height(turned), brow_height(mesh), rtol=1e-4)
    for brow, x in zip(REGIONS["brows"], (-25, 25), strict=True):
        mesh[list(brow)] = (x, -14, 0)
    np.testing.assert_allclose(brow_height(mesh), 14 / 70, rtol=1e-6)


def test_shut_eyes_have_no_gaze_and_where_no_face_is_nothing_is_known(rng: np.random.Generator) -> None:
    seen, shut = (measure_movement(PICTURE, FACE, OneMesh(draw_mesh(rng, gap))) for gap in (0.3, 0.05))
    np.testing.assert_allclose((seen.eye, seen.gaze), (0.3, 0.3), atol=1e-5)
    np.testing.assert_allclose(shut.eye, 0.05, atol=1e-5)
    assert np.isnan(shut.gaze)
    nothing = measure_movement(PICTURE, FACE, OneMesh(None))
    assert np.isnan([nothing.mouth, nothing.eye, nothing.gaze, nothing.brow]).all()
