"""The checkpoint that is shared: averaged weights as safetensors, with what convert must know of them as metadata."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from errors import CheckpointError
from models.autoencoder import Autoencoder, build_autoencoder
from models.roles import ROLES, Role
from models.sizes import Size
from vision.light import Light
from vision.whole import whole_file

FORMAT = "understudy-9"


@dataclass(frozen=True)
class CheckpointInfo:
    """How the weights are to be used: architecture, and the model's view in a crop of `crop_px`."""

    arch: str
    size_px: int
    size: Size
    coverage_ratio: float
    crop_px: int
    seed: int


@dataclass(frozen=True)
class Checkpoint:
    """A trained model, its info, and each identity's mean training face (uint8, S x S x 3, the view).

    `lights`: how the light on faces that are swapped to a role differs from that on what they are made of, on average.
    """

    model: Autoencoder
    info: CheckpointInfo
    mean_faces: dict[Role, NDArray[np.uint8]]
    lights: dict[Role, Light]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint, whole or not at all."""
    tensors = {f"model.{name}": tensor.contiguous() for name, tensor in checkpoint.model.state_dict().items()}
    for role, face in checkpoint.mean_faces.items():
        tensors[f"mean_face.{role}"] = torch.from_numpy(face.copy())
        tensors[f"light.{role}"] = torch.from_numpy(checkpoint.lights[role].copy())
    metadata = {name: json.dumps(value) for name, value in asdict(checkpoint.info).items()}
    with whole_file(path) as partial:
        save_file(tensors, partial, metadata | {"format": json.dumps(FORMAT)})
        _sort_metadata(partial)


def _sort_metadata(path: Path) -> None:
    """Write the header anew, its metadata in order: safetensors leaves that to chance, and the same weights are to be
    the same bytes.
    """
    with path.open("r+b") as file:
        n_bytes = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(n_bytes))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        file.seek(8)
        file.write(json.dumps(header, separators=(",", ":")).encode().ljust(n_bytes))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises CheckpointError where it is missing, damaged, foreign or of another version."""
    try:
        with safe_open(path, "pt") as file:
            metadata = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if metadata.pop("format", None) != FORMAT:
            raise CheckpointError(f"{path}: is no checkpoint of this project's format {FORMAT}; train again")
        info = CheckpointInfo(**metadata)
        model = build_autoencoder(info.arch, info.size_px, info.size, info.seed)
        model.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
        mean_faces = {role: tensors[f"mean_face.{role}"].numpy() for role in ROLES}
        lights = {role: tensors[f"light.{role}"].numpy() for role in ROLES}
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError, ModuleNotFoundError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: cannot be used ({error}); pull it again, or rerun the stage train") from error
    return Checkpoint(model.eval(), info, mean_faces, lights)
