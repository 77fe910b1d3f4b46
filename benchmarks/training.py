"""What training reaches in one minute and in ten, beside the mean face; and its speed beside the classic net in Keras.

    python -m benchmarks.training PERSON_A.mp4 PERSON_B.mp4 FOLDER [--minutes 1 10] [--set batch=16 ...] [--rounds N]
                                  [--beside [keras] [original]]

needs the dependency groups `test` and `tensorflow` (for Keras 3, which runs on torch here). FOLDER keeps the face sets
from run to run: each person's first 600 frames, the last tenth held out, 64 px. Speed is counted over the whole step:
the stage `train` is timed with few steps and with more, and the difference counts. "A minute" is as many faces as are
trained in it at the speed measured in the same run. L1 and DSSIM are means inside the face mask over the held-out
faces; the floor is the mean training face scored alike.
"""

import argparse
import contextlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import av
import torch
from ruamel.yaml import YAML

from benchmarks.extraction import Folder
from models.checkpoint import load_checkpoint
from models.losses import dssim, face_mask, l1
from models.roles import ROLES, Role
from models.tensors import to_tensor
from models.warp import cut_views
from stages.augment import augment
from stages.params import Params, Train, read_params
from stages.train import train
from vision.packed import open_expressions, open_packed, view_ratio

N_FRAMES = 600
SIZE_PX = 64
CLASSIC_BATCH = 16
FEW, MORE = 4, 24  # steps of the classic net; a net that is k times as fast is given k times as many
NEVER = 1_000_000
CLASSICS = ("keras", "original")
CLASSIC = {"arch": "original", "size": "base", "optimizer": "adamw"}


@dataclass(frozen=True)
class Score:
    """Means over a role's held-out faces, of the model and of the mean training face."""

    l1: float
    dssim: float
    floor_l1: float
    floor_dssim: float


def make_set(clip: Path, folder: Path, params: Params) -> Path:
    """The augmented set of a clip's first frames; the folder keeps it."""
    packed = folder / "augment"
    if packed.exists():
        return packed
    every = params.model_copy(
        update={
            "sample": params.sample.model_copy(update={"duplicate_threshold": 0.0}),
            "align": params.align.model_copy(update={"duplicate_levels": 0.0}),
        }
    )
    identity = Folder(folder, every)
    identity.clip.parent.mkdir(parents=True, exist_ok=True)
    _cut(clip, identity.clip)
    identity.sample()
    identity.detect()
    identity.align()
    changes = {"face_px": SIZE_PX, "validation_ratio": 0.1}
    augment(folder / "faceset", packed, params.augment.model_copy(update=changes), params.seed)
    return packed


def _cut(source: Path, target: Path) -> None:
    """The first frames of a clip, lossless."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        video = old.streams.video[0]
        stream = new.add_stream("libx264", rate=video.average_rate, options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        for frame in islice(old.decode(video), N_FRAMES):
            new.mux(stream.encode(frame.reformat(format="yuv420p")))
        new.mux(stream.encode(None))


class Runs:
    """Trainings of one pair of sets, each from scratch in a folder of its own."""

    def __init__(self, sets: dict[Role, Path], params: Params, folder: Path) -> None:
        self._sets, self._params, self._folder = sets, params, folder

    def train(self, params: Train) -> Path:
        """Train; the checkpoint."""
        root = Path(tempfile.mkdtemp(prefix="training-", dir=self._folder))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            train(
                source=self._sets["source"],
                target=self._sets["target"],
                output=root / "out",
                metrics=root / "metrics.json",
                curve=root / "loss.csv",
                strip=root / "strip.png",
                state=root / "state",
                work=root / "work",
                params=params,
                coverage_ratio=self._params.augment.coverage_ratio,
                crop_px=self._params.align.crop_px,
                seed=self._params.seed,
            )
        for folder in ("work", "state"):
            shutil.rmtree(root / folder)
        return root / "out/checkpoint.safetensors"

    def time(self, params: Train, n_steps: int) -> float:
        """Seconds of a training of one phase of so many steps."""
        began = time.perf_counter()
        shutil.rmtree(self.train(scale_phases(params, n_steps)).parent.parent)
        return time.perf_counter() - began

    def score(self, checkpoint: Path, role: Role) -> Score:
        """How the averaged weights restore a role's held-out faces."""
        loaded = load_checkpoint(checkpoint)
        stored = to_tensor(open_packed(self._sets[role] / "validation.npy"))
        views = cut_views(stored, view_ratio(), loaded.info.size_px)
        expressions = open_expressions(self._sets[role] / "validation-expressions.npy", len(stored))
        faces, masks = views[:, :3], face_mask(views[:, 3:])
        with torch.inference_mode():
            restored = loaded.model.restore(faces, expressions, role)[:, :3]
        still = to_tensor(loaded.mean_faces[role][None]).expand_as(faces)
        means = (float(f(pictures, faces, masks).mean()) for pictures in (restored, still) for f in (l1, dssim))
        return Score(*means)


