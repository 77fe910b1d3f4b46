"""Keep the results of stages whose code was edited without changing what it does.

    python -m flows.accept STAGE... [--replay]

Each changed file is compared with the version that the stage last ran with, found in git by its hash: the syntax trees
without comments and docstrings must be equal. With --replay code may be written otherwise (a refactoring, a faster
loop): a small sample is computed by the code of the last build and by today's, and the results must be the same byte
for byte. A sample is no proof: what happens in no frame of it is not compared.

Then DVC records the new code (`dvc commit`) and nothing runs. Where anything else changed (data, params, results), or
code does something else, it refuses and says which.
"""

import argparse
import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from errors import FlowError, one_line_errors
from flows import environment  # noqa: F401 (keeps DVC quiet)
from flows.command import run_module
from flows.graph import Graph, Recorded, read_graph, read_recorded
from flows.history import read_version

_BODIES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def accept(names: list[str], *, is_replayed: bool = False) -> list[str]:
    """Record the edited code of the stages `names` (`align` means all of `align@...`); those that were recorded.

    All or none. Raises FlowError.
    """
    graph = read_graph()
    stages = sorted({stage for name in names for stage in graph.find(name)} & graph.changed)
    recorded = read_recorded()
    rewritten = _find_rewritten(stages, graph, recorded)
    if rewritten and not is_replayed:
        stage, path = next(iter(rewritten.items()))
        raise FlowError(
            f"{stage}: {path} does something else than when it was last built; run the stage, or compare what the old "
            "and the new code make of a sample: --replay"
        )
    if rewritten:
        from flows.replay import replay  # noqa: PLC0415 (it imports the very code that was edited)

        replay(list(rewritten), graph, recorded)
    if stages:
        run_module("dvc", "commit", "--force", "--quiet", *stages)
    return stages


def is_same_code(old: str, new: str) -> bool:
    """Whether two Python texts differ in comments, docstrings and layout alone."""
    return _dump(old) == _dump(new)


def _find_rewritten(stages: list[str], graph: Graph, recorded: dict[str, Recorded]) -> dict[str, str]:
    """The stages whose code differs in more than comments, each with the first such file."""
    rewritten: dict[str, str] = {}
    for stage in stages:
        for path in _changed_files(stage, graph.changes[stage]):
            if not _is_same_file(stage, path, recorded[stage].deps[path]):
                rewritten.setdefault(stage, path)
    return rewritten


def _changed_files(stage: str, changes: list[Any]) -> Iterator[str]:
    """The Python files of a stage that changed. Raises FlowError where anything else did."""
    for change in changes:
        deps = change.get("changed deps", {}) if isinstance(change, dict) else {}
        others = [path for path, kind in deps.items() if not path.endswith(".py") or kind != "modified"]
        if not deps or others:
            raise FlowError(f"{stage}: not its code alone changed ({', '.join(others) or change}); run the stage")
        yield from sorted(deps)


def _is_same_file(stage: str, path: str, md5: str) -> bool:
    """Whether a file says what it said when its hash was recorded; a new file, with no hash, does not."""
    try:
        new = Path(path).read_text(encoding="utf-8")
        ast.parse(new)
        return bool(md5) and is_same_code(read_version(stage, path, md5).decode("utf-8"), new)
    except SyntaxError as error:
        raise FlowError(f"{stage}: {path} is no valid Python (line {error.lineno}); mend it") from error


def _dump(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, _BODIES) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


def main() -> None:
    with one_line_errors():
        parser = argparse.ArgumentParser(prog="python -m flows.accept", description="Record edits that change nothing.")
        parser.add_argument("stages", metavar="STAGE", nargs="+", help="align@ada, or align for all")
        parser.add_argument(
            "--replay",
            action="store_true",
            help="code may be written otherwise where it gives the same bytes on a small sample; no proof",
        )
        arguments = parser.parse_args()
        accepted = accept(arguments.stages, is_replayed=arguments.replay)
        print(f"recorded without running: {', '.join(accepted) or 'nothing, for none of these changed'}")


if __name__ == "__main__":
    main()
