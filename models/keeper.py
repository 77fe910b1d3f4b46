"""What happens between two training steps: counting, validating, keeping states, drawing previews, showing progress."""

import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from tqdm import tqdm

from models.autoencoder import Role
from models.batches import Batch, FaceSample
from models.ending import Ending
from models.pace import Pace
from models.preview import draw_preview
from models.state import Progress, save_state
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


class Keeper(Callback):
    """Watches over one phase, from `training.step` to `end`, or until `ending` or an interrupt that was noted."""

    def __init__(
        self,
        folder: Path,
        preview: Path,
        watched: Watched,
        progress: Progress,
        intervals: Intervals,
        end: int,
        ending: Ending,
        interrupted: threading.Event,
    ) -> None:
        self._folder, self._preview, self._watched = folder, preview, watched
        self._progress, self._intervals = progress, intervals
        self._end, self._ending, self._interrupted = end, ending, interrupted
        self._bar: tqdm[None]
        self._pace = Pace()

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        del trainer
        assert isinstance(module, Training)
        seconds = 0.5 if sys.stderr.isatty() else 10.0
        self._bar = tqdm(
            desc="train", unit="step", initial=module.step, total=self._end, mininterval=seconds, maxinterval=seconds
        )
        self._pace.leave()

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: Batch, batch_idx: int) -> None:
        del trainer, module, batch_idx
        self._pace.enter(sum(len(faces) for faces in batch.values() if isinstance(faces, Tensor)))

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        del batch, batch_idx
        assert isinstance(module, Training)
        assert isinstance(outputs, dict)
        module.finish_step(float(outputs["loss"]))
        self._pace.finish()
        has_ended = module.step % self._intervals.validate == 0 and self._validate(module)
        trainer.should_stop = has_ended or self._interrupted.is_set()
        is_last = module.step == self._end or trainer.should_stop
        if is_last or module.step % self._intervals.checkpoint == 0:
            save_state(self._folder, module, self._progress)
        if is_last or module.step % self._intervals.preview == 0:
            module.fit_expressions(self._watched.shown)
            write_preview(self._preview, module, self._watched.held_out)
        self._bar.update()
        self._pace.leave()

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        del trainer, module
        self._bar.close()
        print(f"train: {self._pace}", flush=True)

    def _validate(self, training: Training) -> bool:
        """Add a line to the log; say whether the phase ends with it."""
        scores = training.validate_faces(self._watched.held_out)
        mean_loss = sum(training.recent) / len(training.recent)
        training.recent.clear()
        self._progress.log.append((training.step, mean_loss, scores["source"], scores["target"]))
        held_out = "/".join(f"{score:.4f}" for score in scores.values())
        self._bar.set_postfix_str(f"{self._pace.faces_per_s:.0f} faces/s, loss {mean_loss:.4f}, held out {held_out}")
        return self._ending.is_reached(self._progress)


def write_preview(path: Path, training: Training, held_out: Mapping[Role, FaceSample]) -> None:
    """Draw the preview sheet of the averaged weights as PNG."""
    with whole_file(path) as partial:
        partial.write_bytes(encode_png(draw_preview(training.averaged, training.size_px, held_out)))
