"""The training step: both identities restore their moved and warped faces; an average of the weights is kept beside."""

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from errors import TrainingError
from models.autoencoder import Autoencoder
from models.batches import ARE_LIKE, EXPRESSIONS, PARTNERS, Batch, FaceSample, cut_batches
from models.critic import Critic
from models.losses import dssim, face_mask
from models.objective import Comparison
from models.roles import ROLES, Role
from models.schedule import Schedule
from models.share import find_share
from models.tensors import to_floats
from models.warp import Views, cut_views, draw_views, keyed_generator
from vision.expression import Expressions, mirror_expressions
from vision.packed import view_ratio

_UNTOLD = 0.1  # share of the faces whose decoder is told nothing of their expression


@dataclass(frozen=True)
class Recipe:
    """What one phase trains with. `losses`: weights of the terms of models/objective.py."""

    schedule: Schedule
    warp: float
    noise: float
    mix: float
    losses: Mapping[str, float]
    emphasis: float
    ema_decay: float
    flip: bool
    seed: int

    @property
    def is_adversarial(self) -> bool:
        return self.losses["adversarial"] > 0


class Training(LightningModule):
    """An autoencoder in training. `step` counts over all phases; `averaged` holds the averaged weights (EMA).

    The critic, where there is one, learns in the steps of adversarial recipes.
    """

    def __init__(self, model: Autoencoder, size_px: int, optimizer: Optimizer, critic: Critic | None = None) -> None:
        super().__init__()
        self.model = model
        self.averaged = deepcopy(model).requires_grad_(False)
        self.critic = critic
        self.size_px = size_px
        self.step = 0
        self.recent: list[float] = []  # losses since the last line of the log
        self.optimizer = optimizer
        self.recipe: Recipe
        self._shown: dict[Role, tuple[Tensor, Tensor]] = {}  # to the critic, in this step

    def configure_optimizers(self) -> Optimizer:
        return self.optimizer

    def training_step(self, batch: Batch, index: int) -> Tensor:
        del index  # the step's own number counts, also after a restart
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.schedule.rate_at(self.step)
        views = {role: self._draw(cast(Tensor, batch[role]), role) for role in ROLES}
        features = {role: self._describe(cast(Tensor, batch[role + EXPRESSIONS]), views[role], role) for role in ROLES}
        noise = {role: self._draw_noise(len(views[role].face), role) for role in ROLES} if self.recipe.noise else None
        partners = self._view_partners(batch, views["source"]) if self.recipe.mix else None
        restored = self.model({role: views[role].warped for role in ROLES}, features, noise, partners)
        return torch.stack([self._compare(restored[role], views[role].face, role) for role in ROLES]).mean()

    def on_train_start(self) -> None:
        """Bring the steps that the optimizer counted to its weights' device; Lightning leaves a state's behind."""
        for weights, kept in self.optimizer.state.items():
            kept["step"] = kept["step"].to(weights.device)

    @property
    def rate(self) -> float:
        """The learning rate of the step that was made last."""
        return float(self.optimizer.param_groups[0]["lr"])

    def _compare(self, picture: Tensor, face: Tensor, role: Role) -> Tensor:
        comparison = Comparison(picture, face, role, self.recipe.emphasis)
        if self.recipe.is_adversarial:
            restored, true = comparison.pieces()
            self._shown[role] = restored.detach(), true
        return comparison.weigh(self.recipe.losses, self.critic)

    def finish_step(self, loss: float) -> None:
        """Count the step that was made and average the weights. Raises TrainingError where the loss is not finite."""
        self.step += 1
        if not math.isfinite(loss):
            raise TrainingError(
                f"train: the loss is not finite at step {self.step}; lower the phase's rate or raise its warmup "
                "(the last state before it is kept)"
            )
        if self.critic is not None and self._shown:
            self.critic.learn(self._shown, self.rate)
            self._shown.clear()
        self.recent.append(loss)
        self._average()

    @torch.inference_mode()
    def validate_faces(self, held_out: Mapping[Role, FaceSample]) -> dict[str, float]:
        """Mean DSSIM of the held-out faces of each role, restored by the averaged weights."""
        scores: dict[str, float] = {}
        for role in ROLES:
            parts = []
            for views, expressions in cut_batches(held_out[role], self.size_px, self.device):
                restored = self.averaged.restore(views[:, :3], expressions, role)[:, :3]
                parts.append(dssim(restored, views[:, :3], face_mask(views[:, 3:])))
            scores[role] = float(torch.cat(parts).mean())
        return scores

    @torch.inference_mode()
    def fit_expressions(self, shown: Mapping[Role, FaceSample]) -> None:
        """Fit what the averaged weights' codes owe to expression, to training faces of each role."""
        for role in ROLES:
            batches = cut_batches(shown[role], self.size_px, self.device)
            codes = [self.averaged.encoder(views[:, :3]) for views, _ in batches]
            self.averaged.coder(role).fit(shown[role].expressions, torch.cat(codes))

    def _describe(self, measured: Tensor, views: Views, role: Role) -> Tensor:
        """What the role's decoder is told of drawn faces: of one in ten nothing, so that it can do without."""
        expressions: Expressions = measured.cpu().numpy()
        mirrored = views.is_mirrored.numpy()[:, None]
        features = self.model.coder(role).describe(np.where(mirrored, mirror_expressions(expressions), expressions))
        share = find_share()
        generator = keyed_generator(self.recipe.seed, self.step, ROLES.index(role), len(ROLES))
        is_told = torch.rand((len(features) * share.n, 1), generator=generator) >= _UNTOLD
        return features * share.take(is_told).to(features.device)

    def _draw(self, stored: Tensor, role: Role) -> Views:
        recipe, faces = self.recipe, to_floats(stored)
        generator = keyed_generator(recipe.seed, self.step, ROLES.index(role))
        return draw_views(faces, view_ratio(), self.size_px, recipe.warp, recipe.flip, generator, find_share())

    def _draw_noise(self, n_faces: int, role: Role) -> Tensor:
        """What is added to the codes of drawn faces: (N, n_code)."""
        share = find_share()
        generator = keyed_generator(self.recipe.seed, self.step, ROLES.index(role), 2 * len(ROLES))
        shape = n_faces * share.n, self.model.n_code
        noise: Tensor = self.recipe.noise * torch.randn(shape, generator=generator)
        return share.take(noise).to(self.device)

    def _view_partners(self, batch: Batch, views: Views) -> tuple[Tensor, Tensor]:
        """Plain views of the partners of the source's faces, and how far codes are moved toward theirs: (N, 1).

        Not at all where the two do not do the same, or the source's face is mirrored.
        """
        share = find_share()
        faces, are_like = to_floats(cast(Tensor, batch[PARTNERS])), cast(Tensor, batch[ARE_LIKE])
        generator = keyed_generator(self.recipe.seed, self.step, 3 * len(ROLES))
        drawn = share.take(torch.rand((len(faces) * share.n, 1), generator=generator))
        shares = self.recipe.mix * drawn * ~views.is_mirrored[:, None]
        return cut_views(faces, view_ratio(), self.size_px)[:, :3], shares.to(faces.device) * are_like

    @torch.no_grad()
    def _average(self) -> None:
        """EMA with a start that forgets fast: decay (1 + n) / (10 + n) until the wanted one is reached."""
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        averages: list[Tensor] = list(self.averaged.parameters())
        weights: list[Tensor] = list(self.model.parameters())
        torch._foreach_lerp_(averages, weights, 1 - decay)
