"""Light on faces: measured without its surroundings, followed from frame to frame, with features left as they are."""

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.batches import FaceSample
from models.lights import compare_lights
from vision.expression import EXPRESSION, Expressions
from vision.light import LIGHT_PX, follow_light, measure_light, take_skin_out
from vision.packed import FACE

SIDE = 128
SKIN = np.array([190.0, 140.0, 110.0])


def _mask() -> NDArray[np.float32]:
    mask = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(mask, (64, 66), (40, 52), 0, 0, 360, 1, cv2.FILLED)
    return mask


def _face(lit: NDArray[np.float64] | float = 1.0, around: int = 90) -> NDArray[np.uint8]:
    """Skin with dark eyes and a mouth under a light (a factor for each pixel) before something even."""
    picture = np.full((SIDE, SIDE, 3), SKIN)
    for place, axes in (((48, 52), (8, 4)), ((80, 52), (8, 4)), ((64, 92), (14, 5))):
        cv2.ellipse(picture, place, axes, 0, 0, 360, (60, 30, 30), cv2.FILLED)
    factor = np.broadcast_to(np.asarray(lit)[..., None] if np.ndim(lit) else lit, picture.shape)
    mask = _mask()[..., None] > 0
    return np.where(mask, np.clip(picture * factor, 0, 255), around).round().astype(np.uint8)


def _side_light() -> NDArray[np.float64]:
    return np.broadcast_to(np.linspace(0.5, 1.3, SIDE), (SIDE, SIDE))


def _off(found: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> float:
    inside = cv2.erode(_mask(), np.ones((9, 9))) > 0
    return float(np.abs(found.astype(float) - wanted)[inside].mean())


@pytest.mark.parametrize("lit", [0.6, 1.25])
def test_a_face_follows_a_brighter_or_darker_light(lit: float) -> None:
    own, wanted = (measure_light(picture, _mask()) for picture in (_face(), _face(lit)))
    assert own is not None
    assert wanted is not None
    assert _off(follow_light(_face(), own, wanted), _face(lit)) < 2


def test_it_follows_a_light_from_the_side_and_keeps_its_features() -> None:
    lit = _face(_side_light())
    own, wanted = (measure_light(picture, _mask()) for picture in (_face(), lit))
    assert own is not None
    assert wanted is not None
    found = follow_light(_face(), own, wanted)
    assert _off(_face(), lit) > 15
    assert _off(found, lit) < 6
    assert found[52, 48].max() < 80, "an eye stays dark"


def test_another_s_light_is_followed_and_the_skins_difference_kept() -> None:
    """The other's skin is darker and has no mouth; its light moves from one side to the other."""
    other = [np.where(_mask()[..., None] > 0, _face(lit) * 0.5, 90).astype(np.uint8) for lit in (1.0, _side_light())]
    lights = [measure_light(picture, _mask()) for picture in (*other, _face())]
    before, after, own = (light for light in lights if light is not None)
    found = follow_light(_face(), own, after + (own - before))
    assert _off(found, _face(_side_light())) < 6


def test_without_the_skin_s_color_only_places_differ() -> None:
    """The swap has a beard and another skin; without its skin's color the beard stays and the skin is the other's."""
    bearded = _face()
    bearded[100:, :] = bearded[100:, :] // 2
    own_skin = (bearded * np.array([0.8, 0.9, 1.0])).astype(np.uint8)
    shown, own = (measure_light(picture, _mask()) for picture in (_face(), own_skin))
    assert shown is not None
    assert own is not None
    left = take_skin_out(own - shown, _mask())
    found = follow_light(own_skin, own, shown + left)
    inside = _mask() > 0
    np.testing.assert_allclose(found[inside].mean(0), _face()[inside].mean(0), atol=6)
    assert left[28, 16].mean() < left[10, 16].mean() - 0.15, "the beard is darker than the rest"
    assert np.ptp(left[10, 16]) < 0.03, "the skin's color is gone"


def test_what_lies_around_a_face_is_no_light_on_it() -> None:
    dark, light = (measure_light(_face(around=around), _mask()) for around in (0, 255))
    assert dark is not None
    assert light is not None
    np.testing.assert_allclose(dark, light, atol=0.02)


def test_hardly_any_face_has_no_light() -> None:
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[:8, :8] = 1
    assert measure_light(_face(), mask) is None


def test_no_light_is_followed_without_bounds() -> None:
    black, white = (np.full((LIGHT_PX, LIGHT_PX, 3), np.log(level + 4.0), np.float32) for level in (0, 255))
    found = follow_light(np.full((SIDE, SIDE, 3), 40, np.uint8), black, white)
    assert found.max() == 3 * 44 - 4


class _Darker:
    """A model whose swaps have half the target's levels, and twice the source's."""

    def swap(self, faces: Tensor, expressions: Expressions, role: str, exchange_ratio: float) -> Tensor:
        assert len(faces) == len(expressions)
        assert 0 <= exchange_ratio <= 1
        return (faces * (0.5 if role == "source" else 2)).clamp(max=1)


def test_how_swaps_differ_is_measured_on_the_other_s_faces() -> None:
    stored = np.zeros((3, 160, 160, 4), np.uint8)
    stored[..., :3] = 100
    stored[:, 40:120, 40:120, 3] = FACE
    unknown = np.full((3, len(EXPRESSION)), np.nan, np.float32)
    shown = {"source": FaceSample(stored, unknown), "target": FaceSample(stored, unknown)}
    lights = compare_lights(_Darker(), SIDE, shown)  # type: ignore[arg-type]
    np.testing.assert_allclose(lights["source"], np.log(54 / 104), atol=0.02)
    np.testing.assert_allclose(lights["target"], np.log(204 / 104), atol=0.02)
    assert torch.is_inference_mode_enabled() is False
