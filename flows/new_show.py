"""Make a project of one's own: this one without the demo's people, with git, DVC and a first commit.

    python -m flows.new_show DIR

One repository a show: its dvc.lock and metrics are committed there, which the template leaves out.
"""

import argparse
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from errors import FlowError, one_line_errors
from flows.environment import ROOT
from stages.params import MAPS
from vision.whole import whole_folder

LEFT_OUT = (".ci/", "benchmarks/", "clips/", "consent/", "edits/", "performers/truth/", "tests/")
# Of .gitignore: what a show commits and the template does not.
COMMITTED = r"/metrics/|/dvc\.lock|/register/|/trust/roots/|# Committed by the teams.*"

NEXT = """The new project is {folder}. Next, there:
  1. put each person's clips into clips/NAME/, and the records of consent into consent/NAME/record.json
  2. fill in identities, pairs and takes in params.yaml (the demo's stand there as comments)
  3. make this clone's keys: .venv/bin/python -m trust.keys init --name "WHO SIGNS" (after make install)
  4. make build
  5. commit params.yaml, dvc.lock, edits, metrics, register and trust/roots; of many gigabytes of clips: dvc add"""


def new_show(folder: Path) -> None:
    """Make the project `folder`, whole or not at all. Raises FlowError."""
    folder = folder.expanduser().resolve()
    _check_folder(folder)
    with whole_folder(folder) as partial:
        for name in _list_files():
            _copy(name, partial)
        _rewrite(partial / "params.yaml", _empty_maps)
        _rewrite(partial / ".gitignore", lambda text: _drop_lines(text, COMMITTED))
        _rewrite(partial / ".dvc/config", lambda text: _drop_lines(text, r"\s*no_scm = true"))
        _commit(partial)
    print(NEXT.format(folder=folder))


def _check_folder(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FlowError(f"{folder} exists already and is not empty; name a new folder")
    if folder.is_relative_to(ROOT):
        raise FlowError(f"{folder} lies inside this project; name a folder elsewhere, such as ../myshow")


def _list_files() -> list[str]:
    listed = _run_git(ROOT, "ls-files", "-z").split("\0")
    return [name for name in listed if name and not name.startswith(LEFT_OUT) and (ROOT / name).exists()]


def _copy(name: str, folder: Path) -> None:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(ROOT / name, target, follow_symlinks=False)


def _rewrite(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def _empty_maps(text: str) -> str:
    """params.yaml with empty maps of people, pairs and takes; the demo's entries follow as comments."""
    for name in MAPS:
        found = re.search(rf"^{name}:\n((?: +.*\n)+)", text, re.MULTILINE)
        if not found:
            raise FlowError(
                f"params.yaml: {name} has no entries to take out; start from the template's own params.yaml"
            )
        text = text[: found.start()] + f"{name}: {{}}\n{_comment(found[1])}" + text[found.end() :]
    return text


def _comment(lines: str) -> str:
    return "".join(f"#{line}" for line in lines.splitlines(keepends=True))


def _drop_lines(text: str, pattern: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not re.fullmatch(pattern, line.rstrip("\n")))


def _commit(folder: Path) -> None:
    _run_git(folder, "init", "--quiet", "--initial-branch=main")
    _run_git(folder, "add", "--all")
    _run_git(folder, *_name_author(folder), "commit", "--quiet", "--message", "Start from Understudy")


def _name_author(folder: Path) -> list[str]:
    """Options that name an author where git knows none."""
    known = subprocess.run(["git", "var", "GIT_AUTHOR_IDENT"], cwd=folder, capture_output=True, check=False)  # noqa: S607
    return [] if known.returncode == 0 else ["-c", "user.name=Understudy", "-c", "user.email=understudy@localhost"]


def _run_git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise FlowError(f"git {arguments[0]} failed in {folder}: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.new_show", description="Make a project of one's own.")
    parser.add_argument("folder", metavar="DIR", type=Path)
    with one_line_errors():
        new_show(parser.parse_args().folder)


if __name__ == "__main__":
    main()