def scale_phases(params: Train, n_steps: int) -> Train:
    """The same phases in proportion, `n_steps` in all, without a look at the held-out faces in between."""
    known = [phase.steps or 1 for phase in params.phases]
    ends = [round(n_steps * sum(known[: i + 1]) / sum(known)) for i in range(len(known))]
    lengths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    phases = [
        phase.model_copy(update={"steps": length, "fall": None, "warmup": min(phase.warmup, length)})
        for phase, length in zip(params.phases, lengths, strict=True)
        if length
    ]
    rare = dict.fromkeys(("validate_every", "checkpoint_every", "preview_every"), NEVER)
    return params.model_copy(update={"phases": phases, **rare})


def leave_mask_out(params: Train) -> Train:
    """The same without a loss of the mask, which the classic net does not make."""
    losses = [phase.losses.model_copy(update={"mask": 0.0}) for phase in params.phases]
    phases = [phase.model_copy(update={"losses": own}) for phase, own in zip(params.phases, losses, strict=True)]
    return params.model_copy(update={"phases": phases})


def measure_speeds(timed: dict[str, tuple[Callable[[int], float], int, int]], rounds: int) -> dict[str, float]:
    """Faces a second by name, medians of rounds in turns.

    timed: by name what gives the seconds of so many steps, how many times the steps, and the faces of one.
    """
    found: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds):
        for name, (take, times, n_faces) in timed.items():
            seconds = take(MORE * times) - take(FEW * times)
            found[name].append((MORE - FEW) * times * n_faces / seconds)
    return {name: median(speeds) for name, speeds in found.items()}


def time_keras(sets: dict[Role, Path]) -> Callable[[int], float]:
    """What gives the seconds of so many steps of the classic net in Keras; its batch is ready, not warped."""
    import keras  # noqa: PLC0415 - of this benchmark's own group

    model = _build_classic(keras)
    batch = [
        cut_views(to_tensor(open_packed(sets[role] / "train.npy")[:CLASSIC_BATCH]), view_ratio(), SIZE_PX)[:, :3]
        .permute(0, 2, 3, 1)
        .contiguous()
        for role in ROLES
    ]

    def take(n_steps: int) -> float:
        began = time.perf_counter()
        for _ in range(n_steps):
            model.train_on_batch(batch, batch)
        return time.perf_counter() - began

    take(1)
    return take


