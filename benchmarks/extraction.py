"""How fast faces are taken out of a clip: this project's stages beside the `mtcnn` package, mediapipe, and decoding.

    python -m benchmarks.extraction CLIP [--frames N] [--rounds N] [--no-memory]

needs the dependency groups `test` and `tensorflow` of pyproject.toml. From the clip's first frames a 1920x1080 one is
made (upscaled, grain of sigma 5, x264 medium at 20 Mb/s). Every row is measured in this process, in turns, with two
threads; the package on some frames of each round only. Then what was found is held against the package's faces of a
confidence of 0.95 and more, and detect's peak memory is measured on the clip and on one ten times as long.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["OMP_NUM_THREADS"] = os.environ["TF_NUM_INTRAOP_THREADS"] = "2"

import av
import cv2
import mediapipe
import numpy as np
import pandas as pd
import torch

from models.mtcnn import Detection
from models.mtcnn_package import PackageDetector
from stages.align import align
from stages.detect import detect
from stages.params import Params, read_params
from stages.sample import sample
from vision.boxes import overlap
from vision.edits import HEADER
from vision.tables import DETECTIONS, points, read_table

SIZE = (1080, 1920)
GRAIN = 5.0
BITS_PER_S = 20_000_000
SURE = 0.95
PACKAGE_FRAMES = 20  # of each round
SAME_FACE = 0.3


@dataclass(frozen=True)
class Folder:
    """An identity of one clip, in a temporary folder."""

    root: Path
    params: Params

    @property
    def clip(self) -> Path:
        return self.root / "clips/clip.mp4"

    def table(self, name: str) -> Path:
        return self.root / f"{name}.parquet"

    def sample(self) -> None:
        tables = (self.table(name) for name in ("shots", "parts", "frames"))
        sample(self.clip.parent, *tables, 0.04, "all", self.params.sample)

    def detect(self) -> None:
        tables = (self.table(name) for name in ("shots", "parts", "detections"))
        detect(self.clip.parent, *tables, self.params.detect)

    def align(self) -> None:
        edits = self.root / "tracks.csv"
        edits.write_text(HEADER + "\n")
        tables = (self.table(name) for name in ("shots", "parts", "frames", "detections"))
        align(
            self.clip.parent,
            *tables,
            edits,
            self.table("tracks"),
            self.root / "faceset",
            self.root / "tracks.html",
            self.params.align,
        )


def make_clip(source: Path, target: Path, n_frames: int) -> None:
    """The source's first frames at 1920x1080: upscaled to the height, borders repeated, with grain."""
    rng = np.random.default_rng(1)
    target.parent.mkdir(parents=True)
    rate = {"b": BITS_PER_S, "maxrate": BITS_PER_S, "bufsize": BITS_PER_S}
    options = {"preset": "medium"} | {name: str(value) for name, value in rate.items()}
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width = SIZE
        stream.pix_fmt, stream.bit_rate = "yuv420p", BITS_PER_S
        for frame in islice(old.decode(video=0), n_frames):
            picture = _enlarge(frame.to_ndarray(format="rgb24")) + rng.normal(0, GRAIN, (*SIZE, 1)).astype(np.float32)
            grainy = np.clip(picture, 0, 255).astype(np.uint8)
            new.mux(stream.encode(av.VideoFrame.from_ndarray(grainy, format="rgb24")))
        new.mux(stream.encode(None))


def _enlarge(picture: np.ndarray) -> np.ndarray:
    height, width = SIZE
    scaled = min(width, round(picture.shape[1] * height / picture.shape[0]))
    large = cv2.resize(picture, (scaled, height), interpolation=cv2.INTER_CUBIC)
    left = (width - scaled) // 2
    return cv2.copyMakeBorder(large, 0, 0, left, width - scaled - left, cv2.BORDER_REPLICATE).astype(np.float32)


def repeat_clip(source: Path, target: Path, n_times: int) -> None:
    """The clip over and over, its packets as they are."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(target), "w") as new:
        stream = shift = None
        for turn in range(n_times):
            with av.open(str(source)) as old:
                template = old.streams.video[0]
                stream = stream or new.add_stream_from_template(template)
                shift = template.duration * turn
                for packet in old.demux(template):
                    if packet.dts is not None:
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = stream
                        new.mux(packet)


def read_pictures(clip: Path) -> Iterator[av.VideoFrame]:
    """The clip's frames as libav gives them with two threads, and nothing more."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "AUTO", 2
        yield from container.decode(stream)


