"""Swap one person of real footage by another in a checkout of its own, outside the repository; nothing is copied in.

    python -m benchmarks.swap_footage SOURCE.mp4 TARGET.mp4 FOLDER [--set train.size_px=64 ...]

FOLDER becomes a clone of this repository with links to the two clips and a params file for them; the flow is run there.
Only with people who agreed to it.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from errors import FlowError, one_line_errors

ROOT = Path(__file__).resolve().parent.parent
BLEND = {
    "color_transfer": "skin",
    "erosion_ratio": 0.02,
    "feather_ratio": 0.04,
    "detail": 0.25,
    "exchange_ratio": 0.75,
    "mask": "learned",
}


def prepare(source: Path, target: Path, folder: Path, settings: list[str]) -> None:
    """Clone the repository to `folder`, link the clips and write its params. Raises FlowError."""
    if folder.exists():
        raise FlowError(f"{folder} exists already; name a new folder")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    for name, clip in (("source", source), ("target", target)):
        (folder / "clips" / name).mkdir(parents=True)
        (folder / "clips" / name / clip.name).symlink_to(clip.resolve())
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    person = {"consent": "unverified", "interval_s": 0.04, "faceset": "all"}
    params["identities"] = {name: {"clips": f"clips/{name}", **person} for name in ("source", "target")}
    params["pairs"] = {"swap": {"source": "source", "target": "target"}}
    place = {"pair": "swap", "source": "source", "target": "target", "clip": f"clips/target/{target.name}"}
    place["purpose"] = "forensics"
    params["takes"] = {"swap": {**place, "blend": dict(BLEND), "truth": None}}
    for setting in settings:
        _change(params, setting)
    yaml.dump(params, folder / "params.yaml")


def _change(params: dict[str, Any], setting: str) -> None:
    """Apply `section.key=value`; the value is read as YAML."""
    path, _, value = setting.partition("=")
    *sections, key = path.split(".")
    for section in sections:
        params = params[section]
    params[key] = YAML(typ="safe").load(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    with one_line_errors():
        prepare(arguments.source, arguments.target, arguments.folder, arguments.settings)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    keys = [sys.executable, "-m", "trust.keys", "init", "--name", "a benchmark"]
    subprocess.run(keys, cwd=arguments.folder, env=environment, check=True)
    subprocess.run([sys.executable, "-m", "flows.build"], cwd=arguments.folder, env=environment, check=True)


if __name__ == "__main__":
    main()
