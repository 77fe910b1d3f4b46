"""Masks: drawn where the outline is, shrinking, soft, and never larger than they were."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.alignment import canonical_landmarks, transform
from vision.masks import draw_mask, face_outline, fill_ellipses, outline_ellipse, soften_mask, surround_regions
from vision.mesh_regions import REGIONS

CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 60)), np.sin(np.linspace(0, 2 * np.pi, 60))], 1)


def circle(radius: float) -> np.ndarray:
    return draw_mask((CIRCLE * radius + 50).astype(np.float32), (101, 101))


def test_a_drawn_circle_has_its_area_and_place() -> None:
    mask = circle(30)
    assert mask.sum() == pytest.approx(np.pi * 30**2, rel=0.02)
    y, x = np.average(np.indices(mask.shape).reshape(2, -1), axis=1, weights=mask.ravel())
    assert (x, y) == pytest.approx((50, 50), abs=0.2)
    assert mask[50, 50] == 1
    assert mask[0, 0] == 0


@settings(max_examples=20)
@given(st.floats(0, 10), st.floats(0, 15))
def test_softening_never_grows_a_mask(erosion: float, feather: float) -> None:
    mask = circle(30)
    assert (soften_mask(mask, erosion, feather) <= mask).all()


def test_more_erosion_leaves_less() -> None:
    areas = [soften_mask(circle(30), erosion, 4).sum() for erosion in (0, 3, 6, 12)]
    assert areas == sorted(areas, reverse=True)
    assert areas[2] == pytest.approx(np.pi * (30 - 6 - 2) ** 2, rel=0.06)


def test_one_mask_is_softened_the_same_each_time(rng: np.random.Generator) -> None:
    """Wherever it lies in memory, and however many threads OpenCV has."""
    y, x = np.mgrid[:262, :242]
    disk = (np.hypot((y - 131) / 110, (x - 121) / 90) < 1).astype(np.float32)
    found, n_threads = set(), cv2.getNumThreads()
    for n in range(300):
        _junk = np.empty(rng.integers(1, 200_000), np.uint8)
        cv2.setNumThreads(1 + n % 2)
        found.add(soften_mask(disk.copy(), 4.3, 8.7).tobytes())
    cv2.setNumThreads(n_threads)
    assert len(found) == 1


def test_the_edge_falls_smoothly_over_the_feather() -> None:
    profile = soften_mask(circle(40), 0, 16)[50, 50:]
    steps = -np.diff(profile)
    assert steps.max() < 0.15
    assert profile[0] == pytest.approx(1, abs=1e-3)
    assert (steps > -1e-6).all()


def test_the_outline_of_five_points_is_an_ellipse_around_them() -> None:
    five = (canonical_landmarks("five") * 200 + 20).astype(np.float32)
    to_crop = np.array([[1.28, 0, -26.1], [0, 1.28, -26.1]])  # 200 px at 20 -> 256 px
    outline = face_outline(five, "five", to_crop, 256)
    inside = draw_mask(outline, (240, 240))
    assert all(inside[round(y), round(x)] == 1 for x, y in five)
    unit = (transform(to_crop, outline) + 0.5) / 256
    assert unit.min() > 0.1
    assert unit.max() < 0.9


def test_regions_hold_eyes_brows_and_mouth_even_where_an_eye_is_closed() -> None:
    mesh = np.full((478, 2), 50, np.float32)
    middles = {"eyes": ((30, 40), (70, 40)), "brows": ((30, 20), (70, 20)), "mouth": ((50, 70),)}
    for name, rings in REGIONS.items():
        for ring, (x, y) in zip(rings, middles[name], strict=True):
            mesh[list(ring)] = [(x + 10 * np.cos(a), y) for a in np.linspace(0, np.pi, len(ring))]  # a line: closed
    regions = surround_regions(mesh, "mesh")
    assert regions.keys() == middles.keys()
    for name, ellipses in regions.items():
        filled = fill_ellipses(ellipses, (101, 101))
        drawn = np.max([draw_mask(outline_ellipse(one), (101, 101)) for one in ellipses], axis=0)
        assert np.abs(filled - drawn).mean() < 0.01
        for mask, (x, y) in ((mask, middle) for mask in (filled, drawn) for middle in middles[name]):
            assert mask[y, x - 11 : x + 12].min() > 0.9
            assert mask[y - 3 : y + 4, x].min() > 0.9
            assert mask[y + 8].max() == mask[y, x + 16] == 0
    assert surround_regions(mesh[:5], "five") == {}
