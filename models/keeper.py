"""What happens between two training steps: counting, validating, keeping states, drawing previews, showing progress."""

import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from tqdm import tqdm

from models.batches import Batch, FaceSample
from models.board import Board
from models.ending import Ending
from models.pace import Pace
from models.preview import draw_preview, draw_swaps
from models.roles import ROLES, Role
from models.state import Progress, save_state
from models.strip import Strip
from models.training import Training
from vision.crops import encode_png
from vision.whole import whole_file


@dataclass(frozen=True)
class Intervals:
    """Steps between two validations, states, previews."""

    validate: int
    checkpoint: int
    preview: int


@dataclass(frozen=True)
class Watched:
    """Faces that a training is watched by: held-out ones, and some of those that it is shown."""

    held_out: dict[Role, FaceSample]
    shown: dict[Role, FaceSample]


@dataclass(frozen=True)
class Places:
    """Where a phase keeps its states, and where the newest previews lie."""

    states: Path
    previews: Path


@dataclass(frozen=True)
class End:
    """When a phase ends: at a step, by its ending, or by an interrupt that was noted."""

    step: int
    ending: Ending
    interrupted: threading.Event


class Keeper(Callback):
    """Watches over one phase, from `training.step` to its end. Where several processes train, the first one writes."""

    def __init__(
        self, places: Places, watched: Watched, progress: Progress, intervals: Intervals, end: End, board: Board | None
    ) -> None:
        self._places, self._watched, self._progress = places, watched, progress
        self._intervals, self._end, self._board = intervals, end, board
        self._bar: tqdm[None]
        self._pace = Pace()

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, Training)
        seconds = 0.5 if sys.stderr.isatty() else 10.0
        self._bar = tqdm(
            desc="train",
            unit="step",
            initial=module.step,
            total=self._end.step,
            mininterval=seconds,
            maxinterval=seconds,
            disable=not trainer.is_global_zero,
        )
        self._pace.leave()

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: Batch, batch_idx: int) -> None:
        del module, batch_idx
        n_own = sum(len(cast(Tensor, batch[role])) for role in ROLES)
        self._pace.enter(n_own * trainer.world_size)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        del batch, batch_idx
        assert isinstance(module, Training)
        assert isinstance(outputs, dict)
        module.finish_step(float(trainer.strategy.reduce(outputs["loss"])))
        self._pace.finish()
        has_ended = module.step % self._intervals.validate == 0 and self._validate(module)
        is_stopped = has_ended or self._end.interrupted.is_set()
        trainer.should_stop = trainer.strategy.reduce_boolean_decision(is_stopped, all=False)
        if trainer.is_global_zero:
            self._keep(module, module.step == self._end.step or trainer.should_stop)
        self._bar.update()
        self._pace.leave()

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        del module
        self._bar.close()
        if trainer.is_global_zero:
            print(f"train: {self._pace}", flush=True)

    def _validate(self, training: Training) -> bool:
        """Add a line to the log; say whether the phase ends with it."""
        scores = training.validate_faces(self._watched.held_out)
        mean_loss = sum(training.recent) / len(training.recent)
        training.recent.clear()
        self._progress.log.append((training.step, mean_loss, scores["source"], scores["target"], training.rate))
        held_out = "/".join(f"{score:.4f}" for score in scores.values())
        self._bar.set_postfix_str(f"{self._pace.faces_per_s:.0f} faces/s, loss {mean_loss:.4f}, held out {held_out}")
        if self._board is not None:
            figures = {
                "train/loss": mean_loss,
                "train/rate": training.rate,
                "train/faces_per_s": self._pace.faces_per_s,
            }
            figures |= {f"validation/dssim_{role}": score for role, score in scores.items()}
            self._board.add_figures(training.step, figures)
        return self._end.ending.is_reached(self._progress)

    def _keep(self, training: Training, is_last: bool) -> None:
        """Draw what is due, then keep the state, in which the strip is."""
        is_due = training.step % self._intervals.preview == 0
        if is_due or is_last:
            training.fit_expressions(self._watched.shown)
            preview = write_preview(self._places.previews / "preview.png", training, self._watched.held_out)
            if self._board is not None:
                self._board.add_picture(training.step, "preview", preview)
        if is_due:
            grow_strip(self._places.previews / "strip.png", self._progress.strip, training, self._watched.held_out)
        if is_last or training.step % self._intervals.checkpoint == 0:
            save_state(self._places.states, training, self._progress)


def write_preview(path: Path, training: Training, held_out: Mapping[Role, FaceSample]) -> NDArray[np.uint8]:
    """Draw the preview sheet of the averaged weights as PNG; give the picture."""
    picture = draw_preview(training.averaged, training.size_px, held_out)
    with whole_file(path) as partial:
        partial.write_bytes(encode_png(picture))
    return picture


def grow_strip(path: Path, strip: Strip, training: Training, held_out: Mapping[Role, FaceSample]) -> None:
    """Add how the averaged weights swap the target's held-out faces at this step, unless it is there; draw a PNG."""
    faces, swaps = draw_swaps(training.averaged, training.size_px, held_out["target"])
    strip.add(training.step, swaps)
    with whole_file(path) as partial:
        partial.write_bytes(encode_png(strip.draw(faces)))
