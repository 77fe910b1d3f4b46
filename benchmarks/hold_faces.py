"""How long DVC takes over large face sets: a build with nothing to do, and a new face set taken into the cache.

    python -m benchmarks.hold_faces [--faces 50000] [--new 5000] [--crop-kb 90] [--folder DIR]

In a project of fake stages (tests/project.py) the face set of one person is replaced by shards of the real layout (500
faces each) filled with noise of the size that crops of 256 px have as PNG. Printed are seconds of wall time.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.project import Project
from vision.faceset import FacesetWriter
from vision.tables import POSE

STAGE, FOLDER = "align@ada", Path("data/align/ada/faceset")
_NUMBERS = {column.name for column in POSE} | {"sharpness"}


def write_faces(folder: Path, n_faces: int, crop_bytes: int, seed: int) -> None:
    """Replace a face set by one of `n_faces` whose pictures are noise."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    rng = np.random.default_rng(seed)
    writer = FacesetWriter(folder)
    for frame in range(n_faces):
        writer.write(
            dict.fromkeys(_NUMBERS, 0.5)
            | {"clip": "take1.mp4", "clip_sha256": "0" * 64, "frame": frame, "pts": frame, "track": 0, "kind": "mesh"}
            | {"picture": rng.bytes(crop_bytes), "landmarks": rng.random(956, np.float32), "reason": ""}
            | {"frame_to_crop": np.eye(2, 3).ravel()}
        )
    writer.close()


def take_time(project: Project, *command: str) -> float:
    """Seconds that a command takes in the project. Raises CalledProcessError."""
    began = time.monotonic()
    done = project.run(*command)
    seconds = time.monotonic() - began
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hold_faces", description=__doc__)
    parser.add_argument("--faces", type=int, default=50_000)
    parser.add_argument("--new", type=int, default=5_000)
    parser.add_argument("--crop-kb", type=int, default=90)
    parser.add_argument("--folder", type=Path, help="where there is room; default: the folder for temporary files")
    arguments = parser.parse_args()
    dvc = (sys.executable, "-m", "dvc")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        project = Project(Path(folder) / "project")
        project.make()
        project.repro()
        print(f"dvc repro, nothing to do: {take_time(project, *dvc, 'repro', '-q'):.2f} s")
        if "PREFECT_API_URL" in os.environ:
            flow = take_time(project, sys.executable, "-m", "flows.build")
            print(f"the flow, nothing to do, reporting to {os.environ['PREFECT_API_URL']}: {flow:.2f} s")
        write_faces(project.root / FOLDER, arguments.faces, 1000 * arguments.crop_kb, seed=1)
        size_gb = sum(file.stat().st_size for file in (project.root / FOLDER).iterdir()) / 1e9
        seconds = take_time(project, *dvc, "commit", "--force", "--quiet", STAGE)
        print(f"{arguments.faces} faces ({size_gb:.2f} GB) committed: {seconds:.2f} s")
        project.repro()
        for name, options in (("dvc repro", ("repro", "-q")), ("dvc status", ("status", "-q"))):
            print(f"{name} with them, nothing to do: {take_time(project, *dvc, *options):.2f} s")
        write_faces(project.root / FOLDER, arguments.new, 1000 * arguments.crop_kb, seed=2)
        seconds = take_time(project, *dvc, "commit", "--force", "--quiet", STAGE)
        print(f"a new face set of {arguments.new} faces committed: {seconds:.2f} s")


if __name__ == "__main__":
    main()
