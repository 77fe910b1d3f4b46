"""Every table of the pipeline: its columns, their types and units, declared once and checked on reading and writing.

Tables are pandas DataFrames in memory and Parquet files on disk: zstd, page checksums, fixed order, no clock times.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from errors import TableError
from vision.whole import Whole

N_MESH = 478


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type and, in words, what it holds and in which unit."""

    name: str
    type: pa.DataType
    what: str
    is_nullable: bool = False


@dataclass(frozen=True)
class Table:
    """A table's name and columns. `stored` names columns whose bytes are compressed already."""

    name: str
    columns: tuple[Column, ...]
    stored: tuple[str, ...] = ()
    row_group_size: int = 4096

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([pa.field(c.name, c.type, nullable=c.is_nullable) for c in self.columns])


_CLIP = (
    Column("clip", pa.string(), "file name in the identity's folder"),
    Column("clip_sha256", pa.string(), "SHA-256 of the clip's bytes, hex"),
)
_FRAME = (
    *_CLIP,
    Column("frame", pa.int64(), "index in order of presentation, from 0"),
    Column("pts", pa.int64(), "presentation time stamp in units of the clip's time base"),
)
POSE = (
    Column("yaw", pa.float32(), "degrees, positive to the right of the picture"),
    Column("pitch", pa.float32(), "degrees, positive up"),
    Column("roll", pa.float32(), "degrees, positive clockwise"),
    Column("mouth_open", pa.float32(), "gap of the inner lips / width of the mouth; NaN without a mesh"),
    Column("eye_open", pa.float32(), "gap of the lids / width of the eye, mean of both; NaN without a mesh"),
    Column("left_eye_open", pa.float32(), "the same of the left eye as seen in the picture"),
    Column("right_eye_open", pa.float32(), "the same of the right eye"),
    Column("mouth_width", pa.float32(), "distance of the mouth's corners / of the eyes' outer ones; or NaN"),
    Column("mouth_lift", pa.float32(), "how high its corners stand between the lips, cm of a canonical face; or NaN"),
    Column("brow_height", pa.float32(), "the brows' inner ends above the nose's bridge, likewise; or NaN"),
    Column("gaze", pa.float32(), "how far the irises lie to the picture's right / width of the eye; or NaN"),
)
BOX = (
    Column("x1", pa.float32(), "box, frame pixels"),
    Column("y1", pa.float32(), "box, frame pixels"),
    Column("x2", pa.float32(), "box, frame pixels"),
    Column("y2", pa.float32(), "box, frame pixels"),
)
_POINTS = pa.list_(pa.float32())
_OUTLINES = pa.list_(_POINTS)
_MATRIX = pa.list_(pa.float64(), 6)

