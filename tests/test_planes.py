"""Regions of planes to RGB and back: what lies outside keeps its bytes, what lies inside is what was pasted."""

import itertools

import numpy as np
import pytest

from vision.planes import (
    Array,
    Layout,
    Matrix,
    Planes,
    align_box,
    paste_rgb,
    planes_to_rgb,
    region_to_rgb,
    rgb_to_planes,
    to_444,
)

STEPS = [(1, 1), (2, 1), (2, 2), (1, 2), (4, 1)]
LAYOUTS = [
    Layout(*steps, bits, matrix, is_full)
    for steps, bits, matrix, is_full in itertools.product(STEPS, (8, 10), (Matrix.BT601, Matrix.BT709), (False, True))
]
SIZE = (37, 53)  # odd, so that the last chroma samples belong to fewer pixels


def _random_planes(layout: Layout, rng: np.random.Generator, size: tuple[int, int] = SIZE) -> Planes:
    height, width = size
    chroma = (-(-height // layout.step_y), -(-width // layout.step_x))
    luma, cb, cr = (
        rng.integers(0, layout.peak + 1, shape).astype(layout.dtype) for shape in ((height, width), chroma, chroma)
    )
    return luma, cb, cr


def _flat_rgb(color: tuple[int, int, int], size: tuple[int, int] = SIZE) -> Array:
    return np.full((*size, 3), color, np.uint8)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_paste_leaves_every_sample_outside_its_mask_bit_for_bit(layout: Layout, rng: np.random.Generator) -> None:
    planes = _random_planes(layout, rng)
    box = align_box((9.3, 7.8, 30.1, 22.2), layout, SIZE)
    mask = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
    mask[3:8, 5:11] = rng.random((5, 6))
    rgb = rng.integers(0, 256, (*mask.shape, 3)).astype(np.uint8)
    pasted = paste_rgb(planes, layout, box, rgb, mask)
    touched = np.zeros(SIZE, bool)
    touched[box[1] : box[3], box[0] : box[2]] = mask > 0
    assert np.array_equal(pasted[0][~touched], planes[0][~touched])
    blocks = np.argwhere(touched) // (layout.step_y, layout.step_x)
    chroma_touched = np.zeros(planes[1].shape, bool)
    chroma_touched[blocks[:, 0], blocks[:, 1]] = True
    for new, old in zip(pasted[1:], planes[1:], strict=True):
        assert np.array_equal(new[~chroma_touched], old[~chroma_touched])
    assert not np.array_equal(pasted[0], planes[0])


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("matrix", list(Matrix))
def test_rgb_survives_the_way_through_444_planes(
    matrix: Matrix, bits: int, is_full: bool, rng: np.random.Generator
) -> None:
    layout = Layout(1, 1, bits, matrix, is_full)
    rgb = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    error = np.abs(planes_to_rgb(rgb_to_planes(rgb, layout), layout).astype(int) - rgb)
    assert error.max() <= (2 if bits == 8 else 1)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_picture_without_detail_survives_any_layout(layout: Layout) -> None:
    for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (90, 140, 200)):
        rgb = _flat_rgb(color)
        assert np.abs(planes_to_rgb(rgb_to_planes(rgb, layout), layout).astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("layout", [x for x in LAYOUTS if x.bits == 8], ids=str)
def test_pasting_a_region_back_where_it_came_from_changes_next_to_nothing(
    layout: Layout, rng: np.random.Generator
) -> None:
    # Colors that exist in RGB: random samples would be clipped on the way.
    coarse = rng.integers(40, 216, (5, 7, 3)).astype(np.uint8)
    rgb = np.kron(coarse, np.ones((8, 8, 1), np.uint8))[: SIZE[0], : SIZE[1]]
    planes = rgb_to_planes(rgb, layout)
    box = align_box((4, 4, 40, 30), layout, SIZE)
    region = region_to_rgb(planes, layout, box)
    pasted = paste_rgb(planes, layout, box, region, np.ones(region.shape[:2], np.float32))
    assert max(np.abs(new.astype(int) - old).max() for new, old in zip(pasted, planes, strict=True)) <= 2


def test_a_pixel_has_the_same_color_in_every_box(rng: np.random.Generator) -> None:
    layout = Layout(2, 2, 8, Matrix.BT709, is_full_range=False)
    planes = _random_planes(layout, rng)
    whole = planes_to_rgb(planes, layout)
    for box in ((0, 0, 10, 10), (12, 6, 53, 37), (2, 34, 8, 37)):
        assert np.array_equal(region_to_rgb(planes, layout, box), whole[box[1] : box[3], box[0] : box[2]])


def test_half_a_mask_lies_half_way_between_the_old_and_the_new_samples() -> None:
    layout = Layout(2, 2, 8, Matrix.BT601, is_full_range=False)
    planes = rgb_to_planes(_flat_rgb((0, 0, 0), (16, 16)), layout)
    half = np.full((16, 16), 0.5, np.float32)
    pasted = paste_rgb(planes, layout, (0, 0, 16, 16), _flat_rgb((255, 255, 255), (16, 16)), half)
    assert np.isin(pasted[0], (125, 126)).all()  # between 16 and 235
    assert np.unique(pasted[1]).tolist() == [128]


def test_the_reference_colors_have_the_samples_of_the_standards() -> None:
    red = _flat_rgb((255, 0, 0), (2, 2))
    samples = {
        (Matrix.BT601, 8, False): (81, 90, 240),
        (Matrix.BT709, 8, False): (63, 102, 240),
        (Matrix.BT601, 8, True): (76, 85, 255),
        (Matrix.BT709, 10, False): (250, 409, 960),
    }
    for (matrix, bits, is_full), expected in samples.items():
        planes = rgb_to_planes(red, Layout(1, 1, bits, matrix, is_full))
        assert tuple(int(plane[0, 0]) for plane in planes) == expected


def test_the_matrices_give_different_colors(rng: np.random.Generator) -> None:
    layouts = [Layout(1, 1, 8, matrix, is_full_range=False) for matrix in (Matrix.BT601, Matrix.BT709)]
    planes = _random_planes(layouts[0], rng)
    first, second = (planes_to_rgb(planes, layout).astype(int) for layout in layouts)
    assert np.abs(first - second).mean() > 4


def test_boxes_are_rounded_out_to_the_chroma_grid_and_cut_at_the_picture() -> None:
    layout = Layout(4, 2, 8, Matrix.BT601, is_full_range=False)
    assert align_box((5, 3, 9.5, 4.1), layout, (100, 100)) == (4, 2, 12, 6)
    assert align_box((-7, -3, 200, 36.5), layout, (37, 53)) == (0, 0, 53, 37)
    assert align_box((60, 2, 80, 4), layout, (37, 53)) == (53, 2, 53, 4)


def test_a_box_beside_the_chroma_grid_is_refused(rng: np.random.Generator) -> None:
    layout = Layout(2, 2, 8, Matrix.BT601, is_full_range=False)
    planes = _random_planes(layout, rng)
    for box in ((1, 0, 4, 4), (0, 1, 4, 4), (0, 0, 5, 4), (0, 0, 4, 5)):
        with pytest.raises(ValueError, match="chroma grid"):
            region_to_rgb(planes, layout, box)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_repeating_chroma_to_444_changes_no_color(layout: Layout, rng: np.random.Generator) -> None:
    planes = _random_planes(layout, rng)
    repeated, full = to_444(planes, layout)
    assert all(plane.shape == SIZE for plane in repeated)
    assert np.array_equal(planes_to_rgb(repeated, full), planes_to_rgb(planes, layout))


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_region_converted_in_stripes_is_the_same(
    layout: Layout, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    planes = _random_planes(layout, rng)
    whole = planes_to_rgb(planes, layout)
    box = align_box((9.3, 7.8, 53, 37), layout, SIZE)
    monkeypatch.setattr("vision.planes._STRIPE_PX", 100)
    assert np.array_equal(planes_to_rgb(planes, layout), whole)
    assert np.array_equal(region_to_rgb(planes, layout, box), whole[box[1] : box[3], box[0] : box[2]])
