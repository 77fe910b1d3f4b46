"""What a finished training writes: checkpoint, preview, metrics (JSON), loss curve (CSV) and strip (PNG)."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.autoencoder import Autoencoder
from models.batches import FacePairs
from models.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from models.keeper import Watched, grow_strip, write_preview
from models.lights import compare_lights
from models.losses import dssim, face_mask
from models.roles import ROLES, Role
from models.state import Progress
from models.tensors import to_pictures, to_tensor
from models.training import Training
from models.warp import cut_views
from vision.packed import view_ratio
from vision.whole import whole_file, whole_folder


@dataclass(frozen=True)
class Results:
    """A finished training."""

    training: Training
    faces: FacePairs
    watched: Watched
    progress: Progress
    info: CheckpointInfo

    def write(self, output: Path, metrics: Path, curve: Path, strip: Path) -> None:
        """Write all of it, each whole or not at all, and say how the held-out faces are restored."""
        training = self.training.to("cpu")
        scores = training.validate_faces(self.watched.held_out)
        training.fit_expressions(self.watched.shown)
        means = {role: _mean_view(self.faces.train[role].faces, self.info.size_px) for role in ROLES}
        lights = compare_lights(training.averaged, self.info.size_px, self.watched.shown)
        checkpoint = Checkpoint(training.averaged, self.info, means, lights)
        with whole_folder(output) as folder:
            save_checkpoint(folder / "checkpoint.safetensors", checkpoint)
            preview = folder / "previews" / f"step-{training.step:08d}.png"
            write_preview(preview, training, self.watched.held_out)
        grow_strip(strip, self.progress.strip, training, self.watched.held_out)
        floors = {role: _score_mean_face(means[role], self.watched.held_out[role].faces) for role in ROLES}
        with whole_file(metrics) as path:
            path.write_text(_format_metrics(training, scores, floors))
        with whole_file(curve) as path:
            path.write_text(self._format_log(scores))
        said = (f"{role} {scores[role]:.4f} (mean face {floors[role]:.4f})" for role in ROLES)
        print("train: held-out DSSIM", ", ".join(said), flush=True)

    def _format_log(self, scores: dict[str, float]) -> str:
        """The loss curve as CSV; its last line is the finished training's."""
        lines, training = list(self.progress.log), self.training
        if training.recent:
            mean_loss = sum(training.recent) / len(training.recent)
            lines.append((training.step, mean_loss, scores["source"], scores["target"], training.rate))
        rows = [f"{step},{loss:.6f},{(s + t) / 2:.6f},{s:.6f},{t:.6f},{rate:.3g}" for step, loss, s, t, rate in lines]
        return "\n".join(["step,train,validation,validation_source,validation_target,rate", *rows, ""])


def count_parameters(model: Autoencoder) -> float:
    """Parameters of a model, in millions."""
    return sum(parameter.numel() for parameter in model.parameters()) / 1e6


def _format_metrics(training: Training, scores: dict[str, float], floors: dict[Role, float]) -> str:
    """The figures that evaluate and `dvc metrics` read, as JSON."""
    figures: dict[str, float] = {"steps": training.step, "parameters_millions": count_parameters(training.averaged)}
    figures |= {f"heldout_dssim_{role}": scores[role] for role in ROLES}
    figures |= {f"floor_heldout_dssim_{role}": floors[role] for role in ROLES}
    return json.dumps(figures, indent=2) + "\n"


def _mean_view(packed: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """The mean of the training faces' views: (S, S, 3)."""
    total = np.zeros((*packed.shape[1:3], 3), np.float64)
    for start in range(0, len(packed), 256):
        total += packed[start : start + 256, ..., :3].sum(0, dtype=np.float64)
    mean = np.round(total / len(packed)).astype(np.uint8)
    view: NDArray[np.uint8] = to_pictures(cut_views(to_tensor(mean[None]), view_ratio(), size_px))[0]
    return view


def _score_mean_face(mean_face: NDArray[np.uint8], held_out: NDArray[np.uint8]) -> float:
    """The mean training face's DSSIM on the held-out faces: what a model that shows one still would get."""
    views = cut_views(to_tensor(held_out), view_ratio(), mean_face.shape[0])
    still = to_tensor(mean_face[None]).expand(len(views), -1, -1, -1)
    return float(dssim(still, views[:, :3], face_mask(views[:, 3:])).mean())
