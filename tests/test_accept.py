"""Accepting edits that change nothing: comments and docstrings pass, all else is refused by name."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.accept import is_same_code
from tests.project import Project

OLD = '"""Doc."""\ndef f(x):\n    """Says."""\n    return x + 1  # why\n'


@pytest.mark.parametrize(
    ("new", "is_same"),
    [
        ('"""Other doc."""\n\n\ndef f(x):\n    # another why\n    return x + 1\n', True),
        (OLD.replace("+ 1", "+ 2"), False),
        (OLD.replace("return", "yield"), False),
        (OLD + "g = 'no docstring'\n", False),
    ],
)
def test_code_is_the_same_without_comments_docstrings_and_layout(new: str, *, is_same: bool) -> None:
    assert is_same_code(OLD, new) is is_same


@pytest.fixture
def kept(project: Project) -> Project:
    """A built project of fakes whose code is in git."""
    for command in (
        ("init", "--quiet"),
        ("add", "--force", "vision", "stages"),
        ("-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "built with this"),
    ):
        subprocess.run(["git", *command], cwd=project.root, check=True)
    return project


def _accept(project: Project, *stages: str) -> tuple[int, str]:
    done = project.run(sys.executable, "-m", "flows.accept", *stages)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def _edit(project: Project, path: str, old: str, new: str) -> None:
    file = Path(project.root / path)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.heavy
def test_a_new_comment_is_recorded_and_nothing_runs(kept: Project) -> None:
    _edit(kept, "vision/bridge.py", "from collections", "# a comment\nfrom collections")
    code, said = _accept(kept, "align", "augment")
    assert (code, said) == (0, "recorded without running: align@ada, align@ben\n")
    assert kept.repro() == []


@pytest.mark.heavy
def test_code_that_does_something_else_is_refused_and_still_runs(kept: Project) -> None:
    _edit(kept, "vision/bridge.py", "max_gap + 1", "max_gap + 2")
    code, said = _accept(kept, "align")
    assert code != 0
    assert said.startswith("error: align@ada: vision/bridge.py does something else")
    assert "align@ben" in kept.repro()


def test_what_is_not_code_alone_is_refused(kept: Project) -> None:
    _edit(kept, "vision/bridge.py", "from collections", "# a comment\nfrom collections")
    kept.write("edits/ben/tracks.csv", "clip_sha256,first_frame,end_frame,x,y,decision\n00,0,10,5,5,use\n")
    code, said = _accept(kept, "align@ben")
    assert code != 0
    assert "not its code alone changed (edits/ben/tracks.csv)" in said


@pytest.mark.heavy
def test_code_that_git_does_not_know_is_refused(kept: Project) -> None:
    _edit(kept, "vision/bridge.py", "from collections", "# never committed\nfrom collections")
    kept.repro()
    _edit(kept, "vision/bridge.py", "# never committed", "# another comment")
    code, said = _accept(kept, "align@ada")
    assert code != 0
    assert "git knows no version of vision/bridge.py" in said


def test_code_that_is_no_python_is_refused_in_one_line(kept: Project) -> None:
    _edit(kept, "vision/bridge.py", "from collections", "from from collections")
    code, said = _accept(kept, "align@ada")
    assert code != 0
    assert said.startswith("error: align@ada: vision/bridge.py is no valid Python (line 3)")
