"""The one place where pictures become tensors and back."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_tensor(pictures: NDArray[np.uint8], device: torch.device | str = "cpu") -> Tensor:
    """uint8 (N, H, W, C) in 0..255 -> float32 (N, C, H, W) in [0, 1], channels_last."""
    return to_floats(torch.from_numpy(np.array(pictures, order="C")).to(device, non_blocking=True))


def to_floats(pictures: Tensor) -> Tensor:
    """uint8 (N, H, W, C) in 0..255 -> float32 (N, C, H, W) in [0, 1], channels_last, on the same device."""
    return pictures.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last).div_(255)


def to_pictures(tensor: Tensor) -> NDArray[np.uint8]:
    """float (N, C, H, W) in [0, 1] -> uint8 (N, H, W, C), rounded and clipped."""
    scaled = (tensor.detach().float() * 255).round().clamp(0, 255)
    pictures: NDArray[np.uint8] = scaled.to(torch.uint8).permute(0, 2, 3, 1).cpu().contiguous().numpy()
    return pictures
