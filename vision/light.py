"""The light on a face: its color, place by place, so coarsely that light and shade show in it and features hardly.

Beside the light on another person's face in the same picture, what differs stays about the same from frame to frame: it
is their skins'. The rest is what a swap gets wrong.
"""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.crops import Picture

LIGHT_PX = 32
_SPREAD = 0.16  # deviation of the Gaussian over which color is averaged, share of the side
_FLOOR = 4.0  # grey levels that are added before logarithms are taken: what is black says little
_REST = 0.05  # weight of the whole face's mean color everywhere, beside the share of the picture that is a face
_MOST = float(np.log(3))  # by which a light is followed at most
_LEAST_FACE = 0.01  # share of a picture that must be a face

Light: TypeAlias = NDArray[np.float32]  # (LIGHT_PX, LIGHT_PX, 3): logarithms of grey levels


def measure_light(picture: Picture, mask: NDArray[np.float32]) -> Light | None:
    """The light on a face in RGB uint8 (S, S, 3), where the mask (S, S), in [0, 1], shows it; None: hardly anywhere."""
    size = (LIGHT_PX, LIGHT_PX)
    weights = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    share = float(weights.mean())
    if share < _LEAST_FACE:
        return None
    weighted = cv2.resize(picture.astype(np.float32) * mask[..., None], size, interpolation=cv2.INTER_AREA)
    mean = weighted.sum(axis=(0, 1)) / weights.sum()
    near, total = (
        cv2.GaussianBlur(part, (0, 0), _SPREAD * LIGHT_PX, borderType=cv2.BORDER_CONSTANT)
        for part in (weights, weighted)
    )
    rest = _REST * share
    return np.asarray(np.log((total + rest * mean) / (near + rest)[..., None] + _FLOOR), np.float32)


def take_skin_out(difference: Light, mask: NDArray[np.float32]) -> Light:
    """A difference of two people's lights without its mean over a face, where the mask (S, S), in [0, 1], shows it."""
    weights = cv2.resize(mask, (LIGHT_PX, LIGHT_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(difference - np.average(difference.reshape(-1, 3), axis=0, weights=weights.ravel()), np.float32)


def follow_light(picture: Picture, own: Light, wanted: Light) -> Picture:
    """A face, RGB uint8 (S, S, 3), brought from its own light to a wanted one."""
    side = len(picture)
    change = cv2.resize((wanted - own).clip(-_MOST, _MOST), (side, side), interpolation=cv2.INTER_LINEAR)
    lit = (picture.astype(np.float32) + _FLOOR) * np.exp(change) - _FLOOR
    return np.asarray(np.round(lit).clip(0, 255), np.uint8)
