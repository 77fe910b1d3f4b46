"""Faces in pictures: MTCNN's cascade, batched, in PyTorch.

Zhang et al. 2016 as the `mtcnn` package 1.0.0 runs it (its weights, order of steps and arithmetic of boxes), with one
change: the pyramid is complete, its levels go on while the shorter side has 12 px. The package counts levels from the
frame's size alone. So it stops early where the smallest face is below 20 px, and misses large faces; above 22 to 31 px
it reaches levels of less than 12 px, which TensorFlow refuses, and reports that there is no face.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.mtcnn_inputs import build_pyramid, cut_patches
from models.mtcnn_nets import load_nets
from models.threads import one_thread

CELL_PX = 12  # the face that P-Net sees
STRIDE_PX = 2
LEVEL_RATIO = 0.709  # of a level's size to the one before: half the area
_BLOCK = 512


@dataclass(frozen=True)
class Detection:
    """One face: box (4,) x1, y1, x2, y2; confidence 0 to 1; five (5, 2). float32, pixels.

    Five are the eyes, the nose and the corners of the mouth, left as seen in the picture first.
    """

    box: np.ndarray
    confidence: float
    five: np.ndarray


@dataclass(frozen=True)
class _Boxes:
    """K candidates: the picture's index (K,), box (K, 4) and score (K,)."""

    picture: np.ndarray
    box: np.ndarray
    score: np.ndarray

    def take(self, index: np.ndarray) -> "_Boxes":
        return _Boxes(self.picture[index], self.box[index], self.score[index])


class FaceDetector:
    """Finds faces from `min_face_ratio` of the picture's height on; `thresholds` are the three nets' confidences."""

    def __init__(self, min_face_ratio: float, thresholds: Sequence[float] = (0.6, 0.7, 0.8)) -> None:
        self._min_face_ratio = min_face_ratio
        self._thresholds = tuple(thresholds)
        self._pnet, self._rnet, self._onet = load_nets()

    @torch.inference_mode()
    def find(self, pictures: list[np.ndarray]) -> list[list[Detection]]:
        """The faces of each picture by falling confidence. Pictures are RGB uint8 (H, W, 3) of one size.

        What is found in a picture does not depend on the others.
        """
        stack = np.stack(pictures)
        with one_thread():  # layers this small gain nothing from more
            boxes = self._refine(stack, self._propose(stack))
            boxes, five = self._describe(stack, boxes)
        return [_detections(boxes, five, index) for index in range(len(pictures))]

    def _propose(self, pictures: np.ndarray) -> _Boxes:
        """P-Net over the pyramid; overlapping candidates are thinned in each level, then over all."""
        scales = pyramid_scales(pictures.shape[1:3], self._min_face_ratio)
        pyramids = [build_pyramid(picture, scales) for picture in pictures]
        levels = [_EMPTY]
        for scale, level in zip(scales, zip(*pyramids, strict=True), strict=True):
            offsets, score = self._pnet(_to_tensor(np.stack(level)))
            boxes = _find_cells(offsets.numpy(), score.numpy(), scale, self._thresholds[0])
            levels.append(boxes.take(suppress(boxes.picture, boxes.box, boxes.score, 0.5)))
        boxes = _join(levels)
        return _square(boxes.take(suppress(boxes.picture, boxes.box, boxes.score, 0.7)))

    def _refine(self, pictures: np.ndarray, boxes: _Boxes) -> _Boxes:
        """R-Net: better boxes, fewer of them."""
        offsets, score = _look(self._rnet, pictures, boxes, side=24, batch=64)
        boxes = _Boxes(boxes.picture, _move(boxes.box, offsets), score)
        boxes = boxes.take(score > self._thresholds[1])
        return _square(boxes.take(suppress(boxes.picture, boxes.box, boxes.score, 0.7)))

    def _describe(self, pictures: np.ndarray, boxes: _Boxes) -> tuple[_Boxes, np.ndarray]:
        """O-Net: final boxes, inside the picture, and their five landmarks (K, 5, 2)."""
        offsets, score, landmarks = _look(self._onet, pictures, boxes, side=48, batch=16)
        five = _place(boxes.box, landmarks)
        boxes = _Boxes(boxes.picture, _move(boxes.box, offsets), score)
        sure = np.flatnonzero(score > self._thresholds[2])
        boxes = boxes.take(sure)
        kept = suppress(boxes.picture, boxes.box, boxes.score, 0.7, of_smaller=True)
        return _clip(boxes.take(kept), pictures.shape[1:3]), five[sure[kept]]


def pyramid_scales(size: tuple[int, int], min_face_ratio: float) -> list[float]:
    """Scales of the levels for a picture of `size`: the smallest face has a cell's side in the first."""
    scale = CELL_PX / (min_face_ratio * size[0])
    scales = []
    while int(min(size) * scale) >= CELL_PX:
        scales.append(scale)
        scale *= LEVEL_RATIO
    return scales


