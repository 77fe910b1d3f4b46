"""A contact sheet: rows of pictures of one height under a line of headings, each row with a caption on its left.

Pictures are RGB uint8 (H, W, 3).
"""

from dataclasses import dataclass

import cv2
import numpy as np

GAP_PX = 6
HEADING_PX = 30
CAPTION_PX = 128
PAPER, INK = 250, 40


@dataclass(frozen=True)
class SheetRow:
    """One row: the lines of its caption and its pictures, from left to right."""

    caption: tuple[str, ...]
    pictures: tuple[np.ndarray, ...]


def draw_sheet(headings: tuple[str, ...], rows: list[SheetRow], height_px: int) -> np.ndarray:
    """Lay the rows out, every picture scaled to `height_px`. Rows hold as many pictures as there are headings."""
    scaled = [tuple(scale_to_height(picture, height_px) for picture in row.pictures) for row in rows]
    widths = [max(row[column].shape[1] for row in scaled) for column in range(len(headings))]
    lefts = [CAPTION_PX + GAP_PX * column + sum(widths[:column]) for column in range(len(widths))]
    height = HEADING_PX + len(rows) * (height_px + GAP_PX)
    sheet = np.full((height, lefts[-1] + widths[-1] + GAP_PX, 3), PAPER, np.uint8)
    for heading, left in zip(headings, lefts, strict=True):
        _write(sheet, heading, left, HEADING_PX - 10)
    for number, (row, pictures) in enumerate(zip(rows, scaled, strict=True)):
        top = HEADING_PX + number * (height_px + GAP_PX)
        for line, text in enumerate(row.caption):
            _write(sheet, text, GAP_PX, top + 16 + 18 * line)
        for picture, left in zip(pictures, lefts, strict=True):
            sheet[top : top + height_px, left : left + picture.shape[1]] = picture
    return sheet


def scale_to_height(picture: np.ndarray, height_px: int) -> np.ndarray:
    """The picture at a given height, its proportions kept."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * height_px / height)), height_px)
    way = cv2.INTER_AREA if height_px < height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=way))


def _write(sheet: np.ndarray, text: str, left: int, baseline: int) -> None:
    cv2.putText(sheet, text, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (INK,) * 3, 1, cv2.LINE_AA)
