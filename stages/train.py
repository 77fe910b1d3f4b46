"""Both identities' sets of a pair -> checkpoint (safetensors), curve (CSV), metrics (JSON), pictures (PNG)."""

import os

# Set before torch is loaded: threads that wait soon sleep. Spinning ones take the cores from whatever else runs: a step
# beside other work took up to ten times as long; alone, it takes as long as before.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

import hashlib
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.utilities import rank_zero_only

from errors import StoppedError, TrainingError, one_line_errors
from models.autoencoder import Autoencoder, build_autoencoder
from models.batches import FacePairs, Span
from models.board import Board
from models.checkpoint import CheckpointInfo, load_checkpoint
from models.critic import Critic
from models.ending import Ending
from models.interruption import noted_interrupts
from models.keeper import End, Intervals, Keeper, Places, Watched
from models.memory import keep_freed_memory
from models.optimizer import make_optimizer
from models.roles import ROLES, Role
from models.schedule import Schedule
from models.share import find_share
from models.state import Progress, copy_state, find_states, load_state, read_first_step, state_file, step_of
from models.training import Recipe, Training
from stages.params import Phase, Start, Train, pick, read_key, read_params
from stages.permission import require_consent
from stages.train_results import Results, count_parameters
from vision.hashing import hash_file
from vision.whole import whole_folder

HELD_OUT = 256  # validation faces of each identity that are scored, evenly over all
SHOWN = 1024  # training faces of each identity that codes are regressed on, evenly over its draws
# Of the key of a phase's states.
_NO_RESULT = {"start", "phases", "validate_every", "checkpoint_every", "preview_every", "tensorboard"}
_FILES = ("train", "train-expressions", "validation", "validation-expressions")


@dataclass(frozen=True)
class _Run:
    """What every phase of one training shares."""

    training: Training
    faces: FacePairs
    watched: Watched
    params: Train
    seed: int
    work: Path
    interrupted: threading.Event
    board: Board | None


def train(
    source: Path,
    target: Path,
    output: Path,
    metrics: Path,
    curve: Path,
    strip: Path,
    state: Path,
    work: Path,
    params: Train,
    coverage_ratio: float,
    crop_px: int,
    seed: int,
) -> None:
    """Train phase after phase, going on from the newest state in `work`, and write what is shared.

    `state` is a folder for the last state, from which a longer phase or one more goes on. Where several processes train
    (`devices`, `nodes`), the first one writes. Raises TrainingError where the loss is not finite, the device or what to
    start from is missing; StoppedError after Ctrl-C, when the state is kept.
    """
    _set_up_torch(params)
    folders: dict[Role, Path] = {"source": source, "target": target}
    has_partners, is_pinned = params.code_mix > 0, params.device == "cuda"
    faces = FacePairs(folders, params.batch, seed, params.balance, has_partners, is_pinned)
    watched = Watched(faces.pick_held_out(HELD_OUT), faces.pick_drawn(SHOWN))
    model = build_autoencoder(params.arch, params.size_px, params.size, seed)
    for role in ROLES:
        model.coder(role).learn_habit(faces.train[role].expressions)
    if params.start is not None:
        _start_from(model, params.start, params)
    critic = Critic(seed) if any(phase.losses.adversarial > 0 for phase in params.phases) else None
    optimizer = make_optimizer(params.optimizer, model, params.weight_decay)
    training = Training(model, params.size_px, optimizer, critic)
    if params.compile:
        model.compile()
    with noted_interrupts() as interrupted, _opened_board(work, params) as board:
        run = _Run(training, faces, watched, params, seed, work, interrupted, board)
        _say(f"{count_parameters(model):.1f} million parameters; preview: {work / 'preview.png'}")
        states = [work / key for key in _phase_keys(folders, run, coverage_ratio)]
        progress = _train_phases(run, states)
    if find_share().rank > 0:
        return
    info = CheckpointInfo(params.arch, params.size_px, params.size, coverage_ratio, crop_px, seed)
    Results(training, faces, watched, progress, info).write(output, metrics, curve, strip)
    with whole_folder(state) as folder:
        copy_state(state_file(states[-1], training.step), folder / states[-1].name)