class Package:
    """The `mtcnn` package on a few frames of each round; it keeps what it found."""

    def __init__(self, clip: Path, n_frames: int, params: Params) -> None:
        self._clip, self._n_frames, self._round = clip, n_frames, 0
        self._detector = PackageDetector(params.detect.min_face_ratio, params.detect.thresholds)
        self.found: dict[int, list[Detection]] = {}

    def run(self) -> float:
        """Seconds for PACKAGE_FRAMES frames, decoding not counted."""
        step = self._n_frames // PACKAGE_FRAMES
        chosen = range(self._round % step, step * PACKAGE_FRAMES, step)
        self._round += 1
        pictures = [
            (index, frame.to_ndarray(format="rgb24"))
            for index, frame in enumerate(read_pictures(self._clip))
            if index in chosen
        ]
        start = time.perf_counter()
        for index, picture in pictures:
            self.found[index] = self._detector.find([picture])[0]
        return time.perf_counter() - start


def run_mediapipe(clip: Path) -> None:
    """mediapipe's own detector, of the range that fits, on every frame."""
    with mediapipe.solutions.face_detection.FaceDetection(model_selection=1) as detector:
        for frame in read_pictures(clip):
            detector.process(frame.to_ndarray(format="rgb24"))


def time_run(run: Callable[[], object], n_frames: int) -> Callable[[], float]:
    """The same as a row of the table: frames a second."""

    def row() -> float:
        start = time.perf_counter()
        run()
        return n_frames / (time.perf_counter() - start)

    return row


def measure(rows: dict[str, Callable[[], float]], n_rounds: int) -> dict[str, float]:
    """Each row's median over the rounds, in which the rows take turns. A round before them warms up."""
    rounds = [{name: row() for name, row in rows.items()} for _ in range(n_rounds + 1)]
    return {name: median(one[name] for one in rounds[1:]) for name in rows}


def compare(found: pd.DataFrame, package: dict[int, list[Detection]]) -> str:
    """How many of the package's sure faces were found, and how far the landmarks lie apart."""
    n_sure, errors = 0, []
    for index, faces in package.items():
        rows = found[found["frame"] == index]
        boxes = rows[["x1", "y1", "x2", "y2"]].to_numpy(np.float64)
        for face in faces:
            if face.confidence < SURE:
                continue
            n_sure += 1
            covered = overlap(face.box[None].astype(np.float64), boxes)[0] if len(boxes) else np.zeros(1)
            if covered.max() >= SAME_FACE:
                five = points(rows["five"].iloc[int(covered.argmax())])
                errors.append(np.hypot(*(five - face.five).T).mean() / np.hypot(*(face.five[1] - face.five[0])))
    return (
        f"{len(errors)} of its {n_sure} sure faces; landmarks {100 * median(errors):.1f} % of the eyes' distance apart"
    )


def measure_memory(folder: Folder) -> int:
    """Peak of a process that runs detect, MB."""
    code = (
        "import re, sys; from pathlib import Path; from benchmarks.extraction import Folder, read_params\n"
        "folder = Folder(Path(sys.argv[1]), read_params()); folder.detect()\n"
        # Not getrusage: its peak begins with that of the process that started this one.
        "print(int(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1]) // 1024)"
    )
    command = [sys.executable, "-c", code, str(folder.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def print_table(speeds: dict[str, float]) -> None:
    """Each row's speed, how many times the package's it is, and its share of decoding's."""
    print(f"{'':26}{'frames/s':>10}{'x package':>11}{'/ decode':>10}")
    for name, speed in speeds.items():
        print(f"{name:26}{speed:10.1f}{speed / speeds['mtcnn package']:11.1f}{speed / speeds['decode only']:10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-memory", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    params = read_params()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Folder(Path(temporary) / "once", params)
        make_clip(arguments.clip, folder.clip, arguments.frames)
        package = Package(folder.clip, arguments.frames, params)
        runs = {
            "sample": folder.sample,
            "detect": folder.detect,
            "align": folder.align,
            "mediapipe's own detector": lambda: run_mediapipe(folder.clip),
            "decode only": lambda: deque(read_pictures(folder.clip), maxlen=0),
        }
        rows = {name: time_run(run, arguments.frames) for name, run in runs.items()}
        rows["mtcnn package"] = lambda: PACKAGE_FRAMES / package.run()
        print_table(measure(rows, arguments.rounds))
        print(f"detect finds {compare(read_table(folder.table('detections'), DETECTIONS), package.found)}")
        if not arguments.no_memory:
            longer = Folder(Path(temporary) / "often", params)
            repeat_clip(folder.clip, longer.clip, 10)
            longer.sample()
            print(f"peak memory of detect: {measure_memory(folder)} MB, ten times as long {measure_memory(longer)} MB")


if __name__ == "__main__":
    main()
