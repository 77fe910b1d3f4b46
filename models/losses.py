"""How far a reconstruction is from its face: inside the face mask, and a little around it."""

from functools import cache
from math import ceil

import torch
from torch import Tensor
from torch.nn import functional

from vision.packed import FACE, FEATURE

_SIGMA, _RADIUS = 1.5, 5  # Wang et al. 2004
_C1, _C2 = 0.01**2, 0.03**2  # for pictures in [0, 1]
_AROUND = 0.2  # weight of what lies around the face
_REACH = 1 / 16  # deviation of the Gaussian that continues a face, share of the picture's side
_COARSE_PX = 48  # least side of the picture that this Gaussian runs over: what it leaves is as smooth


def face_mask(masks: Tensor) -> Tensor:
    """The face alone, in [0, 1], of packed masks in [0, 1] (vision/packed.py)."""
    return (masks * (255 / FACE)).clamp(max=1)


def weigh_features(masks: Tensor, emphasis: float) -> Tensor:
    """Weights of packed masks: 0 outside the face, 1 on it, `emphasis` on eyes and mouth."""
    features = ((masks * 255 - FACE) / (FEATURE - FACE)).clamp(0, 1)
    return face_mask(masks) + (emphasis - 1) * features


def continue_faces(faces: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Faces (N, 3, H, W) whose skin goes on past their masks (N, 1, H, W, in [0, 1]), and weights (N, 1, H, W) for it.

    Where the other person's face is the wider one, the decoder is asked for what its own never showed: it must not be
    background. Around the mask stands the mean of the face's colors nearby; the weights fade to 0 with the distance.
    """
    nearby = _blur_widely(torch.cat([faces * masks, masks], 1))
    near = nearby[:, 3:]
    around = nearby[:, :3] / near.clamp_min(1e-4)
    weights = _AROUND * (1 - masks) * (4 * near).clamp(max=1)
    return torch.lerp(around, faces, masks), weights


def dssim(pictures: Tensor, faces: Tensor, masks: Tensor, every: int = 1) -> Tensor:
    """(1 - SSIM) / 2 of each picture inside its mask: (N,), 0 is equal. Wang et al. 2004, eq. 13.

    pictures, faces: (N, 3, H, W) in [0, 1]; masks: (N, 1, H, W), weights; above 1 they only weigh the mean. What lies
    outside the masks has no part in it. Windows stand around every `every`-th pixel each way: around every second they
    still overlap so far that all pixels but those at the border count alike to 1 in 1,000, for a third of the work, and
    around every third to 3 in 100.
    """
    inside = masks.clamp(max=1)
    x, y = pictures * inside, faces * inside
    mean_x, mean_y = (_blur(part, every=every) for part in (x, y))
    product, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    # Of the variances only the sum is needed: one blur for both.
    covariance, variances = _blur(x * y, every=every) - product, _blur(x * x + y * y, every=every) - squares
    alike = (2 * product + _C1) * (2 * covariance + _C2) / ((squares + _C1) * (variances + _C2))
    return masked_mean((1 - alike) / 2, masks[..., ::every, ::every])


def l1(pictures: Tensor, faces: Tensor, masks: Tensor) -> Tensor:
    """Mean absolute difference of each picture inside its mask: (N,). Shapes as in `dssim`."""
    return masked_mean((pictures - faces).abs(), masks)


def multi_scale_dssim(pictures: Tensor, faces: Tensor, masks: Tensor, every: int = 1) -> Tensor:
    """Mean of `dssim` at the whole, half and quarter size: (N,). Shapes as there; H and W multiples of 4.

    The plain mean of the scales, not their product (Wang et al. 2003), which needs five of them and 176 pixels. Windows
    stand around every `every`-th pixel of the whole size, and as densely in the face at the smaller ones.
    """
    scales = [dssim(pictures, faces, masks, every)]
    for smaller in (2, 4):
        pictures, faces, masks = (functional.avg_pool2d(x, 2) for x in (pictures, faces, masks))
        scales.append(dssim(pictures, faces, masks, ceil(every / smaller)))
    return torch.stack(scales).mean(0)


def gradient(pictures: Tensor, faces: Tensor, masks: Tensor) -> Tensor:
    """Mean absolute difference of the slopes to the right and downwards inside the mask: (N,). Shapes as in `dssim`."""
    error = pictures - faces
    right, down = error.diff(dim=3).abs(), error.diff(dim=2).abs()
    of_right, of_down = torch.minimum(masks[..., 1:], masks[..., :-1]), torch.minimum(masks[:, :, 1:], masks[:, :, :-1])
    return (masked_mean(right, of_right) + masked_mean(down, of_down)) / 2


def mask_error(found: Tensor, masks: Tensor) -> Tensor:
    """Mean squared difference of two masks (N, 1, H, W) over the whole picture: (N,)."""
    return (found - masks).square().mean((1, 2, 3))


def masked_mean(values: Tensor, masks: Tensor) -> Tensor:
    """Mean of (N, C, H, W) over channels and pixels, weighted by (N, 1, H, W): (N,)."""
    weighted = (values.mean(1, keepdim=True) * masks).sum((1, 2, 3))
    return weighted / masks.sum((1, 2, 3)).clamp_min(1)


def _blur(x: Tensor, sigma: float = _SIGMA, radius: int = _RADIUS, every: int = 1) -> Tensor:
    """A Gaussian window's weighted mean around every `every`-th pixel: products with banded matrices, much faster than
    pooling.
    """
    rows, columns = (_window_matrix(n, sigma, radius)[::every].to(x.device) for n in x.shape[2:])
    with torch.autocast(x.device.type, enabled=False):  # variances are small differences: bfloat16 would lose them
        return rows @ (x.float().contiguous() @ columns.T)


def _blur_widely(x: Tensor) -> Tensor:
    """The Gaussian's mean over _REACH of the side, (N, C, S, S): worked out on a coarser picture."""
    side = x.shape[-1]
    factor = next((n for n in (8, 4, 2) if side % n == 0 and side >= n * _COARSE_PX), 1)
    sigma = _REACH * side / factor
    coarse = _blur(functional.avg_pool2d(x, factor), sigma, round(3 * sigma))
    return functional.interpolate(coarse, scale_factor=factor, mode="bilinear", align_corners=False)


@cache
def _window_matrix(n: int, sigma: float, radius: int) -> Tensor:
    """(n, n): row i weighs the line's pixels around i; at the border the weights inside count alone."""
    distance = torch.arange(n)[:, None] - torch.arange(n)[None, :]
    weights = torch.exp(-(distance**2) / (2 * sigma**2)) * (distance.abs() <= radius)
    return weights / weights.sum(1, keepdim=True)
