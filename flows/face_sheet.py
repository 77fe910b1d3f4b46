"""A glance at a face set: some of its crops, evenly over all, with the frame that each is from."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vision.contact_sheet import SheetRow, draw_sheet
from vision.crops import decode_png
from vision.evenly import pick_evenly
from vision.tables import FACESET, read_table

ROWS, COLUMNS, FACE_PX = 5, 8, 96


def draw_face_sheet(faceset: Path) -> np.ndarray | None:
    """The sheet, RGB uint8 (H, W, 3); None where the folder holds no shard. Raises TableError for a damaged one.

    At most as many shards are read as the sheet has rows.
    """
    shards = sorted(faceset.glob("part-*.parquet"))
    chosen = [shards[i] for i in pick_evenly(len(shards), ROWS)]
    faces = [face for shard in chosen for face in _read_some(shard, -(-ROWS * COLUMNS // len(chosen)))]
    rows = [list(faces[i : i + COLUMNS]) for i in range(0, len(faces), COLUMNS)][:ROWS]
    if not rows:
        return None
    blank = np.full((FACE_PX, FACE_PX, 3), 250, np.uint8)
    filled = [SheetRow((row[0][0],), tuple(face for _, face in row) + (blank,) * (COLUMNS - len(row))) for row in rows]
    return draw_sheet(("",) * COLUMNS, filled, FACE_PX)


def _read_some(shard: Path, n: int) -> Iterator[tuple[str, np.ndarray]]:
    """Up to n faces of a shard, evenly over it, each with the name of its frame."""
    records = read_table(shard, FACESET, ["clip", "frame", "picture"])
    for index in pick_evenly(len(records), n):
        record = records.iloc[index]
        yield f"{Path(record['clip']).stem[:10]} {record['frame']}", decode_png(record["picture"])
