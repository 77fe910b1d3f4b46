"""The autoencoder: shapes, seeds, roles, and a checkpoint that gives back the same pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from errors import CheckpointError
from models.autoencoder import build_autoencoder
from models.checkpoint import Checkpoint, CheckpointInfo, load_checkpoint, save_checkpoint


def faces(n: int, size: int) -> torch.Tensor:
    return torch.rand((n, 3, size, size), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("arch", "size", "width"), [("small", 32, 0.25), ("small", 96, 0.25), ("original", 64, 0.125)])
def test_pictures_have_the_shape_and_range_of_faces(arch: str, size: int, width: float) -> None:
    model = build_autoencoder(arch, size, width, seed=1)
    source, target = model(faces(2, size), faces(3, size))
    assert source.shape == (2, 3, size, size)
    assert target.shape == (3, 3, size, size)
    assert 0 <= source.min() <= source.max() <= 1


def test_the_classic_list_has_its_82_million_parameters() -> None:
    with torch.device("meta"):
        model = build_autoencoder("original", 64, 1.0, seed=1)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(82.1, abs=0.1)


def test_weights_depend_on_the_seed_alone() -> None:
    first, again, other = (build_autoencoder("small", 32, 0.25, seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_each_role_has_a_decoder_of_its_own_behind_one_encoder() -> None:
    model = build_autoencoder("small", 32, 0.25, seed=1).eval()
    face = faces(1, 32)
    source, target = model(face, face)
    assert not torch.equal(source, target)
    torch.testing.assert_close(model.restore(face, "source"), source)


def make_checkpoint() -> Checkpoint:
    info = CheckpointInfo("small", 32, 0.25, 0.75, 128, 1)
    mean = np.arange(32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(32, 32, 3)
    model = build_autoencoder("small", 32, 0.25, 1).eval()
    return Checkpoint(model, info, {"source": mean, "target": 255 - mean})


def test_a_checkpoint_gives_back_model_info_and_mean_faces(tmp_path: Path) -> None:
    checkpoint = make_checkpoint()
    save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    loaded = load_checkpoint(tmp_path / "c.safetensors")
    assert loaded.info == checkpoint.info
    assert np.array_equal(loaded.mean_faces["target"], checkpoint.mean_faces["target"])
    face = faces(2, 32)
    assert torch.equal(loaded.model.restore(face, "source"), checkpoint.model.restore(face, "source"))


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for n in range(8):
        save_checkpoint(tmp_path / f"{n}.safetensors", make_checkpoint())
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_a_damaged_or_foreign_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    good = tmp_path / "c.safetensors"
    save_checkpoint(good, make_checkpoint())
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(good.read_bytes()[:-100])
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(1)}, foreign)
    for path in (cut, foreign, tmp_path / "missing.safetensors"):
        with pytest.raises(CheckpointError, match=path.name):
            load_checkpoint(path)
