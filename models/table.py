"""The architectures in their sizes: parameters, FLOPs and faces/s, measured here.

    python -m models.table [--size-px 128] [--batch 8] [--threads 2] [--precision float32] [--arch compact ...]

Parameters count both decoders; FLOPs are of one face through encoder and one decoder, a multiplication and an addition
counting as two; faces/s are of the whole training step, with Muon, on this machine's CPU, both identities counted.
"""

import argparse
import time
from collections.abc import Iterator
from pkgutil import iter_modules

import torch
from torch.utils.flop_counter import FlopCounterMode

import models.arch
from models.autoencoder import Autoencoder, build_autoencoder
from models.batches import EXPRESSIONS, Batch
from models.expression import N_FEATURES
from models.optimizer import make_optimizer
from models.roles import ROLES
from models.schedule import Schedule
from models.sizes import SCALES, Size
from models.training import Recipe, Training
from vision.expression import EXPRESSION
from vision.packed import stored_px

ARCHS = tuple(module.name for module in iter_modules(models.arch.__path__))
SECONDS = 3.0  # at least, that a speed is measured for
RECIPE = Recipe(
    schedule=Schedule("constant", rate=1e-4, warmup=0, first_step=0, fall=0),
    warp=1.0,
    noise=0.3,
    mix=0.0,
    losses={"dssim": 1.0, "ms_dssim": 0.0, "l1": 1.0, "gradient": 0.0, "mask": 0.0, "adversarial": 0.0},
    emphasis=1.0,
    ema_decay=0.99,
    flip=False,
    seed=1,
)


def count_flops(model: Autoencoder, size_px: int) -> int:
    """FLOPs of one face through the encoder and one decoder."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model.decode(model.encoder(torch.zeros(1, 3, size_px, size_px)), torch.zeros(1, N_FEATURES), "source")
    return int(counter.get_total_flops())


def measure_speed(training: Training, batch: int, precision: str) -> float:
    """Faces a second of the training step, of both identities."""
    training.recipe = RECIPE
    side = stored_px(training.size_px)
    faces: Batch = {role: torch.randint(256, (batch, side, side, 4), dtype=torch.uint8) for role in ROLES}
    faces |= {role + EXPRESSIONS: torch.zeros(batch, len(EXPRESSION)) for role in ROLES}
    _make_step(training, faces, precision)
    n_steps, began = 0, time.perf_counter()
    while n_steps < 2 or time.perf_counter() - began < SECONDS:
        _make_step(training, faces, precision)
        n_steps += 1
    return n_steps * 2 * batch / (time.perf_counter() - began)


def _make_step(training: Training, faces: Batch, precision: str) -> None:
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        loss = training.training_step(faces, 0)
    training.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    training.optimizer.step()
    training.finish_step(float(loss.detach()))


def list_rows(archs: list[str], size_px: int, batch: int, precision: str) -> Iterator[str]:
    """A line for each architecture and size; `original` has its own side of 64."""
    yield f"{'arch':10}{'size':8}{'px':>4}{'parameters':>14}{'GFLOPs/face':>13}{'faces/s':>10}"
    for arch in archs:
        side = 64 if arch == "original" else size_px
        for size in SCALES:
            yield _describe(arch, size, side, batch, precision)


def _describe(arch: str, size: Size, size_px: int, batch: int, precision: str) -> str:
    model = build_autoencoder(arch, size_px, size, seed=1)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    flops = count_flops(model, size_px) / 1e9
    speed = measure_speed(Training(model, size_px, make_optimizer("muon", model, 0.01)), batch, precision)
    return f"{arch:10}{size:8}{size_px:4}{millions:12.1f} M{flops:13.2f}{speed:10.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size-px", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--arch", nargs="*", default=list(ARCHS), choices=ARCHS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for row in list_rows(arguments.arch, arguments.size_px, arguments.batch, arguments.precision):
        print(row, flush=True)


if __name__ == "__main__":
    main()
