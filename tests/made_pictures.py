"""Folders of small pictures that tests make: the numbered pictures of tests/footage.py, as PNG, TIFF or JPEG."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.footage import HEIGHT, WIDTH, paint_luma
from vision.planes import Array


def paint_rgb(number: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Array:
    """The numbered picture as RGB uint8 (H, W, 3), in gray."""
    return np.repeat(paint_luma(number, size)[..., None], 3, axis=2)


def save_pictures(folder: Path, names: Iterable[str], rate: str | None = None) -> Path:
    """Save pictures 0, 1, 2 and so on under these names, and the rate, where there is one; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(paint_rgb(number)).save(folder / name)
    if rate is not None:
        (folder / "rate.txt").write_text(rate, encoding="utf-8")
    return folder
