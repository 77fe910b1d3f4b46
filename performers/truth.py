"""Truth tables: what a clip shows, a row a frame (pose, expression, mask of the face, landmarks)."""

import struct
import zlib

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from performers.frame import Frame
from performers.script import Moment
from vision.tables import TRUTH, Column, Table

SOURCE_TRUTH = Table(
    "source_truth",
    (
        *TRUTH.columns[:6],
        Column("mask", pa.binary(), "the visible face, PNG, one channel, 0 or 255, full frame"),
        Column("landmarks", pa.list_(pa.float32()), "x, y in frame pixels, in the order of performers.landmarks"),
    ),
)


def record_demo(moment: Moment, target: Frame, truth: Frame) -> dict[str, object]:
    """A row of the table `TRUTH`."""
    row = record_script(moment)
    row["target_mask"], row["truth_mask"] = encode_mask(target.mask), encode_mask(truth.mask)
    row["target_landmarks"], row["truth_landmarks"] = flatten(target.landmarks), flatten(truth.landmarks)
    return row


def record_source(moment: Moment, frame: Frame) -> dict[str, object]:
    """A row of the table `SOURCE_TRUTH`."""
    return {**record_script(moment), "mask": encode_mask(frame.mask), "landmarks": flatten(frame.landmarks)}


def record_script(moment: Moment) -> dict[str, object]:
    """What the script alone decides: frame, angles (degrees), openings of mouth and eyes in [0, 1]."""
    return {column.name: getattr(moment, column.name) for column in TRUTH.columns[:6]}


def flatten(points: NDArray[np.float32]) -> list[float]:
    """Points (N, 2) as x, y, x, y."""
    values: list[float] = points.ravel().tolist()
    return values


def encode_mask(mask: NDArray[np.uint8]) -> bytes:
    """A mask (H, W) uint8 as PNG, gray, 8 bits."""
    height, width = mask.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = np.pad(mask, ((0, 0), (1, 0))).tobytes()
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(pack_chunk(kind, data) for kind, data in chunks)


def pack_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file: length, kind, data, CRC of both."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