SHOTS = Table(
    "shots",
    (
        *_CLIP,
        Column("shot", pa.int64(), "index in the clip, from 0"),
        Column("first_frame", pa.int64(), "first frame of the shot"),
        Column("end_frame", pa.int64(), "one past its last frame"),
    ),
)
PARTS = Table(
    "parts",
    (
        *_CLIP,
        Column("part", pa.int64(), "index in the clip, from 0"),
        Column("first_frame", pa.int64(), "first frame of the part, a key frame"),
        Column("end_frame", pa.int64(), "one past its last frame"),
        Column("first_pts", pa.int64(), "time stamp of the first frame, in units of the clip's time base"),
    ),
)
FRAMES = Table(
    "frames",
    (
        *_FRAME,
        Column("shot", pa.int64(), "index of the shot in the clip"),
        Column("sharpness", pa.float32(), "variance of the Laplacian of the luma scaled to 360 lines"),
        Column("difference", pa.float32(), "mean difference to the last frame taken, grey levels; NaN for the first"),
        Column("look", pa.uint64(), "perceptual hash of the luma, of every fifth frame; 0 of the others"),
        Column(
            "reason",
            pa.string(),
            "why the face set may not use it: not in face set, interval, blurred, duplicate; or empty",
        ),
    ),
)
DETECTIONS = Table(
    "detections",
    (
        *_FRAME,
        Column("face", pa.int64(), "index in the frame, by falling confidence"),
        Column("is_searched", pa.bool_(), "found by the detector here; otherwise followed from a frame beside this"),
        *BOX,
        Column("confidence", pa.float32(), "of the last net, where the face was last found, 0 to 1"),
        Column("five", pa.list_(pa.float32(), 10), "eyes, nose, mouth corners, left first: x, y in pixels"),
        Column("mesh", pa.list_(pa.float32(), 3 * N_MESH), "478 points: x, y, z in pixels, z towards the back", True),
        Column("view", pa.binary(), "of some: the head, small, aligned by the five; PNG, RGB uint8", True),
    ),
    stored=("view",),
    row_group_size=256,
)
TRACKS = Table(
    "tracks",
    (
        *_FRAME,
        Column("shot", pa.int64(), "index of the shot in the clip"),
        Column("track", pa.int64(), "index in the clip, from 0"),
        Column("person", pa.int64(), "whom it shows: 0 the identity's person, others from 1, -1 too short to tell"),
        Column("is_used", pa.bool_(), "whether this is the identity's person, to be swapped and learnt"),
        Column("reason", pa.string(), "why it is used or ignored"),
        Column("is_bridged", pa.bool_(), "landmarks are interpolated over a gap of the detector"),
        *BOX,
        Column("kind", pa.string(), "of the landmarks: mesh or five"),
        Column("landmarks", _POINTS, "x, y in frame pixels: 478 points (mesh) or 5; empty for an ignored face"),
        Column("frame_to_crop", _MATRIX, "2x3, row by row, to pixels of a crop of align.crop_px; or NaN"),
        *POSE,
        Column("outline", _POINTS, "of a used face, x, y in frame pixels; empty for an ignored one"),
        Column("covers", _OUTLINES, "outlines of what lies over it: hands, hair; x, y in frame pixels"),
        Column("covered_ratio", pa.float32(), "share of the seen face that they take, 0 to 1; NaN without a mesh"),
    ),
    row_group_size=256,
)
FACESET = Table(
    "faceset",
    (
        *_FRAME,
        Column("track", pa.int64(), "index in the clip"),
        Column("picture", pa.binary(), "the crop, PNG, RGB uint8, crop_px square"),
        Column("kind", pa.string(), "of the landmarks: mesh or five"),
        Column("landmarks", _POINTS, "x, y in crop pixels"),
        Column("frame_to_crop", _MATRIX, "2x3, row by row"),
        *POSE,
        Column("outline", _POINTS, "of the face, x, y in crop pixels"),
        Column("covers", _OUTLINES, "outlines of what lies over it, x, y in crop pixels"),
        Column("covered_ratio", pa.float32(), "share of the seen face that they take, 0 to 1; NaN without a mesh"),
        Column("sharpness", pa.float32(), "variance of the Laplacian of the crop's luma inside the face mask"),
        Column("reason", pa.string(), "why training should not use it; empty: it may"),
    ),
    stored=("picture",),
    row_group_size=16,
)
FACES = Table(
    "faces",
    (
        *_FRAME,
        Column("split", pa.string(), "train, validation, or gap (between the two, unused)"),
        Column("row", pa.int64(), "first row in the split's arrays; variants follow one another; -1 for gap"),
        *POSE,
    ),
)
CONVERSIONS = Table(
    "conversions",
    (
        Column("frame", pa.int64(), "index in order of presentation, from 0"),
        Column("pts", pa.int64(), "presentation time stamp in units of the clip's time base"),
        Column("is_swapped", pa.bool_(), "whether a face was replaced"),
        Column("reason", pa.string(), "why not; empty: it was"),
        Column("picture_sha256", pa.string(), "SHA-256 of the planes handed to the encoder, hex"),
    ),
)
TRUTH = Table(
    "truth",
    (
        Column("frame", pa.int64(), "index in order of presentation, from 0"),
        *POSE[:3],
        Column("mouth_open", pa.float32(), "the script's, 0 to 1"),
        Column("eye_open", pa.float32(), "the script's, 0 to 1"),
        Column("target_mask", pa.binary(), "the target's visible face, PNG, one channel, 0 or 255, full frame"),
        Column("truth_mask", pa.binary(), "the source's visible face in the truth, likewise"),
        Column("target_landmarks", _POINTS, "x, y in frame pixels"),
        Column("truth_landmarks", _POINTS, "x, y in frame pixels"),
    ),
)


def make_table(rows: list[dict[str, Any]], table: Table) -> pd.DataFrame:
    """Build a DataFrame of `table`'s columns from dicts; no rows give an empty table of the right types."""
    frame: pd.DataFrame = _rows_to_arrow(rows, table).to_pandas()
    return frame


