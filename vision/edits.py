"""What a person decided by hand: edits/<identity>/tracks.csv, which always wins."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from errors import TableError

HEADER = "clip_sha256,first_frame,end_frame,x,y,decision"


@dataclass(frozen=True)
class Edit:
    """In the frames [first_frame, end_frame) of a clip, the face whose box contains the point (x, y) is used or not."""

    clip_sha256: str
    first_frame: int
    end_frame: int
    x: float
    y: float
    is_used: bool


def read_edits(path: Path) -> list[Edit]:
    """Read a file of edits; one with only its header holds none. Raises TableError naming the line."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: cannot be read ({error}); its first line must be {HEADER}") from error
    if ",".join(table.columns) != HEADER:
        raise TableError(f"{path}: the first line is {','.join(table.columns)!r}; it must be {HEADER}")
    return [_parse(path, number, row) for number, row in enumerate(table.to_dict("records"), start=2)]


def format_edit(edit: Edit) -> str:
    """The edit as a line of the file."""
    decision = "use" if edit.is_used else "ignore"
    return f"{edit.clip_sha256},{edit.first_frame},{edit.end_frame},{edit.x:.1f},{edit.y:.1f},{decision}"


def find_edited(edit: Edit, faces: pd.DataFrame) -> pd.Series:
    """Which rows of a table of faces (clip_sha256, frame, x1, y1, x2, y2) an edit speaks of: bool (N,)."""
    is_there = faces["frame"].between(edit.first_frame, edit.end_frame - 1) & (faces["clip_sha256"] == edit.clip_sha256)
    in_x = (faces["x1"] <= edit.x) & (edit.x <= faces["x2"])
    in_y = (faces["y1"] <= edit.y) & (edit.y <= faces["y2"])
    return is_there & in_x & in_y


def _parse(path: Path, number: int, row: dict[str, str]) -> Edit:
    if row["decision"] not in ("use", "ignore"):
        raise TableError(f"{path}, line {number}: decision is {row['decision']!r}; it must be use or ignore")
    try:
        return Edit(
            clip_sha256=row["clip_sha256"],
            first_frame=int(row["first_frame"]),
            end_frame=int(row["end_frame"]),
            x=float(row["x"]),
            y=float(row["y"]),
            is_used=row["decision"] == "use",
        )
    except ValueError as error:
        raise TableError(f"{path}, line {number}: {error}; frames are whole numbers, x and y pixels") from error
