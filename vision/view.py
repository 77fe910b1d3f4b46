"""The small view of a head: what people are told apart by, what faces are learnt from, what a page shows."""

from typing import NamedTuple

from vision.alignment import Matrix, Points, align_view
from vision.crops import Picture, crop_frame, decode_png, encode_png
from vision.planes import HasPlanes

VIEW_PX, COVERAGE = 96, 1.0
VIEWS_S = 0.2  # seconds from one view of a face to the next at most
LEARNT_VIEWS = 96  # of an identity's clips together, from which its face is learnt


class View(NamedTuple):
    """A face's aligned view, RGB uint8 (VIEW_PX, VIEW_PX, 3), and where it lies in its frame."""

    picture: Picture
    frame_to_view: Matrix


def take_view(frame: HasPlanes, five: Points) -> bytes:
    """The view of the face with these landmarks (5, 2) in a frame, as PNG."""
    return encode_png(crop_frame(frame, _align(five), VIEW_PX))


def read_view(data: bytes, five: Points) -> View:
    """The view that was taken of the face with these landmarks. Raises TableError."""
    return View(decode_png(data), _align(five))


def _align(five: Points) -> Matrix:
    return align_view(five, "five", VIEW_PX, COVERAGE)
