"""Batches of both identities' packed faces, keyed by (seed, step): no state, so that a run resumes at any step."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from models.roles import ROLES, Role
from models.share import Share, find_share
from models.tensors import to_tensor
from models.warp import cut_views
from vision.balance import count_source_draws, count_target_draws
from vision.evenly import pick_evenly
from vision.expression import Expressions
from vision.packed import open_expressions, open_packed, view_ratio
from vision.partners import Partners, find_partners

# Keys: step, the roles, the roles with EXPRESSIONS, and the two below these where there are partners.
Batch = dict[str, Tensor | int]
EXPRESSIONS = " expressions"
PARTNERS = "partners"  # of the source's faces: packed faces of the target, (batch, S, S, 4)
ARE_LIKE = "are like"  # whether these do the same, (batch, 1)
_TOGETHER = 64  # faces that go through the nets together where nothing is learnt


@dataclass(frozen=True)
class Span:
    """The steps [first, end) that a run still has to make."""

    first: int
    end: int


@dataclass(frozen=True)
class FaceSample:
    """Packed faces (N, S, S, 4), uint8, and their expressions (N, 9)."""

    faces: NDArray[np.uint8]
    expressions: Expressions

    def take(self, rows: NDArray[np.int64]) -> Self:
        return type(self)(self.faces[rows], self.expressions[rows])


def cut_batches(
    sample: FaceSample, size_px: int, device: torch.device | str = "cpu"
) -> Iterator[tuple[Tensor, Expressions]]:
    """The plain views of a sample's faces, some at a time, (N, 4, size_px, size_px), and their expressions."""
    for start in range(0, len(sample.faces), _TOGETHER):
        faces = to_tensor(sample.faces[start : start + _TOGETHER], device)
        yield cut_views(faces, view_ratio(), size_px), sample.expressions[start : start + _TOGETHER]


class FaceBatches(IterableDataset[Batch]):
    """For each step of a span: `step`, and of each role packed faces, uint8 (batch, S, S, 4), and expressions.

    A thread of its own reads the next step's while one is in use. Where several processes train together, each gets its
    share of the batch.
    """

    def __init__(
        self,
        samples: dict[Role, FaceSample],
        draws: dict[Role, NDArray[np.int64]],
        batch: int,
        seed: int,
        span: Span,
        partners: Partners | None,
    ) -> None:
        self._samples, self._draws, self._batch, self._seed, self._span = samples, draws, batch, seed, span
        self._partners = partners

    def __iter__(self) -> Iterator[Batch]:
        share = find_share()
        with ThreadPoolExecutor(1) as thread:
            coming = thread.submit(self._read, self._span.first, share)
            for step in range(self._span.first, self._span.end):
                batch = coming.result()
                coming = thread.submit(self._read, step + 1, share)
                yield batch

    def _read(self, step: int, share: Share) -> Batch:
        """A step's batch."""
        batch: Batch = {"step": step}
        chosen = {role: self._draw(role, step) for role in ROLES}
        for role in ROLES:
            drawn = self._samples[role].take(share.take(chosen[role]))
            batch[role], batch[role + EXPRESSIONS] = torch.from_numpy(drawn.faces), torch.from_numpy(drawn.expressions)
        if self._partners is not None:
            batch |= self._draw_partners(self._partners, chosen["source"], step, share)
        return batch

    def _draw(self, role: Role, step: int) -> NDArray[np.int64]:
        """A step's rows of a role's faces, for all processes."""
        draws = self._draws[role]
        return draws[draw_rows(len(draws), self._batch, (self._seed, ROLES.index(role)), step)]

    def _draw_partners(
        self, partners: Partners, chosen: NDArray[np.int64], step: int, share: Share
    ) -> dict[str, Tensor]:
        """One of its partners for each of the source's faces that a step chose, (batch,)."""
        which = np.random.default_rng([self._seed, len(ROLES), step]).integers(partners.rows.shape[1], size=len(chosen))
        faces = self._samples["target"].take(share.take(partners.rows[chosen, which])).faces
        are_like = torch.from_numpy(share.take(partners.are_like[chosen]))[:, None]
        return {PARTNERS: torch.from_numpy(faces), ARE_LIKE: are_like}

    def __len__(self) -> int:
        return self._span.end - self._span.first


class FacePairs(LightningDataModule):
    """Both identities' augmented sets: what training and validation read.

    `is_pinned`: batches lie in pinned memory, from which a GPU fetches them by itself.
    """

    def __init__(
        self,
        folders: dict[Role, Path],
        batch: int,
        seed: int,
        balance: int,
        has_partners: bool = False,
        is_pinned: bool = False,
    ) -> None:
        super().__init__()
        self.train = {role: _open_sample(folder, "train") for role, folder in folders.items()}
        self.validation = {role: _open_sample(folder, "validation") for role, folder in folders.items()}
        source, target = (self.train[role].expressions for role in ROLES)
        self._draws = _list_draws(source, target, balance)
        self._partners = find_partners(source, target) if has_partners else None
        self._batch, self._seed, self._is_pinned = batch, seed, is_pinned
        self.span = Span(0, 0)

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which as many faces were drawn of each as the larger of both sets has."""
        return -(-max(len(sample.faces) for sample in self.train.values()) // self._batch)

    def train_dataloader(self) -> DataLoader[Batch]:
        batches = FaceBatches(self.train, self._draws, self._batch, self._seed, self.span, self._partners)
        return DataLoader(batches, batch_size=None, pin_memory=self._is_pinned)

    def pick_drawn(self, n: int) -> dict[Role, FaceSample]:
        """Up to n faces of each role, evenly over its list of draws: rare expressions count as they do in training."""
        return {role: self.train[role].take(draws[pick_evenly(len(draws), n)]) for role, draws in self._draws.items()}

    def pick_held_out(self, n: int) -> dict[Role, FaceSample]:
        """Up to n validation faces of each role, evenly over all."""
        return {role: sample.take(pick_evenly(len(sample.faces), n)) for role, sample in self.validation.items()}


def _open_sample(folder: Path, split: str) -> FaceSample:
    faces = open_packed(folder / f"{split}.npy")
    return FaceSample(faces, open_expressions(folder / f"{split}-expressions.npy", len(faces)))


def _list_draws(source: Expressions, target: Expressions, balance: int) -> dict[Role, NDArray[np.int64]]:
    """The rows of each role's faces that an epoch shows; one that is drawn more often stands there repeatedly."""
    of_target = count_target_draws(target, balance)
    of_source = count_source_draws(source, target, of_target, balance)
    counts: dict[Role, NDArray[np.int64]] = {"source": of_source, "target": of_target}
    return {role: np.repeat(np.arange(len(draws)), draws) for role, draws in counts.items()}


def draw_rows(n: int, batch: int, key: tuple[int, ...], step: int) -> NDArray[np.int64]:
    """A step's places in a list of n: consecutive parts of one keyed permutation after the other, (batch,)."""
    places = np.arange(step * batch, (step + 1) * batch)
    rows = np.empty(batch, np.int64)
    for epoch in np.unique(places // n):
        order = np.random.default_rng([*key, int(epoch)]).permutation(n)
        is_in = places // n == epoch
        rows[is_in] = order[places[is_in] % n]
    return rows
