"""MTCNN's three networks as PyTorch modules with the weights of the `mtcnn` package.

Zhang, Zhang, Li, Qiao 2016, "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks",
fig. 2, as the package builds them. Inputs are float32 (N, 3, H, W), RGB, (value - 127.5) / 128.
"""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from models.mtcnn_weights import read_weights

Net = TypeVar("Net", bound=nn.Module)


class PNet(nn.Module):
    """Proposes: a picture of any size from 12 x 12 -> for each 12 px cell, every 2 px, offsets and logits."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(3, 10, 3),
            nn.MaxPool2d(2, ceil_mode=True),  # ceil_mode: Keras' "same"
            *_convolution(10, 16, 3),
            *_convolution(16, 32, 3),
        )
        self.offsets = nn.Conv2d(32, 4, 1)
        self.logits = nn.Conv2d(32, 2, 1)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Give offsets (N, 4, h, w) in cells' sides and the probability of a face (N, h, w)."""
        features = self.body(picture)
        return self.offsets(features), _face_probability(self.logits(features))


class RNet(nn.Module):
    """Refines: patches of 24 x 24 px -> offsets and logits."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(3, 28, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_convolution(28, 48, 3),
            nn.MaxPool2d(3, 2),
            *_convolution(48, 64, 2),
            _FlattenByColumns(),
            nn.Linear(576, 128),
            nn.PReLU(128),
        )
        self.offsets = nn.Linear(128, 4)
        self.logits = nn.Linear(128, 2)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Give offsets (N, 4) in patches' sides and the probability of a face (N,)."""
        features = self.body(patches)
        return self.offsets(features), _face_probability(self.logits(features))


class ONet(nn.Module):
    """Outputs: patches of 48 x 48 px -> offsets, five landmarks and logits."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(3, 32, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_convolution(32, 64, 3),
            nn.MaxPool2d(3, 2),
            *_convolution(64, 64, 3),
            nn.MaxPool2d(2, ceil_mode=True),
            *_convolution(64, 128, 2),
            _FlattenByColumns(),
            nn.Linear(1152, 256),
            nn.PReLU(256),
        )
        self.offsets = nn.Linear(256, 4)
        self.landmarks = nn.Linear(256, 10)
        self.logits = nn.Linear(256, 2)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give offsets (N, 4), the probability (N,) and landmarks (N, 10: five x, five y) in patches' sides."""
        features = self.body(patches)
        return self.offsets(features), _face_probability(self.logits(features)), self.landmarks(features)


def load_nets() -> tuple[PNet, RNet, ONet]:
    """The three networks with their weights, ready for inference. Raises CheckpointError."""
    return _fill(PNet(), "pnet"), _fill(RNet(), "rnet"), _fill(ONet(), "onet")


class _FlattenByColumns(nn.Module):
    """The package flattens (N, W, H, C): its weights stem from MATLAB, where columns come first."""

    def forward(self, features: Tensor) -> Tensor:
        return features.permute(0, 3, 2, 1).flatten(1)


def _convolution(n_in: int, n_out: int, kernel: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(n_in, n_out, kernel), nn.PReLU(n_out)


def _face_probability(logits: Tensor) -> Tensor:
    return logits.softmax(1)[:, 1]


def _fill(net: Net, name: str) -> Net:
    """Copy Keras' arrays, which come in the order of our parameters."""
    with torch.no_grad():
        for parameter, array in zip(net.parameters(), read_weights(name), strict=True):
            parameter.copy_(torch.from_numpy(_from_keras(array)))
    return net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return] # torch's gap


def _from_keras(array: np.ndarray) -> np.ndarray:
    if array.ndim == 4:  # a kernel: height, width, in, out
        return np.ascontiguousarray(array.transpose(3, 2, 0, 1))
    return np.ascontiguousarray(array.T) if array.ndim == 2 else array.reshape(-1)
