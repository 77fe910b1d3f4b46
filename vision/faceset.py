"""The face set on disk: part-00000.parquet and so on, 500 faces a shard, the PNG column stored as it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from errors import TableError
from vision.tables import FACESET, TableWriter, read_batches, read_table

SHARD_FACES = 500


class FacesetWriter:
    """Writes faces (dicts of FACESET's columns) into a folder, shard after shard; `n_faces` counts them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[dict[str, Any]] = []
        self._n_shards = 0
        self.n_faces = 0

    def write(self, face: dict[str, Any]) -> None:
        self._rows.append(face)
        self.n_faces += 1
        if len(self._rows) == SHARD_FACES:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        if self._rows:
            self._flush()

    def _flush(self) -> None:
        with TableWriter(self._folder / f"part-{self._n_shards:05d}.parquet", FACESET) as writer:
            writer.write_rows(self._rows)
        self._rows, self._n_shards = [], self._n_shards + 1


def read_faceset(folder: Path) -> Iterator[pd.DataFrame]:
    """The face set's records with their pictures, piece by piece, in order. Raises TableError."""
    for shard in _shards(folder):
        yield from read_batches(shard, FACESET, n_rows=64)


def read_columns(folder: Path, columns: list[str]) -> pd.DataFrame:
    """Some columns of all the face set's records, in order: without pictures a small table. Raises TableError."""
    return pd.concat([read_table(shard, FACESET, columns) for shard in _shards(folder)], ignore_index=True)


def _shards(folder: Path) -> list[Path]:
    shards = sorted(folder.glob("part-*.parquet"))
    if not shards:
        raise TableError(f"{folder}: holds no face set; rerun the stage align")
    return shards
