"""One experiment of DVC in a clone of its own: nothing of the checkout is touched, and nothing is shared but the cache.

`dvc exp run --temp` in the checkout itself writes its settings into params.yaml for a moment, then resets the work
tree, and starts from whatever a person has edited meanwhile. In a clone of a commit nobody meets that.
"""

import configparser
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.command import run_command
from flows.graph import read_storage


@contextmanager
def clone_commit(commit: str, folder: Path) -> Iterator[None]:
    """A clone of this project at `commit` in `folder`, with the same cache, for as long as the block lasts."""
    try:
        run_command(["git", "clone", "--quiet", "--shared", "--no-checkout", ".", str(folder)])
        run_command(["git", "checkout", "--quiet", "--detach", commit], folder)
        _share_cache(folder / ".dvc/config.local")
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep_experiments(folder: Path) -> None:
    """Take over what has run in a clone; an experiment of the same name gives way."""
    run_command(["git", "fetch", "--quiet", "--no-write-fetch-head", str(folder), "+refs/exps/*:refs/exps/*"])


def _share_cache(target: Path) -> None:
    """What the checkout's own settings are, with its cache; DVC's notes on files go with the clone."""
    settings = configparser.RawConfigParser()
    settings.read(".dvc/config.local", encoding="utf-8")
    cache = read_storage().cache.parents[1].resolve()  # the cache's folder also holds DVC's record of runs
    for section, key, value in (("cache", "dir", cache), ("core", "site_cache_dir", target.parent.resolve() / "site")):
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, key, f'"{value}"')  # a comma would make a list of it
    with target.open("w", encoding="utf-8") as file:
        settings.write(file)
