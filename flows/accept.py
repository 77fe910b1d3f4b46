"""Keep the results of stages whose code was edited without changing what it does.

    python -m flows.accept STAGE...

Each changed file is compared with the version that the stage last ran with, found in git by its hash: the syntax trees
without comments and docstrings must be equal. Then DVC records the new file (`dvc commit`) and nothing runs. Where
anything else changed (data, params, results), or code does something else, it refuses and says which.
"""

import argparse
import ast
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from errors import FlowError, one_line_errors
from flows import environment  # noqa: F401 (keeps DVC quiet)
from flows.graph import Recorded, read_graph, read_recorded

_BODIES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def accept(names: list[str]) -> list[str]:
    """Record the edited code of the stages `names` (`align` means all of `align@...`); those that were recorded.

    All or none. Raises FlowError.
    """
    graph = read_graph()
    stages = sorted({stage for name in names for stage in graph.find(name)} & graph.changed)
    recorded = read_recorded()
    for stage in stages:
        _check(stage, recorded[stage])
    for stage in stages:
        _run("dvc", "commit", "--force", "--quiet", stage)
    return stages


def is_same_code(old: str, new: str) -> bool:
    """Whether two Python texts differ in comments, docstrings and layout alone."""
    return _dump(old) == _dump(new)


def _check(stage: str, recorded: Recorded) -> None:
    for path in _changed_files(stage):
        old = _find_version(path, recorded.deps.get(path, ""))
        if old is None:
            raise FlowError(
                f"{stage}: git knows no version of {path} that it was last built with; run the stage, and commit "
                "code before building with it"
            )
        try:
            is_same = is_same_code(old, Path(path).read_text(encoding="utf-8"))
        except SyntaxError as error:
            raise FlowError(f"{stage}: {path} is no valid Python (line {error.lineno}); mend it") from error
        if not is_same:
            raise FlowError(f"{stage}: {path} does something else than when it was last built; run the stage")


def _changed_files(stage: str) -> Iterator[str]:
    """The Python files of a stage that changed. Raises FlowError where anything else did."""
    found = json.loads(_run("dvc", "status", "--json", stage)).get(stage, [])
    for change in found:
        deps = change.get("changed deps", {}) if isinstance(change, dict) else {}
        others = [path for path, kind in deps.items() if not path.endswith(".py") or kind != "modified"]
        if not deps or others:
            raise FlowError(f"{stage}: not its code alone changed ({', '.join(others) or change}); run the stage")
        yield from sorted(deps)


def _find_version(path: str, md5: str) -> str | None:
    """A file's text in the newest commit where it has this hash."""
    for commit in _run("git", "log", "--format=%H", "--", path).split():
        text = subprocess.run(["git", "show", f"{commit}:{path}"], capture_output=True, check=False).stdout  # noqa: S603, S607
        if hashlib.md5(text, usedforsecurity=False).hexdigest() == md5:
            return text.decode("utf-8")
    return None


def _dump(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, _BODIES) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


def _run(*command: str) -> str:
    """A command's output. Raises FlowError with its last line."""
    start = [sys.executable, "-m"] if command[0] == "dvc" else []
    done = subprocess.run([*start, *command], capture_output=True, text=True, check=False)  # noqa: S603 (our own words)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise FlowError(f"{' '.join(command)}: {lines[-1]}")
    return done.stdout


def main() -> None:
    with one_line_errors():
        parser = argparse.ArgumentParser(prog="python -m flows.accept", description="Record edits that change nothing.")
        parser.add_argument("stages", metavar="STAGE", nargs="+", help="align@ada, or align for all")
        accepted = accept(parser.parse_args().stages)
        print(f"recorded without running: {', '.join(accepted) or 'nothing, for none of these changed'}")


if __name__ == "__main__":
    main()
