"""Count the bytes that a colleague's empty clone downloads after the change of one param, against the whole remote.

    python -m benchmarks.share_bytes CHECKOUT FOLDER evaluate.sheet_px=160

CHECKOUT is a built project (its code, dvc.lock and params; git keeps its clips or DVC does); it is only read. FOLDER is
made: a clone that pushes what CHECKOUT's cache holds into FOLDER/remote, and an empty one that builds with `--pull`.

Counted as downloaded is every object of the empty clone's cache that the remote had before: no less than what came, and
more only by what a stage that ran made anew with the same bytes (`check`'s three small files, a figure of the report).
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from tests.show import list_objects


def count(checkout: Path, folder: Path, change: str) -> None:
    """Print the figures of one change, `section.name=value`."""
    remote = folder / "remote"
    giver, clone = (_clone(checkout, folder / name, remote) for name in ("giver", "clone"))
    _run(giver, "dvc", "cache", "dir", "--local", str(checkout / ".dvc/cache"))
    _run(giver, "dvc", "push", "--quiet", "--run-cache")
    held = list_objects(remote)
    _change(clone / "params.yaml", change)
    said = _run(clone, sys.executable, "-m", "flows.build", "--pull")
    print("\n".join(line for line in said.splitlines() if line.startswith("  ") and "Cached" not in line))
    came = list_objects(clone / ".dvc/cache")
    downloaded = {name: size for name, size in came.items() if name in held}
    runs = [file.stat().st_size for file in (clone / ".dvc/cache/runs").rglob("*") if file.is_file()]
    print(f"remote:     {_tell(list(held.values()))}")
    print(f"downloaded: {_tell(list(downloaded.values()))}, {sum(downloaded.values()) / sum(held.values()):.1%}")
    print(f"made here:  {_tell([size for name, size in came.items() if name not in held])}")
    print(f"record of runs there now: {_tell(runs)}")
    _tell_files(clone, checkout, downloaded)


def _clone(checkout: Path, folder: Path, remote: Path) -> Path:
    """What git keeps of the checkout as it stands, and what the template's git leaves out: dvc.lock and metrics."""
    subprocess.run(["git", "clone", "--quiet", str(checkout), str(folder)], check=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=checkout, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (checkout / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(checkout / name, folder / name)
    shutil.copy2(checkout / "dvc.lock", folder)
    shutil.copytree(checkout / "metrics", folder / "metrics", dirs_exist_ok=True)
    _run(folder, "dvc", "remote", "add", "--local", "--default", "bytes", str(remote))
    return folder


def _change(params: Path, change: str) -> None:
    yaml = YAML()
    values = yaml.load(params.read_text(encoding="utf-8"))
    path, _, value = change.partition("=")
    section, _, name = path.partition(".")
    if not value or name not in values.get(section, {}):
        sys.exit(f"error: {change}: name a param of params.yaml, as section.name=value")
    values[section][name] = YAML(typ="safe").load(value)
    yaml.dump(values, params)


def _run(folder: Path, *command: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def _tell(sizes: list[int]) -> str:
    return f"{len(sizes)} objects, {sum(sizes):,} bytes"


def _tell_files(clone: Path, checkout: Path, downloaded: dict[str, int]) -> None:
    """The files of the clone's workspace that DVC keeps, as they were at the checkout."""
    for top in ("clips", "data", "plots"):
        for file in sorted(path for path in (clone / top).rglob("*") if path.is_file()):
            same = checkout / file.relative_to(clone)
            if file.stat().st_size in downloaded.values() and same.is_file() and _is_same(file, same):
                print(f"  {file.stat().st_size:>12,}  {file.relative_to(clone)}")


def _is_same(file: Path, other: Path) -> bool:
    return file.stat().st_size == other.stat().st_size and file.read_bytes() == other.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.share_bytes", description=count.__doc__)
    parser.add_argument("checkout", metavar="CHECKOUT", type=Path)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("change", metavar="CHANGE", help="section.name=value")
    arguments = parser.parse_args()
    count(arguments.checkout.resolve(), arguments.folder.resolve(), arguments.change)


if __name__ == "__main__":
    main()
