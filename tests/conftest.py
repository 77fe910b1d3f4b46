"""What every test may use."""

import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from tests.prefect_server import run_server
from tests.project import Project
from trust.keys import init_keys

settings.register_profile("without a clock", deadline=None)
settings.load_profile("without a clock")


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of fakes (tests/project.py), built; for copying only."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.make()
    assert len(project.repro()) == 12
    return project


@pytest.fixture
def project(built_once: Project, tmp_path: Path) -> Project:
    """A project of fakes of one's own, built."""
    return built_once.copy(tmp_path / "project")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Prefect server for the module's flows: the environment that names it."""
    with run_server(tmp_path_factory.mktemp("prefect")) as environment:
        yield environment


@pytest.fixture(scope="session")
def keys_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clone's keys and its root's certificate; for copying only."""
    folder = tmp_path_factory.mktemp("keys")
    with chdir(folder):
        init_keys("tests")
    return folder


@pytest.fixture
def keyed(keys_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to publish from, with keys of its own; it is the working one."""
    monkeypatch.delenv("UNDERSTUDY_PRIVATE", raising=False)
    folder = tmp_path / "keyed"
    shutil.copytree(keys_once, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that draws the same in every run."""
    return np.random.default_rng(20_261_120)
