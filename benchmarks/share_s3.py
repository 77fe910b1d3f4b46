"""Share a show of fakes through an S3 server on loopback, and say what was seen; a minute at most.

    python -m benchmarks.share_s3         # what must be installed for it: tests/s3_server.py

Prints, after each command, the stages that ran and what the bucket holds.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.project import Project
from tests.s3_server import BUCKET, KEYS, MISSING, S3Server, serve_s3
from tests.show import Show


def share(folder: Path, server: S3Server) -> None:
    """Build and push, pull in a second clone, push a change, restore it in a third clone."""
    made = Project(folder / "show")
    made.make()
    made.repro()
    show = Show(made.root)
    show.write("fake/runs.txt", "")
    show.start(f"s3://{BUCKET}/show", endpointurl=server.address)
    print((show.root / ".dvc/config").read_text())
    _tell("show: flows.build --push", show, show.build("--push", **KEYS))
    _tell_bucket(server)
    second = show.clone(folder / "second")
    second.dvc("pull", **KEYS)
    _tell("second clone: dvc pull, then flows.build", second, second.build(**KEYS))
    show.change(lambda values: values["convert"].update(crf=20))
    _tell("show: convert.crf changed, flows.build --push", show, show.build("--push", **KEYS))
    _tell_bucket(server)
    third = show.clone(folder / "third")
    shutil.copy(show.root / "params.yaml", third.root / "params.yaml")
    third.declare()
    _tell("third, empty clone: the same change, flows.build --pull", third, third.build("--pull", **KEYS))
    objects = third.list_objects()
    print(f"its cache holds {len(objects)} objects, {sum(objects.values())} bytes; clips there: {_list_clips(third)}")


def _tell(command: str, show: Show, said: str) -> None:
    print(f"== {command}\n   ran: {' '.join(show.read_runs()) or 'nothing'}")
    show.write("fake/runs.txt", "")
    table = [line for line in said.splitlines() if line.startswith("  ")]
    print("\n".join(f" {line}" for line in table))


def _tell_bucket(server: S3Server) -> None:
    objects = server.list_objects()
    print(f"   the bucket holds {len(objects)} objects, {sum(objects.values())} bytes")


def _list_clips(show: Show) -> str:
    return " ".join(sorted(str(path.relative_to(show.root)) for path in (show.root / "clips").rglob("*.mp4")))


def main() -> None:
    if MISSING:
        sys.exit(f"error: {' and '.join(MISSING)} must be installed: tests/s3_server.py says how")
    with tempfile.TemporaryDirectory() as folder, serve_s3() as server:
        share(Path(folder), server)


if __name__ == "__main__":
    main()
