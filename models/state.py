"""Resumable states of a training: written whole, the newest good one loaded."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from models.strip import Strip
from models.training import Training
from vision.hashing import hash_file, hash_once
from vision.whole import whole_file

KEPT = 2
DIGEST = ".sha256"  # ending of the file beside a state that holds its SHA-256

# Step, mean training loss since the last line, DSSIM of source and target, learning rate.
LogLine = tuple[int, float, float, float, float]


@dataclass
class Progress:
    """Where a training stands besides its weights: the step at which its phase began, the log and the strip so far."""

    first_step: int = 0
    log: list[LogLine] = field(default_factory=list)
    strip: Strip = field(default_factory=Strip)


def save_state(folder: Path, training: Training, progress: Progress) -> None:
    """Write the state at the training's step as `step-<n>.pt`; it and the latest other are kept.

    Others may be of later steps, where a phase was made shorter or they are damaged: they never displace this one.
    """
    path = state_file(folder, training.step)
    state = {
        "step": training.step,
        "recent": training.recent,
        "first_step": progress.first_step,
        "log": progress.log,
        "strip": progress.strip.rows,
        "model": training.model.state_dict(),
        "averaged": training.averaged.state_dict(),
        "optimizer": training.optimizer.state_dict(),
    }
    if training.critic is not None:
        state |= {"critic": training.critic.state_dict(), "critic_optimizer": training.critic.optimizer.state_dict()}
    with whole_file(path) as partial:
        with partial.open("wb") as file:  # into a path's archive torch would write the path's name
            torch.save(state, file)
        with whole_file(_digest_file(path)) as beside:
            beside.write_text(hash_file(partial))
    for old in [other for other in find_states(folder) if other != path][KEPT - 1 :]:
        old.unlink()
        _digest_file(old).unlink(missing_ok=True)


def copy_state(state: Path, folder: Path) -> None:
    """Copy a state and its digest to a folder, which is made."""
    folder.mkdir(parents=True)
    for file in (state, _digest_file(state)):
        shutil.copyfile(file, folder / file.name)


def state_file(folder: Path, step: int) -> Path:
    """Where the state of a step lies in a folder."""
    return folder / f"step-{step:08d}.pt"


def load_state(path: Path, training: Training) -> Progress:
    """Put a state into a training that was built alike. Raises ValueError where the file is damaged or does not fit."""
    state = _read(path)
    try:
        training.model.load_state_dict(state["model"])
        training.averaged.load_state_dict(state["averaged"])
        training.optimizer.load_state_dict(state["optimizer"])
        if training.critic is not None and "critic" in state:  # none where no phase before was adversarial
            training.critic.load_state_dict(state["critic"])
            training.critic.optimizer.load_state_dict(state["critic_optimizer"])
        training.step, training.recent = int(state["step"]), list(state["recent"])
        log = [tuple(line) for line in state["log"]]
        return Progress(int(state["first_step"]), log, Strip(list(state["strip"])))
    except (RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def read_first_step(path: Path) -> int:
    """The step at which a state's phase began. Raises ValueError where the file is damaged."""
    return int(_read(path).get("first_step", 0))


def find_states(folder: Path) -> list[Path]:
    """The states of a folder, newest first."""
    return sorted(folder.glob("step-*.pt"), reverse=True)


def step_of(path: Path) -> int:
    """The step of a state, from its file's name."""
    return int(path.stem.removeprefix("step-"))


def _digest_file(state: Path) -> Path:
    return state.with_name(state.name + DIGEST)


def _check_digest(path: Path) -> None:
    """Raise ValueError where a state is not what was written: torch's own reading does not notice a changed weight."""
    try:
        written = _digest_file(path).read_text()
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: its SHA-256 beside it cannot be read ({error})") from error
    if hash_once(path) != written:
        raise ValueError(f"{path}: is not what was written, by its SHA-256")


def _read(path: Path) -> dict[str, Any]:
    _check_digest(path)
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    except (RuntimeError, EOFError, UnpicklingError, OSError) as error:
        raise ValueError(f"{path}: {error}") from error
    return state
