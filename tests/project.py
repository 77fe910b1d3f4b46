"""A project in a temporary folder: the real graph, params and code, with each stage but `check` replaced by a fake.

A fake writes bytes computed from the inputs that its stage declares, in milliseconds, so that what DVC and the flow
do with the real dvc.yaml can be seen without the cost of the real work.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from copy import deepcopy
from pathlib import Path
from typing import Any

from dvc.repo import Repo
from ruamel.yaml import YAML

from stages.params import read_params
from trust.keys import init_keys

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    *("flows", "stages", "trust", "vision", "models", "performers", "consent", "edits", "disk.py", "errors.py"),
    *("dvc.yaml", "params.yaml", "prefect.yaml", "requirements.lock", ".dvcignore", ".dvc/config"),
)
FAKED = ("sample", "detect", "align", "compare", "augment", "train", "convert", "evaluate")
CLIPS = ("clips/ada/take1.mp4", "clips/ben/take1.mp4", "performers/truth/demo.mp4", "performers/truth/demo.parquet")
FAKE = '''"""A stage that takes no time: writes bytes computed from its inputs, and does what behavior.json says."""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

name = os.environ["DVC_STAGE"]
stage = json.loads(Path("fake/stages.json").read_text())[name]
with Path("fake/runs.txt").open("a") as file:
    file.write(name + "\\n")
n_runs = Path("fake/runs.txt").read_text().split().count(name)
behavior = json.loads(Path("fake/behavior.json").read_text()).get(name, {})
print(behavior.get("say", f"{name} works"), flush=True)
if "wait" in behavior:
    Path(behavior["wait"]).write_text(str(os.getpid()))
    time.sleep(60)
if n_runs <= behavior.get("fail", 0):
    print(behavior.get("error", "ValueError: a bug"), file=sys.stderr)
    raise SystemExit(1)


def digest(path):
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


inputs = [digest(Path(dep)) for dep in stage["data"]]
for out in map(Path, stage["outs"]):
    params = stage["params"]
    if out.name in ("shots.parquet", "parts.parquet"):  # as sample does: the interval does not move a cut
        params = {"sample": params["sample"]}
    known = [*inputs, json.dumps(params, sort_keys=True)]
    if out.name == "faceset" and stage["faceset"] != "all":  # as align does: other clips do not touch the face set
        known = [digest(Path(stage["data"][0]) / clip) for clip in stage["faceset"]]
    file = out if out.suffix else out / "part"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\\n".join([out.name, *known]))
'''


class Project:
    """A copy of the project with fake stages, and what a test does with it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def copy(self, root: Path) -> "Project":
        """The same project in another folder, with its cache."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return Project(root)

    def make(self) -> None:
        """Copy the code and put the fakes and their clips in place."""
        for name in COPIED:
            copy_tree(ROOT / name, self.root / name)
        for clip in CLIPS:
            self.write(clip, f"frames of {clip}")
        self.make_keys()
        self.fake_stages()

    def make_keys(self) -> None:
        """Make the keys that this project signs with."""
        with chdir(self.root):
            init_keys("tests")

    def fake_stages(self) -> None:
        """Put the fakes in the stages' place."""
        for stage in FAKED:
            self.write(f"stages/{stage}.py", FAKE)
        self.write("fake/runs.txt", "")
        self.behave({})
        self.declare()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def change(self, change: Callable[[Any], object]) -> None:
        """Change the values of params.yaml, and tell the fakes what their stages declare then."""
        yaml = YAML()
        values = yaml.load((self.root / "params.yaml").read_text())
        change(values)
        yaml.dump(values, self.root / "params.yaml")
        self.declare()

    def add(self, section: str, key: str, like: str, **changes: object) -> None:
        """Add an entry to one of params.yaml's maps: that of `like`, with changes."""
        self.change(lambda values: values[section].update({key: {**deepcopy(values[section][like]), **changes}}))

    def behave(self, behavior: dict[str, dict[str, object]]) -> None:
        """What each fake does besides writing: `say` text, `fail` n times with an `error`, `wait` in a file's name."""
        self.write("fake/behavior.json", json.dumps(behavior))

    def declare(self) -> None:
        """Tell the fakes what their stages declare in dvc.yaml."""
        if not (self.root / "fake").exists():
            return
        identities = read_params(self.root / "params.yaml").identities
        declared: dict[str, object] = {}
        with Repo(str(self.root)) as repo:
            for stage in repo.index.stages:
                if stage.path_in_repo != "dvc.yaml":
                    continue  # of `dvc add` or `dvc import`
                key = stage.name.partition("@")[2]
                paths = [dep.def_path for dep in stage.deps if dep not in stage.params]
                declared[stage.name] = {
                    "data": [p for p in paths if not p.endswith((".py", ".txt")) and not p.startswith("consent/")],
                    "params": {name: value for part in stage.params for name, value in part.read_params().items()},
                    "outs": [out.def_path for out in stage.outs],
                    "faceset": identities[key].faceset if key in identities else "all",
                }
        self.write("fake/stages.json", json.dumps(declared))

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the project, with this Python's programs before others."""
        whole = self.environment(**environment)
        return subprocess.run(
            command, cwd=self.root, env=whole, capture_output=True, text=True, check=False, timeout=600
        )

    def environment(self, **changes: str) -> dict[str, str]:
        """What the project's processes find: this Python's programs first, and no other project's Prefect at home."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return dict(os.environ) | {"PATH": path, "PREFECT_HOME": str(self.root / ".work/prefect")} | changes

    def repro(self, *options: str) -> list[str]:
        """`dvc repro`; the stages that ran, in order."""
        before = self.read_runs()
        done = self.run("dvc", "repro", "-q", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.read_runs()[len(before) :]

    def read_runs(self) -> list[str]:
        return (self.root / "fake/runs.txt").read_text().split()


def copy_tree(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "truth"))
    else:
        shutil.copy2(source, target)
