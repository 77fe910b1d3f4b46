"""The glance at a face set: faces evenly over all shards, in order; nothing where there is no face set."""

from pathlib import Path

import numpy as np

from flows.face_sheet import COLUMNS, FACE_PX, ROWS, draw_face_sheet
from tests.test_augment import record
from vision.contact_sheet import CAPTION_PX, GAP_PX, HEADING_PX
from vision.crops import encode_png
from vision.faceset import FacesetWriter


def _write(folder: Path, n_faces: int) -> Path:
    """A face set in which a face's brightness tells its frame."""
    folder.mkdir()
    writer = FacesetWriter(folder)
    for frame in range(n_faces):
        gray = np.full((16, 16, 3), round(200 * frame / n_faces), np.uint8)
        writer.write(record(0) | {"frame": frame, "picture": encode_png(gray)})
    writer.close()
    return folder


def _read_levels(sheet: np.ndarray) -> np.ndarray:
    """The brightness in the middle of each place of the sheet: (rows, columns)."""
    step = FACE_PX + GAP_PX
    return sheet[HEADING_PX + FACE_PX // 2 :: step, CAPTION_PX + FACE_PX // 2 :: step, 0].astype(int)


def test_faces_come_evenly_from_all_of_a_large_set_in_order(tmp_path: Path) -> None:
    sheet = draw_face_sheet(_write(tmp_path / "faceset", 1200))
    assert sheet is not None
    levels = _read_levels(sheet)
    assert levels.shape == (ROWS, COLUMNS)
    assert levels[0, 0] == 0
    assert levels[-1, -1] > 190
    assert np.diff(levels.ravel()).min() >= 0
    assert np.diff(levels.ravel()).max() < 20


def test_a_small_set_is_shown_whole_and_a_missing_one_not_at_all(tmp_path: Path) -> None:
    sheet = draw_face_sheet(_write(tmp_path / "faceset", 10))
    assert sheet is not None
    levels = _read_levels(sheet)
    assert levels[0].tolist() == [0, 20, 40, 60, 80, 100, 120, 140]
    assert levels[1].tolist() == [160, 180, *[250] * 6]
    (tmp_path / "none").mkdir()
    assert draw_face_sheet(tmp_path / "none") is None