@rank_zero_only
def _say(line: str) -> None:
    print(f"train: {line}", flush=True)


def _set_up_torch(params: Train) -> None:
    if params.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("train.device is cuda, but torch finds no CUDA device here; set it to cpu")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)  # which devices it found, and advertisements
    keep_freed_memory()
    torch.set_num_threads(params.threads)
    torch.use_deterministic_algorithms(params.device == "cpu")
    # Nothing reads it, and filling it takes 7 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if params.device == "cpu" and params.precision == "bf16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        _say("this CPU has no bfloat16 arithmetic: precision bf16 is several times slower than float32 here")


def _start_from(model: Autoencoder, start: Start, params: Train) -> None:
    """Give the model the shared weights of another training's checkpoint. Raises TrainingError, CheckpointError."""
    path = Path(start.checkpoint)
    if not path.is_file() or hash_file(path) != start.sha256:
        raise TrainingError(f"train.start: {path} is missing, or has another SHA-256; pull it, or change its sha256")
    other = load_checkpoint(path)
    info = other.info
    if (info.arch, info.size_px, info.size) != (params.arch, params.size_px, params.size):
        told = f"{info.arch}, {info.size_px} px, {info.size}"
        raise TrainingError(f"train.start: {path} is of another model ({told}); train one of that kind, or from null")
    model.begin_with(other.model)


@contextmanager
def _opened_board(work: Path, params: Train) -> Iterator[Board | None]:
    """TensorBoard's folder, where it is wanted; of several processes the first one writes."""
    if not params.tensorboard or getattr(rank_zero_only, "rank", 0) > 0:
        yield None
        return
    board = Board(work / "tensorboard")
    try:
        yield board
    finally:
        board.close()


def _phase_keys(folders: dict[Role, Path], run: _Run, coverage_ratio: float) -> list[str]:
    """A name for the states of each phase: all that decides them, but not the phase's own length.

    So a phase made longer, or one more phase, goes on from what is there; a rate that falls knows from the start over
    how many steps.
    """
    params = run.params
    common = params.model_dump(exclude=_NO_RESULT)
    start = params.start and params.start.sha256  # wherever it lies
    facts: list[object] = [run.seed, coverage_ratio, common, start, torch.__version__, np.__version__]
    facts += [hash_file(folders[role] / f"{split}.npy") for role in ROLES for split in _FILES]
    facts += [hash_file(path) for path in _own_code()]
    keys = []
    for phase in params.phases:
        own = phase.model_dump(exclude={"steps", "epochs", "fall"})
        beginning = [*facts, own, _n_falling(run, phase), params.validate_every]
        keys.append(hashlib.sha256(json.dumps(beginning).encode()).hexdigest())
        facts.append(phase.model_dump())
    return keys


def _own_code() -> Iterator[Path]:
    """The files of this repository that are loaded and decide what training does."""
    root = Path(__file__).resolve().parent.parent
    for name in sorted(sys.modules):
        file = getattr(sys.modules[name], "__file__", None)
        if file and name.split(".")[0] in ("models", "vision") and Path(file).is_relative_to(root):
            yield Path(file)


def _train_phases(run: _Run, states: list[Path]) -> Progress:
    """Train what is left of every phase. `states`: the folder of each phase's states."""
    first, progress = _resume(run, states)
    for index in range(first, len(states)):
        if index > first:
            progress.first_step = run.training.step
        _run_phase(run, progress, run.params.phases[index], states[index])
        if run.interrupted.is_set():
            raise StoppedError(_tell_interrupt(run, progress, run.params.phases[: index + 1]))
    return progress


def _tell_interrupt(run: _Run, progress: Progress, phases: list[Phase]) -> str:
    """Where a training was stopped, and the line of params.yaml that makes a result of it."""
    told = f"train: stopped at step {run.training.step}, which is kept: the next run goes on from there"
    n_steps, fall = run.training.step - progress.first_step, _n_falling(run, phases[-1]) or None
    last = phases[-1].model_copy(update={"steps": n_steps, "epochs": None, "fall": fall})
    done = [phase.model_dump() for phase in [*phases[:-1], last] if phase.steps != 0]
    return f"{told}; to make it the result, set train's phases: {json.dumps(done)}"


