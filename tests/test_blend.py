"""Putting a face into a picture: inside the outline it is there, outside nothing moved."""

import cv2
import numpy as np
import pytest

from vision.alignment import compose, invert, transform, view_matrix
from vision.blend import Blending, Face, match_detail, paste_face, transfer_color
from vision.crops import crop_picture
from vision.planes import Layout, Matrix, planes_to_rgb, rgb_to_planes

LAYOUT = Layout(2, 2, 8, Matrix.BT709, is_full_range=False)
TO_VIEW = compose(view_matrix(128, 0.75, 96), np.array([[1.1, 0.2, -30], [-0.2, 1.1, 10]]))
ANGLES = np.linspace(0, 2 * np.pi, 40)


def smooth_picture() -> np.ndarray:
    y, x = np.mgrid[0:160, 0:200]
    return np.dstack([x, y, 255 - x]).astype(np.uint8)


def outline(radius: float = 30, center: tuple[float, float] = (47.5, 47.5)) -> np.ndarray:
    """A circle in the view, as points of the frame."""
    circle = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1) * radius + center
    return transform(invert(TO_VIEW), circle)


def test_a_face_cut_out_and_pasted_back_leaves_the_picture_as_it_was() -> None:
    picture = smooth_picture()
    planes = rgb_to_planes(picture, LAYOUT)
    face = Face(crop_picture(planes_to_rgb(planes, LAYOUT), TO_VIEW, 96), TO_VIEW, outline())
    pasted = paste_face(planes, LAYOUT, face, Blending(2, 4, has_color_transfer=False, detail=0))
    for old, new in zip(planes, pasted, strict=True):
        assert np.abs(old.astype(int) - new).max() <= 3


def test_outside_the_outline_every_sample_keeps_its_value_and_inside_is_the_face() -> None:
    planes = rgb_to_planes(smooth_picture(), LAYOUT)
    green = np.full((96, 96, 3), (20, 200, 30), np.uint8)
    face = Face(green, TO_VIEW, outline())
    pasted = paste_face(planes, LAYOUT, face, Blending(0, 6, has_color_transfer=False, detail=0))
    y, x = np.mgrid[0:160, 0:200]
    center = face.outline.mean(0)
    radius = np.linalg.norm(face.outline - center, axis=1).max()
    is_far = np.hypot(x - center[0], y - center[1]) > radius + 1
    assert (planes[0] != pasted[0]).any()
    assert np.array_equal(planes[0][is_far], pasted[0][is_far])
    far_chroma = is_far.reshape(80, 2, 100, 2).all((1, 3))
    assert np.array_equal(planes[1][far_chroma], pasted[1][far_chroma])
    middle = planes_to_rgb(pasted, LAYOUT)[round(center[1]), round(center[0])]
    assert np.abs(middle.astype(int) - (20, 200, 30)).max() <= 3


def test_what_covers_the_face_stays_in_front_of_it() -> None:
    planes = rgb_to_planes(smooth_picture(), LAYOUT)
    middle = outline().mean(0)
    cover = middle + np.array([[0, -12], [14, -12], [14, 12], [0, 12]], np.float32)
    face = Face(np.full((96, 96, 3), (20, 200, 30), np.uint8), TO_VIEW, outline(), (cover,))
    pasted = paste_face(planes, LAYOUT, face, Blending(0, 3, has_color_transfer=False, detail=0))
    x, y = middle.round().astype(int)
    assert np.array_equal(planes[0][y - 10 : y + 11, x + 2 : x + 13], pasted[0][y - 10 : y + 11, x + 2 : x + 13])
    assert np.abs(planes_to_rgb(pasted, LAYOUT)[y, x - 8].astype(int) - (20, 200, 30)).max() <= 3


def change_of(face: Face, erosion: float) -> np.ndarray:
    """Where a green face changes the picture: (160, 200)."""
    planes = rgb_to_planes(smooth_picture(), LAYOUT)
    pasted = paste_face(planes, LAYOUT, face, Blending(erosion, 0, has_color_transfer=False, detail=0))
    return np.not_equal(pasted[0], planes[0])


def test_a_shrink_below_zero_lets_the_outline_grow_but_not_where_something_covers_the_rim() -> None:
    middle, points = outline().mean(0), outline(20)
    radius = np.linalg.norm(points - middle, axis=1).mean()
    cover = middle + np.array([[radius - 9, -12], [radius, -12], [radius, 12], [radius - 9, 12]], np.float32)
    face = Face(np.full((96, 96, 3), (20, 200, 30), np.uint8), TO_VIEW, points, (cover,))
    plain, grown = change_of(face, 0), change_of(face, -5)
    y, x = np.mgrid[0:160, 0:200]
    distance = np.hypot(x - middle[0], y - middle[1])
    assert grown[(distance < radius + 4) & (x < middle[0] + radius - 11)].mean() > 0.99
    assert not grown[distance > radius + 6.5].any()
    assert not plain[distance > radius + 1.5].any()
    assert not grown[(x > middle[0] + radius - 8) & (np.abs(y - middle[1]) < 6)].any()


