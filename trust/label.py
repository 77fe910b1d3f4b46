"""The readable label in a published picture: white letters with a dark outline, pasted into the picture's planes."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import cv2
import numpy as np

from vision.planes import Array, Box, Planes, align_box, paste_rgb
from vision.video_format import VideoFormat

Style: TypeAlias = Literal["opening", "corner", "off"]

TEXT = "AI-generated: face replaced"
UNVERIFIED = "consent unverified"  # said as well where a person has no record
OPENING_S = Fraction(2)
# Height of a capital letter, as a share of the picture's short side.
OPENING_RATIO = 0.055
CORNER_RATIO = 0.025
MIN_LETTER_PX = 8
MAX_WIDTH_RATIO = 0.94
FONT = cv2.FONT_HERSHEY_DUPLEX
# What OpenCV calls the height of a font, as a multiple of its capital letters' height: measured.
FONT_HEIGHT_RATIO = 4 / 3


@dataclass(frozen=True)
class _Stamp:
    """A rendered text: where it lies, RGB uint8 (h, w, 3), and its mask, float32 (h, w) in [0, 1]."""

    box: Box
    rgb: Array
    mask: Array


class Label:
    """The label of one video: `opening` shows it large in the first two seconds, `corner` small all the time.

    `first_pts` is the time of the video's first picture; `is_verified`: all people in it have records of consent.
    """

    def __init__(self, style: Style, form: VideoFormat, first_pts: int, *, is_verified: bool) -> None:
        self._style = style
        self._form = form
        self._first_pts = first_pts
        self._stamp = _render(TEXT if is_verified else f"{TEXT}, {UNVERIFIED}", style, form)

    def burn(self, planes: Planes, pts: int) -> Planes:
        """The picture with the label, where it has one at this time."""
        is_open = (pts - self._first_pts) * self._form.time_base < OPENING_S
        if self._style == "off" or (self._style == "opening" and not is_open):
            return planes
        stamp = self._stamp
        return paste_rgb(planes, self._form.layout, stamp.box, stamp.rgb, stamp.mask)


def _render(text: str, style: Style, form: VideoFormat) -> _Stamp:
    """Draw the text once. Lines are broken where they would be wider than the picture."""
    ratio = CORNER_RATIO if style == "corner" else OPENING_RATIO
    letter = max(round(ratio * min(form.height, form.width)), MIN_LETTER_PX)
    lines = _break_lines(text, letter, form.width)
    margin = letter if style == "corner" else 2 * letter
    height = min(len(lines) * 2 * letter + letter, form.height)
    bottom = max(form.height - margin + letter, height)
    box = align_box((0, bottom - height, form.width, bottom), form.layout, (form.height, form.width))
    fill, outline = _draw(lines, letter, (box[3] - box[1], form.width), is_centered=style == "opening")
    rgb = np.repeat(fill[..., None], 3, axis=2)
    return _Stamp(box, rgb, outline.astype(np.float32) / 255)


def _break_lines(text: str, letter: int, width: int) -> list[str]:
    """The text on as few lines as fit into the width."""
    scale, thickness = _pen(letter)
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        (needed, _), _ = cv2.getTextSize(longer, FONT, scale, thickness)
        if lines and needed <= MAX_WIDTH_RATIO * width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _pen(letter: int) -> tuple[float, int]:
    """Font scale and thickness for capital letters of `letter` pixels."""
    thickness = max(1, round(letter / 9))
    return float(cv2.getFontScaleFromHeight(FONT, round(letter * FONT_HEIGHT_RATIO), thickness)), thickness


def _draw(lines: list[str], letter: int, size: tuple[int, int], *, is_centered: bool) -> tuple[Array, Array]:
    """Letters (255 on 0) and letters with outline (255 on 0), uint8 (h, w) of `size`, from the bottom line up."""
    scale, thickness = _pen(letter)
    fill = np.zeros(size, np.uint8)
    for place, line in enumerate(reversed(lines)):
        (width, _), _ = cv2.getTextSize(line, FONT, scale, thickness)
        origin = ((size[1] - width) // 2 if is_centered else letter, size[0] - letter - place * 2 * letter)
        cv2.putText(fill, line, origin, FONT, scale, 255, thickness, cv2.LINE_AA)
    radius = max(1, round(letter / 8))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return fill, np.maximum(cv2.GaussianBlur(cv2.dilate(fill, disk), (3, 3), 0), fill)