def _resume(run: _Run, states: list[Path]) -> tuple[int, Progress]:
    """Load the newest good state of the latest phase that has one: (index of the phase, progress)."""
    for index in reversed(range(len(states))):
        for state in find_states(states[index]):
            progress = _try_state(run, state, run.params.phases[index])
            if progress is not None:
                _say(f"goes on from step {run.training.step}")
                return index, progress
    return 0, Progress()


def _try_state(run: _Run, state: Path, phase: Phase) -> Progress | None:
    """The progress of a state that is good and not beyond the end of its phase, loaded into the training."""
    try:
        first_step = read_first_step(state)
        if step_of(state) > first_step + _n_steps(run, phase):
            return None
        return load_state(state, run.training)
    except ValueError as error:
        print(f"train: a damaged state is left aside: {error}", file=sys.stderr, flush=True)
        return None


def _n_steps(run: _Run, phase: Phase) -> int:
    return phase.steps if phase.steps is not None else (phase.epochs or 0) * run.faces.steps_per_epoch


def _n_falling(run: _Run, phase: Phase) -> int:
    """Steps over which the rate of a phase falls: all of its own where nothing else is said, 0 of a constant one."""
    return 0 if phase.schedule == "constant" else phase.fall or _n_steps(run, phase)


def _run_phase(run: _Run, progress: Progress, phase: Phase, states: Path) -> None:
    """Train one phase from where it stands to its end."""
    training, params = run.training, run.params
    end = progress.first_step + _n_steps(run, phase)
    ending = Ending(phase.until_loss, phase.patience)
    if training.step >= end or ending.is_reached(progress):
        return
    training.recipe = Recipe(
        schedule=Schedule(phase.schedule, phase.rate, phase.warmup, progress.first_step, _n_falling(run, phase)),
        warp=phase.warp,
        noise=params.code_noise,
        mix=params.code_mix,
        losses=phase.losses.model_dump(),
        emphasis=params.emphasis,
        ema_decay=params.ema_decay,
        flip=params.flip,
        seed=run.seed,
    )
    run.faces.span = Span(training.step, end)
    intervals = Intervals(params.validate_every, params.checkpoint_every, params.preview_every)
    places = Places(states, run.work)
    keeper = Keeper(places, run.watched, progress, intervals, End(end, ending, run.interrupted), run.board)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")  # advice on workers and logging
        warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)  # Lightning 2.6, torch's pytree
        _make_trainer(params, keeper, end - training.step).fit(training, run.faces)


def _make_trainer(params: Train, keeper: Keeper, n_steps: int) -> Trainer:
    return Trainer(
        accelerator=params.device,
        devices=params.devices,
        num_nodes=params.nodes,
        strategy="ddp" if params.devices * params.nodes > 1 else "auto",
        use_distributed_sampler=False,
        precision="bf16-mixed" if params.precision == "bf16" else "32-true",
        max_steps=n_steps,
        callbacks=[keeper],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def main() -> None:
    with one_line_errors():
        key = read_key("train")
        params = read_params()
        require_consent("train", key, params)
        pair = pick(params.pairs, "pairs", key)
        train(
            source=Path(f"data/augment/{pair.source}"),
            target=Path(f"data/augment/{pair.target}"),
            output=Path(f"data/train/{key}"),
            metrics=Path(f"metrics/train/{key}.json"),
            curve=Path(f"plots/train/{key}/loss.csv"),
            strip=Path(f"plots/train/{key}/strip.png"),
            state=Path(f"data/train/{key}.state"),
            work=Path(f".work/train@{key}"),
            params=params.train,
            coverage_ratio=params.augment.coverage_ratio,
            crop_px=params.align.crop_px,
            seed=params.seed,
        )


if __name__ == "__main__":
    main()
