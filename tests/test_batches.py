"""Batches: every face once an epoch, keyed by the step, whatever was read before."""

from pathlib import Path

import numpy as np
import pytest
import torch

from errors import TableError
from models.batches import FacePairs, Span, draw_rows
from vision.packed import open_draws, open_packed


def write_packed(folder: Path, n: int, value: int) -> Path:
    folder.mkdir()
    faces = np.full((n, 20, 20, 4), value, np.uint8)
    faces[:, 0, 0, 0] = np.arange(n)
    np.save(folder / "train.npy", faces)
    np.save(folder / "draws.npy", np.arange(n))
    np.save(folder / "validation.npy", faces[:2])
    for split, n_faces in (("train", n), ("validation", 2)):
        np.save(folder / f"{split}-expressions.npy", np.full((n_faces, 6), value, np.float32))
    return folder


def test_an_epoch_shows_every_face_once_and_the_next_in_another_order() -> None:
    rows = np.concatenate([draw_rows(12, 5, (1, 0), step) for step in range(5)])[:24]
    assert sorted(rows[:12]) == list(range(12))
    assert sorted(rows[12:]) == list(range(12))
    assert rows[:12].tolist() != rows[12:].tolist()


def test_a_run_that_starts_later_reads_what_the_whole_run_reads(tmp_path: Path) -> None:
    folders = {role: write_packed(tmp_path / role, 7, 9) for role in ("source", "target")}
    pairs = FacePairs(folders, batch=4, seed=3)  # type: ignore[arg-type]
    pairs.span = Span(0, 6)
    whole = list(pairs.train_dataloader())
    pairs.span = Span(4, 6)
    rest = list(pairs.train_dataloader())
    assert [batch["step"] for batch in rest] == [4, 5]
    for late, full in zip(rest, whole[4:], strict=True):
        assert torch.equal(late["source"], full["source"])
        assert torch.equal(late["target"], full["target"])
    assert not torch.equal(whole[0]["source"], whole[0]["target"])


def test_pictures_come_as_floats_with_channels_first(tmp_path: Path) -> None:
    folders = {role: write_packed(tmp_path / role, 7, 51) for role in ("source", "target")}
    pairs = FacePairs(folders, batch=4, seed=3)  # type: ignore[arg-type]
    pairs.span = Span(0, 1)
    (batch,) = pairs.train_dataloader()
    assert batch["source"].shape == (4, 4, 20, 20)
    assert batch["source"][0, 1, 5, 5] == pytest.approx(0.2)


def test_a_face_is_drawn_as_often_as_the_list_of_draws_says(tmp_path: Path) -> None:
    folders = {role: write_packed(tmp_path / role, 7, 9) for role in ("source", "target")}
    np.save(folders["source"] / "draws.npy", np.array([2, 2, 2, 5]))
    pairs = FacePairs(folders, batch=4, seed=3)  # type: ignore[arg-type]
    pairs.span = Span(0, 2)
    for batch in pairs.train_dataloader():
        assert sorted((batch["source"][:, 0, 0, 0] * 255).round().int().tolist()) == [2, 2, 2, 5]
    assert pairs.steps_per_epoch == 2


def test_what_codes_are_fitted_to_is_drawn_as_training_draws_faces_and_expressions_together(tmp_path: Path) -> None:
    folders = {role: write_packed(tmp_path / role, 7, 9) for role in ("source", "target")}
    for folder in folders.values():
        np.save(folder / "train-expressions.npy", np.arange(7, dtype=np.float32)[:, None].repeat(6, 1))
    np.save(folders["source"] / "draws.npy", np.array([0, 1, 5, 5, 5, 5]))
    picked = FacePairs(folders, batch=4, seed=3).pick_drawn(3)  # type: ignore[arg-type]
    assert picked["source"].faces[:, 0, 0, 0].tolist() == [0, 5, 5]
    for sample in picked.values():
        assert sample.expressions[:, 0].tolist() == sample.faces[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("draws", [np.array([0, 7]), np.array([-1]), np.array([], np.int64), np.array([0.5])])
def test_draws_that_are_no_rows_of_the_faces_are_refused_by_name(tmp_path: Path, draws: np.ndarray) -> None:
    np.save(tmp_path / "draws.npy", draws)
    with pytest.raises(TableError, match=r"draws\.npy.*augment"):
        open_draws(tmp_path / "draws.npy", 7)


def test_what_is_no_packed_face_is_refused_by_name(tmp_path: Path) -> None:
    np.save(tmp_path / "train.npy", np.zeros((3, 20, 20, 3), np.uint8))
    with pytest.raises(TableError, match=r"train\.npy.*augment"):
        open_packed(tmp_path / "train.npy")
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY junk")
    with pytest.raises(TableError, match=r"bad\.npy"):
        open_packed(tmp_path / "bad.npy")
