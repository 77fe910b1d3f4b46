"""What a person decided by hand: edits/<identity>/tracks.csv, which always wins."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from errors import TableError

HEADER = "clip_sha256,first_frame,end_frame,x,y,decision"


@dataclass(frozen=True)
class Edit:
    """In the frames [first_frame, end_frame) of a clip, the face whose box contains the point (x, y) is used or not.

    `line` is that of the file, 0 where it comes from none.
    """

    clip_sha256: str
    first_frame: int
    end_frame: int
    x: float
    y: float
    is_used: bool
    line: int = field(default=0, compare=False)


def read_edits(path: Path) -> list[Edit]:
    """Read a file of edits; one with only its header holds none. Raises TableError naming the line."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: cannot be read ({error}); its first line must be {HEADER}") from error
    if ",".join(table.columns) != HEADER:
        raise TableError(f"{path}: the first line is {','.join(table.columns)!r}; it must be {HEADER}")
    rows = enumerate(table.to_dict("records"), start=2)
    return [_parse(path, number, row) for number, row in rows if any(row.values())]


def format_edit(edit: Edit) -> str:
    """The edit as a line of the file."""
    decision = "use" if edit.is_used else "ignore"
    return f"{edit.clip_sha256},{edit.first_frame},{edit.end_frame},{edit.x:.1f},{edit.y:.1f},{decision}"


def find_edited(edit: Edit, faces: pd.DataFrame) -> pd.Series:
    """Which rows of a table of faces (clip_sha256, frame, x1, y1, x2, y2) an edit speaks of: bool (N,)."""
    is_there = faces["frame"].between(edit.first_frame, edit.end_frame - 1) & (faces["clip_sha256"] == edit.clip_sha256)
    return is_there & _holds(faces, edit.x, edit.y)


def point_at(track: pd.DataFrame, clip: pd.DataFrame, *, is_used: bool) -> Edit:
    """The edit that speaks of a track: of its face in the middle, and of the frames around it that say the same.

    `track`: its rows of the table of faces, in order; `clip`: those of all faces of the clip. One frame would be lost
    with the face that a new detection misses there; in the others the point lies in another's box, or in none. Where
    another's box holds the track's middle in every frame, the edit speaks of both.
    """
    others = clip[~clip.index.isin(track.index)]
    centers = list(zip(track["frame"], (track["x1"] + track["x2"]) / 2, (track["y1"] + track["y2"]) / 2, strict=True))
    from_middle = sorted(range(len(centers)), key=lambda n: abs(n - len(centers) // 2))
    is_free = (n for n in from_middle if not _holds(others[others["frame"] == centers[n][0]], *centers[n][1:]).any())
    frame, x, y = centers[next(is_free, from_middle[0])]
    elsewhere = pd.concat([track[~_holds(track, x, y)], others[_holds(others, x, y)]])["frame"].to_numpy()
    first = max([int(track["frame"].min()), *(elsewhere[elsewhere < frame] + 1)])
    end = min([int(track["frame"].max()) + 1, *elsewhere[elsewhere > frame]])
    return Edit(str(track["clip_sha256"].iloc[0]), int(first), int(end), float(x), float(y), is_used)


def _holds(faces: pd.DataFrame, x: float, y: float) -> pd.Series:
    """Which faces' boxes hold a point: bool (N,)."""
    return faces["x1"].le(x) & faces["x2"].ge(x) & faces["y1"].le(y) & faces["y2"].ge(y)


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
            line=number,
        )
    except ValueError as error:
        raise TableError(f"{path}, line {number}: {error}; frames are whole numbers, x and y pixels") from error
