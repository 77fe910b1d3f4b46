"""What a face's surface looks like in one picture: its colors, unrolled, and how far they are turned to the camera."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.alignment import CROP_CM, Matrix, align_face, transform
from vision.crops import Picture, crop_frame
from vision.planes import HasPlanes
from vision.surface import TEXEL_CM, Mesh, Placed

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


def read_chart(frame: HasPlanes, mesh: Mesh, placed: Placed) -> Chart:
    """The chart of the face that has this mesh (478, 3), and its texels so, in a frame."""
    to_view = align_face(mesh[:, :2].astype(np.float32), "mesh", VIEW_PX)
    return chart_view(crop_frame(frame, to_view, VIEW_PX), to_view, placed)


def chart_view(view: Picture, frame_to_view: Matrix, placed: Placed) -> Chart:
    """The same from a view of the whole head, about VIEW_PX square."""
    spots = np.nan_to_num(transform(frame_to_view, placed.texels[..., :2].reshape(-1, 2)))
    spots = spots.reshape(*placed.facing.shape, 2)
    colors: Picture = cv2.remap(view, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Chart(colors, placed.facing.astype(np.float16))