def suppress(
    picture: np.ndarray, box: np.ndarray, score: np.ndarray, overlap: float, *, of_smaller: bool = False
) -> np.ndarray:
    """Indices, by picture and falling score, of boxes that no better box of their picture covers beyond `overlap`.

    `overlap` is intersection over union, or over the smaller box. As in the package, a box that is dropped itself
    still drops others.
    """
    kept = [np.zeros(0, np.int64)]
    for one in np.unique(picture):
        members = np.flatnonzero(picture == one)
        members = members[np.argsort(-score[members], kind="stable")]
        kept.append(members[_is_best(box[members], overlap, of_smaller)])
    return np.concatenate(kept)


def _is_best(box: np.ndarray, overlap: float, of_smaller: bool) -> np.ndarray:
    """For boxes by falling score, whether each stands; in blocks, as a noisy picture has thousands."""
    stands = np.ones(len(box), bool)
    for first in range(0, len(box), _BLOCK):
        last = first + _BLOCK
        covered = _overlaps(box[first:last], box[:last], of_smaller) > overlap
        stands[first:last] = ~np.tril(covered, first - 1).any(axis=1)
    return stands


def _overlaps(a: np.ndarray, b: np.ndarray, of_smaller: bool) -> np.ndarray:
    """Intersection over union, or over the smaller box, of each of (A, 4) with each of (B, 4): (A, B)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    area_a, area_b = ((c[:, 2:] - c[:, :2]).prod(axis=1) for c in (a, b))
    whole = np.minimum(area_a[:, None], area_b) if of_smaller else area_a[:, None] + area_b - shared
    result: np.ndarray = shared / whole
    return result


def _to_tensor(pictures: np.ndarray) -> Tensor:
    """(N, H, W, 3) as a view (N, 3, H, W), which is torch's channels_last."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2)


def _find_cells(offsets: np.ndarray, score: np.ndarray, scale: float, threshold: float) -> _Boxes:
    """P-Net's cells (N, 4, h, w) above the threshold as boxes of the picture. Pixels count from 1, as in MATLAB."""
    picture, row, column = np.nonzero(score > threshold)
    corner = np.stack([column, row, column, row], axis=1) * STRIDE_PX + (1, 1, CELL_PX, CELL_PX)
    box = (corner + offsets[picture, :, row, column] * (CELL_PX - 1)) / scale
    return _Boxes(picture, box, score[picture, row, column])


def _join(parts: list[_Boxes]) -> _Boxes:
    return _Boxes(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("picture", "box", "score")))


def _square(boxes: _Boxes) -> _Boxes:
    """Widen the shorter side to the longer one about the center."""
    center = (boxes.box[:, :2] + boxes.box[:, 2:]) / 2
    half = (boxes.box[:, 2:] - boxes.box[:, :2]).max(axis=1, keepdims=True) / 2
    return _Boxes(boxes.picture, np.concatenate([center - half, center + half], axis=1), boxes.score)


def _look(net: nn.Module, pictures: np.ndarray, boxes: _Boxes, side: int, batch: int) -> list[np.ndarray]:
    """The net's outputs for each box. Every batch is filled up to one shape: equal shapes give equal bits."""
    outputs = []
    for first in range(0, max(len(boxes.box), 1), batch):
        part = slice(first, first + batch)
        patches = cut_patches(pictures, boxes.picture[part], boxes.box[part], side)
        filled = np.zeros((batch, side, side, 3), np.float32)
        filled[: len(patches)] = patches
        outputs.append([output[: len(patches)].numpy() for output in net(_to_tensor(filled))])
    return [np.concatenate(columns) for columns in zip(*outputs, strict=True)]


def _move(box: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Boxes moved by offsets in their sides, which count both edge pixels."""
    side = box[:, 2:] - box[:, :2] + 1
    result: np.ndarray = box + offsets * np.tile(side, 2)
    return result


def _place(box: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """O-Net's landmarks (K, 10: five x, five y) in patches' sides -> (K, 5, 2) in pixels."""
    side = box[:, None, 2:] - box[:, None, :2] + 1
    result: np.ndarray = box[:, None, :2] + landmarks.reshape(-1, 2, 5).transpose(0, 2, 1) * side - 1
    return result


def _clip(boxes: _Boxes, size: tuple[int, int]) -> _Boxes:
    most = np.array([size[1], size[0], size[1], size[0]]) - 1
    return _Boxes(boxes.picture, np.clip(boxes.box, 0, most), boxes.score)


def _detections(boxes: _Boxes, five: np.ndarray, picture: int) -> list[Detection]:
    return [
        Detection(boxes.box[i].astype(np.float32), float(boxes.score[i]), five[i].astype(np.float32))
        for i in np.flatnonzero(boxes.picture == picture)
    ]


_EMPTY = _Boxes(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0, np.float32))
