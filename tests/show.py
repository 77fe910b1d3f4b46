"""A show of fakes, as `make new-show` makes one: a project (tests/project.py) in git with a remote; and its clones."""

import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.project import Project

IGNORED = (
    "/data/",
    "/plots/",
    "/.dvc/cache",
    "/.dvc/tmp",
    "/.dvc/config.local",
    "/.work/",
    "/private/",
    "/fake/runs.txt",
)


class Show(Project):
    """A project of fakes in git. The clips of ada are kept by DVC, as a team keeps clips of many gigabytes."""

    def start(self, remote: str, registry: Path | None = None, **settings: str) -> None:
        """Put the project into git, with a default remote and its settings; nothing is pushed.

        The clips of ada are the project's own, or imported from the show `registry`.
        """
        config = self.root / ".dvc/config"
        config.write_text(config.read_text().replace("no_scm = true", ""))
        self.write(".gitignore", "\n".join((*IGNORED, "__pycache__/", "")))
        run_git(self.root, "init", "--quiet")
        self.dvc("remote", "add", "--default", "team", remote)
        for name, value in settings.items():
            self.dvc("remote", "modify", "team", name, value)
        if registry:
            self.dvc("import", str(registry), "clips/ada", "-o", "clips/ada")
        else:
            self.dvc("add", "clips/ada")
        self.commit("built")

    def commit(self, message: str) -> None:
        commit(self.root, message)

    def clone(self, folder: Path) -> Self:
        """A colleague's clone, with nothing but what git keeps."""
        run_git(folder.parent, "clone", "--quiet", str(self.root), str(folder))
        clone = type(self)(folder)
        clone.write("fake/runs.txt", "")
        return clone

    def dvc(self, *arguments: str, **environment: str) -> str:
        """A command of DVC, which must end well; what it said."""
        return self._run_well("dvc", *arguments, **environment)

    def build(self, *options: str, **environment: str) -> str:
        """`python -m flows.build`, which must end well; what it said."""
        return self._run_well(sys.executable, "-m", "flows.build", *options, **environment)

    def list_objects(self) -> dict[str, int]:
        """What its cache holds: the bytes of each object by its MD5."""
        return list_objects(self.root / ".dvc/cache")

    def _run_well(self, *command: str, **environment: str) -> str:
        done = self.run(*command, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def list_objects(store: Path) -> dict[str, int]:
    """What a cache, or a folder that is a remote, holds: the bytes of each object by its MD5."""
    files = (store / "files/md5").glob("??/*")
    return {file.parent.name + file.name: file.stat().st_size for file in files}


def commit(folder: Path, message: str) -> None:
    run_git(folder, "add", "--all")
    run_git(folder, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", message)


def run_git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)