def test_where_the_outline_grows_the_picture_s_own_mask_does_too() -> None:
    y, x = np.mgrid[0:96, 0:96]
    disk = np.where(np.hypot(x - 47.5, y - 47.5) < 20, 255, 0).astype(np.uint8)
    face = Face(np.full((96, 96, 3), (20, 200, 30), np.uint8), TO_VIEW, outline(30), own_mask=disk)
    reach = [np.ptp(np.nonzero(change_of(face, erosion))[1]) / 2 for erosion in (0, -5)]
    assert reach[1] - reach[0] == pytest.approx(5, abs=1)


def test_a_face_half_outside_the_picture_is_pasted_where_there_is_room() -> None:
    planes = rgb_to_planes(smooth_picture(), LAYOUT)
    at_border = Face(np.zeros((96, 96, 3), np.uint8), TO_VIEW, outline() - np.array([50, 60], np.float32))
    assert (
        paste_face(planes, LAYOUT, at_border, Blending(0, 4, has_color_transfer=False, detail=0))[0] != planes[0]
    ).any()
    beyond = Face(np.zeros((96, 96, 3), np.uint8), TO_VIEW, outline() - np.array([900, 0], np.float32))
    assert np.array_equal(
        paste_face(planes, LAYOUT, beyond, Blending(0, 4, has_color_transfer=False, detail=0))[0], planes[0]
    )


def test_nothing_is_pasted_where_the_view_has_no_picture() -> None:
    planes = rgb_to_planes(smooth_picture(), LAYOUT)
    wide = Face(np.zeros((96, 96, 3), np.uint8), TO_VIEW, outline(radius=80))
    pasted = paste_face(planes, LAYOUT, wide, Blending(0, 0, has_color_transfer=False, detail=0))
    y, x = np.nonzero(pasted[0] != planes[0])
    view = transform(TO_VIEW, np.stack([x, y], 1))
    assert view.min() > -1
    assert view.max() < 96


def test_color_transfer_gives_mean_and_deviation_of_the_reference(rng: np.random.Generator) -> None:
    picture = rng.normal((90, 120, 160), 12, (40, 40, 3)).clip(0, 255).astype(np.uint8)
    reference = rng.normal((150, 110, 90), 15, (40, 40, 3)).clip(0, 255).astype(np.uint8)
    mask = np.ones((40, 40), np.float32)
    moved, wanted = (
        cv2.cvtColor(p.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        for p in (transfer_color(picture, reference, mask), reference)
    )
    assert moved.mean((0, 1)) == pytest.approx(wanted.mean((0, 1)), abs=0.5)
    assert moved.std((0, 1)) == pytest.approx(wanted.std((0, 1)), rel=0.1)


def test_color_transfer_looks_inside_the_mask_alone(rng: np.random.Generator) -> None:
    picture = rng.integers(60, 200, (40, 40, 3), np.uint8)
    reference = picture.copy()
    reference[:, 20:] = 255
    mask = np.zeros((40, 40), np.float32)
    mask[:, :20] = 1
    assert np.abs(transfer_color(picture, reference, mask)[:, :20].astype(int) - picture[:, :20]).max() <= 1


def test_detail_is_raised_to_the_reference_s_amount_and_never_lowered(rng: np.random.Generator) -> None:
    reference = rng.normal(128, 12, (60, 60, 3)).clip(0, 255).astype(np.uint8)
    soft = ((reference.astype(float) - 128) * 0.5 + 128).astype(np.uint8)
    mask = np.ones((60, 60), np.float32)
    assert match_detail(soft, reference, mask, 1.0, 0.0) is soft
    spreads = [match_detail(soft, reference, mask, 1.0, strength).std() for strength in (0.5, 1.0)]
    assert soft.std() < spreads[0] < spreads[1]
    assert spreads[1] == pytest.approx(reference.std(), rel=0.1)
    assert match_detail(reference, soft, mask, 1.0, 1.0).std() == pytest.approx(reference.std(), rel=0.01)


def test_only_what_the_picture_itself_takes_for_a_face_is_pasted() -> None:
    planes = rgb_to_planes(smooth_picture(), LAYOUT)
    green = np.full((96, 96, 3), (20, 200, 30), np.uint8)
    left_half = np.zeros((96, 96), np.uint8)
    left_half[:, :48] = 255
    blending = Blending(0, 0.5, has_color_transfer=False, detail=0)
    pasted = paste_face(planes, LAYOUT, Face(green, TO_VIEW, outline(), own_mask=left_half), blending)
    spots = np.array([[35.0, 47.5], [49.0, 47.5], [54.0, 47.5]])
    left, beyond, right = transform(invert(TO_VIEW), spots).round().astype(int)
    rgb, before = planes_to_rgb(pasted, LAYOUT), planes_to_rgb(planes, LAYOUT)
    for spot in (left, beyond):
        assert np.abs(rgb[spot[1], spot[0]].astype(int) - (20, 200, 30)).max() <= 3
    assert np.array_equal(rgb[right[1], right[0]], before[right[1], right[0]])
    nothing = Face(green, TO_VIEW, outline(), own_mask=np.zeros((96, 96), np.uint8))
    kept = paste_face(planes, LAYOUT, nothing, blending)
    assert all(np.array_equal(old, new) for old, new in zip(planes, kept, strict=True))