def write_table(frame: pd.DataFrame, path: Path, table: Table) -> None:
    """Write a whole table, checked against its columns. Raises TableError."""
    with TableWriter(path, table) as writer:
        writer.write(frame)


def read_table(path: Path, table: Table, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table (or some of its columns), checked against its declaration. Raises TableError."""
    with _open(path, table) as file:
        frame: pd.DataFrame = file.read(columns=columns).to_pandas()
        return frame


def read_batches(
    path: Path, table: Table, columns: list[str] | None = None, n_rows: int = 256
) -> Iterator[pd.DataFrame]:
    """Read a table (or some of its columns) piece by piece, so that memory does not grow with it. Raises TableError."""
    with _open(path, table) as file:
        for batch in file.iter_batches(batch_size=n_rows, columns=columns):
            yield batch.to_pandas()


def points(values: object) -> np.ndarray:
    """The points of a list column: flat x, y -> float32 (N, 2)."""
    return np.asarray(values, np.float32).reshape(-1, 2)


def outlines(values: Iterable[object]) -> list[np.ndarray]:
    """The points of each outline of a column of outlines: float32 (N, 2) each."""
    return [points(flat) for flat in values]


def matrix(values: object) -> np.ndarray:
    """The matrix of a list column: six numbers -> float64 (2, 3)."""
    return np.asarray(values, np.float64).reshape(2, 3)


class TableWriter:
    """Writes a table in pieces; the file appears whole at the end of the `with` block, or not at all.

    Pieces may be as small as a row: they wait until they fill a row group, so that the bytes do not tell how they came.
    """

    def __init__(self, path: Path, table: Table) -> None:
        self._table = table
        self._whole = Whole(path)
        self._waiting = table.schema.empty_table()
        self._writer = pq.ParquetWriter(
            self._whole.open(),
            table.schema,
            compression={c.name: "none" if c.name in table.stored else "zstd" for c in table.columns},
            write_page_checksum=True,
        )

    def write(self, frame: pd.DataFrame) -> None:
        """Add a table's rows. Raises TableError where its columns or types are not the declared ones."""
        self._add(_to_arrow(frame, self._table))

    def write_rows(self, rows: list[dict[str, Any]]) -> None:
        """Add rows given as dicts of all columns. Raises TableError."""
        self._add(_rows_to_arrow(rows, self._table))

    def _add(self, piece: pa.Table) -> None:
        size = self._table.row_group_size
        self._waiting = pa.concat_tables([self._waiting, piece])
        while len(self._waiting) >= size:
            self._writer.write_table(self._waiting.slice(0, size).combine_chunks())
            self._waiting = self._waiting.slice(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and len(self._waiting):
            self._writer.write_table(self._waiting.combine_chunks())
        self._writer.close()
        self._whole.close(keep=kind is None)


def _rows_to_arrow(rows: list[dict[str, Any]], table: Table) -> pa.Table:
    names = {c.name for c in table.columns}
    for row in rows:
        if row.keys() != names:
            raise TableError(f"table {table.name}: a row has columns {sorted(row)}, expected {sorted(names)}")
    try:
        return pa.Table.from_pylist(rows, schema=table.schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TableError(f"table {table.name}: {error}") from error


def _to_arrow(frame: pd.DataFrame, table: Table) -> pa.Table:
    names = [c.name for c in table.columns]
    if list(frame.columns) != names:
        raise TableError(f"table {table.name}: columns are {list(frame.columns)}, expected {names}")
    try:
        arrays = [_to_array(frame[column.name], column, table) for column in table.columns]
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TableError(f"table {table.name}: {error}") from error
    return pa.Table.from_arrays(arrays, schema=table.schema)


def _to_array(values: "pd.Series[Any]", column: Column, table: Table) -> "pa.Array[Any]":
    """One column as Arrow's. NaN is a number here, not a missing value."""
    array = pa.array(values, column.type, from_pandas=False)
    if array.null_count and not column.is_nullable:
        raise TableError(f"table {table.name}: column {column.name} lacks {array.null_count} values")
    return array


def _open(path: Path, table: Table) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except (OSError, pa.ArrowInvalid) as error:
        raise TableError(f"{path}: no table that can be read ({error}); rerun the stage that writes it") from error
    if not file.schema_arrow.equals(table.schema):
        file.close()
        raise TableError(f"{path}: not a table of {table.name} as this version writes it; rerun its stage")
    return file
