"""Batches: every face once an epoch, keyed by the step, whatever was read before."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from errors import TableError
from models.batches import ARE_LIKE, PARTNERS, FacePairs, Span, draw_rows
from models.tensors import to_floats
from vision.expression import EXPRESSION
from vision.packed import open_packed


def write_packed(folder: Path, n: int, value: int) -> Path:
    folder.mkdir()
    faces = np.full((n, 20, 20, 4), value, np.uint8)
    faces[:, 0, 0, 0] = np.arange(n)
    np.save(folder / "train.npy", faces)
    np.save(folder / "validation.npy", faces[:2])
    for split, n_faces in (("train", n), ("validation", 2)):
        np.save(folder / f"{split}-expressions.npy", np.full((n_faces, len(EXPRESSION)), value, np.float32))
    return folder


def test_an_epoch_shows_every_face_once_and_the_next_in_another_order() -> None:
    rows = np.concatenate([draw_rows(12, 5, (1, 0), step) for step in range(5)])[:24]
    assert sorted(rows[:12]) == list(range(12))
    assert sorted(rows[12:]) == list(range(12))
    assert rows[:12].tolist() != rows[12:].tolist()


def test_a_run_that_starts_later_reads_what_the_whole_run_reads(tmp_path: Path) -> None:
    folders = {role: write_packed(tmp_path / role, 7, 9) for role in ("source", "target")}
    pairs = FacePairs(folders, batch=4, seed=3, balance=1)  # type: ignore[arg-type]
    pairs.span = Span(0, 6)
    whole = list(pairs.train_dataloader())
    pairs.span = Span(4, 6)
    rest = list(pairs.train_dataloader())
    assert [batch["step"] for batch in rest] == [4, 5]
    for late, full in zip(rest, whole[4:], strict=True):
        assert torch.equal(late["source"], full["source"])
        assert torch.equal(late["target"], full["target"])
    assert not torch.equal(whole[0]["source"], whole[0]["target"])


def test_faces_come_as_they_are_packed_and_become_floats_with_channels_first(tmp_path: Path) -> None:
    folders = {role: write_packed(tmp_path / role, 7, 51) for role in ("source", "target")}
    pairs = FacePairs(folders, batch=4, seed=3, balance=1)  # type: ignore[arg-type]
    pairs.span = Span(0, 1)
    (batch,) = pairs.train_dataloader()
    packed = batch["source"].clone()
    floats = to_floats(batch["source"])
    assert floats.shape == (4, 4, 20, 20)
    assert floats[0, 1, 5, 5] == pytest.approx(0.2)
    assert torch.equal(batch["source"], packed)
    assert packed.dtype == torch.uint8


def test_a_batch_that_cannot_be_read_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {role: write_packed(tmp_path / role, 7, 51) for role in ("source", "target")}
    pairs = FacePairs(folders, batch=4, seed=3, balance=1)  # type: ignore[arg-type]
    pairs.span = Span(0, 4)
    batches = iter(pairs.train_dataloader())
    next(batches)

    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("models.batches.draw_rows", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        list(batches)


def test_the_next_batch_is_read_while_one_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {role: write_packed(tmp_path / role, 7, 51) for role in ("source", "target")}
    pairs = FacePairs(folders, batch=4, seed=3, balance=1)  # type: ignore[arg-type]
    pairs.span = Span(0, 2)
    is_read = threading.Event()

    def draw(n: int, batch: int, key: tuple[int, ...], step: int) -> np.ndarray:
        if step == 1:
            is_read.set()
        return draw_rows(n, batch, key, step)

    monkeypatch.setattr("models.batches.draw_rows", draw)
    batches = iter(pairs.train_dataloader())
    assert next(batches)["step"] == 0
    assert is_read.wait(20)


def test_batches_for_a_gpu_are_pinned(tmp_path: Path) -> None:
    folders = {role: write_packed(tmp_path / role, 7, 51) for role in ("source", "target")}
    for is_pinned in (True, False):
        pairs = FacePairs(folders, batch=4, seed=3, balance=1, is_pinned=is_pinned)  # type: ignore[arg-type]
        assert pairs.train_dataloader().pin_memory is is_pinned


MOUTH = EXPRESSION.index("mouth_open")


def write_mouths(folder: Path, mouths: list[float]) -> Path:
    """Faces whose mouths are open so far; the rest of their expressions is alike."""
    write_packed(folder, len(mouths), 9)
    expressions = np.full((len(mouths), len(EXPRESSION)), 0.3, np.float32)
    expressions[:, MOUTH] = mouths
    np.save(folder / "train-expressions.npy", expressions)
    return folder


def shown(batch: dict[str, Any], role: str) -> list[int]:
    """Which faces a batch shows, by the number in their first corner."""
    numbers: list[int] = batch[role][:, 0, 0, 0].tolist()
    return sorted(numbers)


def test_an_epoch_shows_a_rare_face_of_the_target_and_what_is_like_it_in_the_source_repeatedly(tmp_path: Path) -> None:
    target = write_mouths(tmp_path / "target", [0.0] * 9 + [0.5])  # three draws of twelve, by the root of nine
    source = write_mouths(tmp_path / "source", [0.0] * 15 + [0.5])  # five times as rare as in the target's draws
    pairs = FacePairs({"source": source, "target": target}, batch=240, seed=3, balance=6)
    pairs.span = Span(0, 1)
    (batch,) = pairs.train_dataloader()
    assert np.bincount(shown(batch, "source")).tolist() == [12] * 15 + [60]
    assert np.bincount(shown(batch, "target")).tolist() == [20] * 9 + [60]


def test_each_face_of_the_source_comes_with_one_of_the_target_that_does_the_same_where_there_is_one(
    tmp_path: Path,
) -> None:
    mouths = [0.0] * 30 + [0.2] * 30
    source, target = write_mouths(tmp_path / "source", [*mouths, 0.5]), write_mouths(tmp_path / "target", mouths)
    pairs = FacePairs({"source": source, "target": target}, batch=8, seed=3, balance=1, has_partners=True)
    pairs.span = Span(0, 16)
    seen = set()
    for batch in pairs.train_dataloader():
        own, partner = (batch[name][:, 0, 0, 0].tolist() for name in ("source", PARTNERS))
        assert batch[ARE_LIKE][:, 0].tolist() == [face < 60 for face in own]
        assert [face >= 30 for face in own] == [face >= 30 for face in partner]
        seen |= set(partner)
    assert len(seen) > 8
    pairs.span = Span(15, 16)
    (later,) = pairs.train_dataloader()
    assert torch.equal(later[PARTNERS], batch[PARTNERS])


def test_an_epoch_is_as_many_draws_as_the_larger_set_has_faces(tmp_path: Path) -> None:
    source = write_mouths(tmp_path / "source", [0.0] * 15 + [0.5])
    target = write_mouths(tmp_path / "target", [0.0] * 10)
    folders = {"source": source, "target": target}
    assert FacePairs(folders, batch=5, seed=3, balance=6).steps_per_epoch == 4  # type: ignore[arg-type]


def test_what_codes_are_fitted_to_is_drawn_as_training_draws_faces_and_expressions_together(tmp_path: Path) -> None:
    folders = {role: write_mouths(tmp_path / role, [0.0] * 4 + [0.5]) for role in ("source", "target")}
    picked = FacePairs(folders, batch=4, seed=3, balance=6).pick_drawn(6)  # type: ignore[arg-type]
    for sample in picked.values():
        assert sample.faces[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 4]
        assert sample.expressions[:, MOUTH].tolist() == [0.0] * 4 + [0.5] * 2


def test_what_is_no_packed_face_is_refused_by_name(tmp_path: Path) -> None:
    np.save(tmp_path / "train.npy", np.zeros((3, 20, 20, 3), np.uint8))
    with pytest.raises(TableError, match=r"train\.npy.*augment"):
        open_packed(tmp_path / "train.npy")
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY junk")
    with pytest.raises(TableError, match=r"bad\.npy"):
        open_packed(tmp_path / "bad.npy")
