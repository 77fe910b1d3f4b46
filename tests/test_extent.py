"""The extent of a face, on charts that are drawn: skin in a light from the side, hair around it, a lit strand of it."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vision.chart import Chart
from vision.extent import find_extent

SIZE = 60
SKIN, HAIR = (75.0, 14.0, 18.0), (20.0, 4.0, 6.0)  # CIELAB


def draw_disk(center: tuple[int, int], radius: int) -> NDArray[np.bool_]:
    return np.asarray(cv2.circle(np.zeros((SIZE, SIZE), np.uint8), center, radius, 1, cv2.FILLED) > 0)


FACE = draw_disk((30, 30), 22)
NOTHING = np.zeros((SIZE, SIZE), bool)


def draw_chart(shade: float = 0.0, painted: NDArray[np.bool_] = NOTHING, but: NDArray[np.bool_] = NOTHING) -> Chart:
    """Skin on a disk, to the right as much darker as `shade` says, and bluer; `painted`: what is of its color as well,
    `but`: what is not.

    The surface ends six texels beside the disk.
    """
    across = np.linspace(-0.5, 0.5, SIZE)[None, :, None] * shade * np.array([-1.0, 0.0, -0.3])
    is_skin = (FACE | painted) & ~but
    lab = np.where(is_skin[..., None], np.array(SKIN) + across, HAIR).astype(np.float32)
    facing = np.where(draw_disk((30, 30), 28), 0.9, -1).astype(np.float16)
    return Chart(np.round(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255).astype(np.uint8), facing)


def measure_iou(charts: list[Chart]) -> float:
    found = find_extent(charts) > 0.5
    return float((found & FACE).sum() / (found | FACE).sum())


@pytest.mark.parametrize("shade", [0.0, 50.0, -50.0])
def test_a_cheek_in_shade_is_face(shade: float) -> None:
    assert measure_iou([draw_chart(shade)] * 8) > 0.97


def test_a_lit_strand_of_hair_is_none() -> None:
    strand = np.zeros((SIZE, SIZE), bool)
    strand[8:20, 14:18] = True
    found = find_extent([draw_chart(painted=strand)] * 8) > 0.5
    assert not (found & strand)[:11].any()  # it meets the face at row 13, where the corner between them is rounded
    assert found[FACE].mean() > 0.97


def test_a_brow_that_reaches_the_border_is_face() -> None:
    brow = np.zeros((SIZE, SIZE), bool)
    brow[28:30, :20] = True
    charts = [draw_chart(but=brow)] * 8
    assert (find_extent(charts) > 0.5)[brow & FACE].mean() > 0.9


def test_a_chart_whose_middle_is_not_seen_changes_nothing() -> None:
    charts = [draw_chart(20.0)] * 8
    facing = np.full((SIZE, SIZE), 0.1, np.float16)
    facing[:, :16] = 0.9
    turned = [charts[0]._replace(facing=facing)] * 9
    np.testing.assert_array_equal(find_extent([*charts, *turned]), find_extent(charts))


def test_the_face_does_not_soften_where_the_surface_ends() -> None:
    chart = draw_chart()
    small = chart._replace(facing=np.where(draw_disk((30, 30), 18), 0.9, -1).astype(np.float16))
    assert find_extent([small] * 8)[draw_disk((30, 30), 18)].min() > 0.9