def _build_classic(keras: Any) -> Any:
    """The layer list of models/arch/original.py, channels last as Keras has it: float32, Adam, mean absolute error."""
    layers = keras.layers

    def shuffle(x: Any) -> Any:
        n, side = x.shape[-1] // 4, x.shape[1]
        blocks = keras.ops.transpose(keras.ops.reshape(x, (-1, side, side, n, 2, 2)), (0, 1, 4, 2, 5, 3))
        return keras.ops.reshape(blocks, (-1, 2 * side, 2 * side, n))

    def up(x: Any, n: int) -> Any:
        y = layers.LeakyReLU(negative_slope=0.1)(layers.Conv2D(4 * n, 3, padding="same")(x))
        return layers.Lambda(shuffle)(y)

    picture = keras.Input((SIZE_PX, SIZE_PX, 3))
    x = picture
    for n in (128, 256, 512, 1024):
        x = layers.LeakyReLU(negative_slope=0.1)(layers.Conv2D(n, 5, strides=2, padding="same")(x))
    x = layers.Dense(4 * 4 * 1024)(layers.Dense(1024)(layers.Flatten()(x)))
    encoder = keras.Model(picture, up(layers.Reshape((4, 4, 1024))(x), 512))
    faces = [keras.Input((SIZE_PX, SIZE_PX, 3)) for _ in ROLES]
    restored = []
    for face in faces:
        y = encoder(face)
        for n in (256, 128, 64):
            y = up(y, n)
        restored.append(layers.Conv2D(3, 5, padding="same", activation="sigmoid")(y))
    model = keras.Model(faces, restored)
    model.compile(optimizer=keras.optimizers.Adam(5e-5), loss=["mae", "mae"])
    return model


def read_train(params: Params, settings: list[str]) -> Train:
    """The params of `train` at 64 px, with changes `key=value` at their top."""
    values = params.train.model_dump() | {"size_px": SIZE_PX}
    for setting in settings:
        key, _, value = setting.partition("=")
        values[key] = YAML(typ="safe").load(value)
    return Train.model_validate(values)


def print_speeds(speeds: dict[str, float]) -> None:
    slowest = next(iter(speeds.values()))
    for name, speed in speeds.items():
        print(f"{name:32} {speed:8.1f} faces/s {speed / slowest:6.1f} times", flush=True)


def print_scores(name: str, runs: Runs, checkpoint: Path) -> None:
    for role in ROLES:
        score = runs.score(checkpoint, role)
        print(
            f"{name:>12} {role}: DSSIM {score.dssim:.4f} of {score.floor_dssim:.4f}, "
            f"{score.dssim / score.floor_dssim:.2f} of the floor; L1 {score.l1:.4f} of {score.floor_l1:.4f}, "
            f"{score.l1 / score.floor_l1:.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("person_a", type=Path)
    parser.add_argument("person_b", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, nargs="*", default=[1.0, 10.0])
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE", help="of train")
    parser.add_argument("--rounds", type=int, default=3, help="of the speeds")
    parser.add_argument("--beside", nargs="*", default=CLASSICS, choices=CLASSICS, help="classic nets timed as well")
    arguments = parser.parse_args()
    params = read_params()
    roles: dict[Role, Path] = {"source": arguments.person_b, "target": arguments.person_a}
    sets = {role: make_set(clip, arguments.folder / clip.stem, params) for role, clip in roles.items()}
    runs = Runs(sets, params, arguments.folder)
    ours = read_train(params, arguments.settings)
    classic = leave_mask_out(ours).model_copy(update={"batch": CLASSIC_BATCH, **CLASSIC})
    n_ours = 2 * ours.batch
    timed = {f"{ours.arch}, batch {ours.batch}": (lambda n: runs.time(ours, n), max(1, 300 // n_ours), n_ours)}
    if "original" in arguments.beside:
        timed = {"original": (lambda n: runs.time(classic, n), 1, 2 * CLASSIC_BATCH), **timed}
    if "keras" in arguments.beside:
        timed = {"original in Keras 3 on torch": (time_keras(sets), 1, 2 * CLASSIC_BATCH), **timed}
    speeds = measure_speeds(timed, arguments.rounds)
    print_speeds(speeds)
    for minutes in arguments.minutes:
        n_steps = round(list(speeds.values())[-1] * 60 * minutes / n_ours)
        began = time.perf_counter()
        checkpoint = runs.train(scale_phases(ours, n_steps))
        print(f"{minutes:g} min: {n_steps} steps, {n_steps * n_ours} faces, {time.perf_counter() - began:.0f} s")
        print_scores(f"{minutes:g} min", runs, checkpoint)
        print(f"{checkpoint}", flush=True)


if __name__ == "__main__":
    main()
