"""How far this clone's key has signed: of each register the newest acknowledged entry, kept beside the key.

A register that was set back (`git checkout`, `git reset`) or stands on another branch is in order by itself; held
against this it lacks what was acknowledged. An append writes it last, before it returns: so it tells of every
acknowledged entry, and of none that is not durable.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from errors import RegisterError
from trust.keys import keys_folder
from trust.register_entry import hash_line
from trust.register_file import WriterFile
from vision.whole import whole_file

NEWER = (
    "it was set back, or goes on from another branch or clone: bring the newer file and its head here first "
    "(docs/trust.md, The register)"
)


@dataclass(frozen=True)
class Reach:
    """The newest acknowledged entry of a writer in a register's folder: so many lines, the SHA-256 of the last.

    `first`, the SHA-256 of the first line, tells the same chain in another folder, such as another clone.
    """

    folder: str
    writer: str
    first: str
    entries: int
    last: str


def reach_path() -> Path:
    """Where this clone keeps it."""
    return keys_folder() / "register.reach"


def measure_reach(folder: Path, writer: str, lines: tuple[bytes, ...]) -> Reach:
    """The reach of a writer's acknowledged lines, at least one."""
    return Reach(str(folder.resolve()), writer, hash_line(lines[0]), len(lines), hash_line(lines[-1]))


def read_reaches(path: Path) -> list[Reach]:
    """What was acknowledged; nothing where no file tells of it. Raises RegisterError for one that cannot be read."""
    try:
        return [Reach(**fields) for fields in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RegisterError(f"{path}: cannot be read ({error.strerror}); give yourself access") from None
    except (TypeError, ValueError):
        raise RegisterError(f"{path}: was altered; restore it from your backup of the keys") from None


def raise_reach(path: Path, reach: Reach) -> None:
    """Tell, durably, of a newer acknowledged entry. Raises RegisterError."""
    known = {(one.folder, one.writer): one for one in read_reaches(path)}
    if known.get((reach.folder, reach.writer)) != reach:
        known[reach.folder, reach.writer] = reach
        text = json.dumps([asdict(one) for one in known.values()], indent=1)
        try:
            with whole_file(path) as partial:
                partial.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RegisterError(f"{path}: cannot be written ({error.strerror}); give yourself access") from None


def find_shortfalls(reaches: Iterable[Reach], folder: Path, files: Mapping[str, WriterFile]) -> Iterator[str]:
    """Where the register in `folder`, its files by writer, lacks an acknowledged entry."""
    for reach in reaches:
        lines = files[reach.writer].lines if reach.writer in files else ()
        is_here = reach.folder == str(folder.resolve())
        is_same_chain = bool(lines) and hash_line(lines[0]) == reach.first
        if (is_here or is_same_chain) and not _holds(lines, reach):
            what = f"has not the {reach.entries} entries that this clone's key has signed, the last {reach.last[:16]}"
            yield f"{folder / reach.writer}.jsonl: {what}; {NEWER}"


def _holds(lines: tuple[bytes, ...], reach: Reach) -> bool:
    return len(lines) >= reach.entries and hash_line(lines[reach.entries - 1]) == reach.last
