"""An outline goes to where the picture shows the face's border, and stays where it shows none."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vision.alignment import Points
from vision.crops import crop_picture
from vision.outline_fit import fit_outline

SKIN, WALL, HAIR = (214, 170, 150), (70, 90, 120), (60, 45, 35)
MIDDLE, AXES = np.array([160.0, 120.0]), np.array([60.0, 80.0])


def _ellipse(axes: NDArray[np.float64]) -> Points:
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    points: Points = (MIDDLE + axes * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)
    return points


def _paint_face() -> NDArray[np.uint8]:
    picture = np.full((240, 320, 3), WALL, np.uint8)
    cv2.fillPoly(picture, [np.round(_ellipse(AXES)).astype(np.int32)], SKIN)
    cv2.ellipse(picture, (160, 40), (60, 22), 0, 0, 360, HAIR, cv2.FILLED)
    return picture


def _fit(picture: NDArray[np.uint8], outline: Points) -> Points:
    """Fitted in a crop around the outline, a little turned and shrunk."""
    middle, extent = (outline.mean(axis=0), np.ptp(outline, axis=0).max()) if len(outline) else (MIDDLE, 100)
    side = round(1.6 * extent) + 8
    to_crop = cv2.getRotationMatrix2D(middle.tolist(), 4, 0.9)
    to_crop[:, 2] += side / 2 - middle
    smooth = cv2.GaussianBlur(picture, (0, 0), 0.8)
    return fit_outline(crop_picture(smooth, to_crop, side), to_crop, outline)


def _distance(outline: Points, axes: NDArray[np.float64] = AXES) -> NDArray[np.float64]:
    """About how far the points are from the ellipse, in pixels."""
    distance: NDArray[np.float64] = np.abs(np.linalg.norm((outline - MIDDLE) / axes, axis=1) - 1) * axes.min()
    return distance


@pytest.mark.parametrize("scale", [0.93, 1.07])
def test_an_outline_too_small_or_too_large_goes_to_the_border(scale: float) -> None:
    given = _ellipse(AXES * scale)
    fitted = _fit(_paint_face(), given)
    below = fitted[fitted[:, 1] > 80]  # where no hair hangs in
    assert _distance(given).mean() > 4
    assert _distance(below).mean() < 0.8
    assert _distance(below).max() < 2.5


def test_where_no_border_shows_the_outline_stays() -> None:
    given = _ellipse(AXES)
    fitted = _fit(np.full((240, 320, 3), SKIN, np.uint8), given)
    assert _distance(fitted).max() < 0.2


def test_a_hand_in_front_does_not_draw_the_outline_along() -> None:
    picture = _paint_face()
    cv2.rectangle(picture, (190, 130), (319, 160), SKIN, cv2.FILLED)
    fitted = _fit(picture, _ellipse(AXES * 0.95))
    at_hand = (fitted[:, 0] > 160) & (fitted[:, 1] > 110) & (fitted[:, 1] < 180)
    away = (fitted[:, 1] > 80) & ~at_hand
    assert _distance(fitted[away]).max() < 1.5
    assert _distance(fitted[at_hand]).max() < 4


def test_what_lies_far_off_changes_nothing() -> None:
    picture = _paint_face()
    wide = np.full((240, 460, 3), (10, 200, 30), np.uint8)
    wide[:, 40:360] = picture
    given = _ellipse(AXES * 0.97)
    moved = _fit(wide, given + np.array([40, 0], np.float32)) - np.array([40, 0], np.float32)
    np.testing.assert_allclose(moved, _fit(picture, given), atol=0.02)


def test_a_large_face_is_fitted_as_a_small_one_is() -> None:
    large = cv2.resize(_paint_face(), None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    given = _ellipse(AXES * 0.95)
    fitted = (_fit(large, (given + 0.5) * 6 - 0.5) + 0.5) / 6 - 0.5
    below = fitted[fitted[:, 1] > 80].astype(np.float32)
    assert _distance(below).mean() < 0.8


def test_beyond_the_picture_s_edge_the_outline_stays_and_inside_it_goes_to_the_border() -> None:
    given = _ellipse(AXES * 0.95)
    fitted = _fit(_paint_face()[:, :190], given)
    inside = (fitted[:, 0] < 180) & (fitted[:, 1] > 80)
    assert _distance(fitted[inside]).mean() < 0.8
    assert _distance(fitted[fitted[:, 0] > 200], AXES * 0.95).max() < 2


@pytest.mark.parametrize("axes", [(0.3, 0.3), (3.0, 3.0), (9.0, 9.0), (0.6, 60.0), (0.0, 40.0), (0.0, 0.0)])
def test_an_outline_too_small_to_tell_is_left_alone(axes: tuple[float, float]) -> None:
    given = _ellipse(np.array(axes))
    np.testing.assert_array_equal(_fit(_paint_face(), given), given)


def test_no_outline_stays_none() -> None:
    assert _fit(_paint_face(), np.empty((0, 2), np.float32)).shape == (0, 2)
