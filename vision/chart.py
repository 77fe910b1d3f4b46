"""What a face's surface looks like in one picture: its colors, unrolled, and how far they are turned to the camera."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.alignment import CROP_CM, Matrix, compose, transform, view_matrix
from vision.crops import Picture, crop_picture
from vision.surface import TEXEL_CM, Placed

VIEW_PX = round(CROP_CM / TEXEL_CM)  # side of a crop whose pixels are as large as texels
MIN_FACING = 0.4  # cosine to the camera from which on a texel's color tells something


class Chart(NamedTuple):
    """Colors, RGB uint8 (H, W, 3), and facing, float16 (H, W), of a surface's texels."""

    colors: Picture
    facing: NDArray[np.float16]

    @property
    def is_seen(self) -> NDArray[np.bool_]:
        """Where the colors are the face's own, as far as nothing lies over it: (H, W)."""
        return np.asarray(self.facing >= MIN_FACING)


def chart_crop(crop: Picture, frame_to_crop: Matrix, placed: Placed) -> Chart:
    """The chart of the face whose texels are placed so in a frame, from its crop."""
    to_view = view_matrix(len(crop), 1, VIEW_PX)
    return chart_view(crop_picture(crop, to_view, VIEW_PX), compose(to_view, frame_to_crop), placed)


def chart_view(view: Picture, frame_to_view: Matrix, placed: Placed) -> Chart:
    """The same from a view of the whole head, about VIEW_PX square."""
    spots = np.nan_to_num(transform(frame_to_view, placed.texels[..., :2].reshape(-1, 2)))
    spots = spots.reshape(*placed.facing.shape, 2)
    colors: Picture = cv2.remap(view, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Chart(colors, placed.facing.astype(np.float16))
