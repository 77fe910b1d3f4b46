"""What lies over a face (a hand, hair, a microphone): where its surface looks like none of the person's own faces.

A person's looks are learnt from charts: the gradients of the lightness, whose light and color do not matter, and how
they vary (principal components, for expression and pose). In a face, what the components do not explain, although a
robust fit lets them (Black and Jepson 1998), is no face. Charts that differ most from the others are not learnt from,
since they may be covered themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.chart import Chart
from vision.extent import Extent

N_COMPONENTS = 16
LASTING_FRAMES = 4  # before and after, in most of which a cover must be seen
N_FITS = 3  # of the components, each with less weight on what they leave
_FIT_EVERY = 5  # of the gradients, right and down in turns: enough for so few components

_NOISE = 1.0  # deviation of a gradient, grey levels of CIELAB's L a texel, that counts for nothing
_MOST = 25.0  # squared deviations of a texel at most, so that none outweighs its neighbors
_SPREAD_TEXELS = 3.0  # over which deviations are averaged
_FIRM_FACING = 0.5  # cosine to the camera from which on a texel is judged
_UNSURE = 5.0  # mean squared deviation from which a chart is not learnt from
_COVERED, _SURELY = 4.0, 7.0  # mean squared deviation of a covered texel, and of one at least in a cover
_MIN_RATIO = 0.04  # share of the seen face that a cover takes
_PEAK_RATIO = 0.08  # share of a chart's texels by whose least deviation it is judged

_WINDOW: tuple[tuple[int, Literal["left", "right"]], ...] = ((-LASTING_FRAMES, "left"), (LASTING_FRAMES, "right"))

Gradients = NDArray[np.float32]  # (H, W, 2), right and down
Bits = NDArray[np.bool_]


@dataclass(frozen=True)
class Sight:
    """What a frame shows of a face: its texels that look covered and those that were judged, (H, W); its sharpness.

    `sharpness_ratio`: the root mean square of the judged texels' gradients / the person's usual.
    """

    covered: Bits
    judged: Bits
    sharpness_ratio: float


@dataclass(frozen=True)
class Looks:
    """How a person's face looks: over the texels of `region` (H, W), the mean gradients and their components.

    `mean` (2 M,), `components` (K, 2 M) of unit length, `variance` (2 M,) of what they leave; `sharpness`: the usual.
    """

    region: Bits
    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    variance: NDArray[np.float32]
    sharpness: float

    def look_at(self, chart: Chart) -> Sight:
        """What a chart shows of the person's face."""
        judged = _find_firm(chart) & self.region
        gradients = measure_gradients(chart)
        covered = _keep_sure(_spread(self._measure(gradients, judged), judged), judged)
        return Sight(covered, judged, _measure_sharpness(gradients, judged) / max(self.sharpness, 1e-6))

    def _measure(self, gradients: Gradients, is_seen: Bits) -> NDArray[np.float32]:
        """The squared deviation of each texel (H, W) from the nearest look."""
        values = gradients[self.region].ravel() - self.mean
        rest = _fit(values, self.components, np.repeat(is_seen[self.region], 2))
        deviation = np.zeros(self.region.shape, np.float32)
        deviation[self.region] = (rest**2 / (self.variance + _NOISE**2)).reshape(-1, 2).mean(axis=1)
        return deviation.clip(max=_MOST)


def learn_looks(charts: Sequence[Chart], extent: Extent) -> Looks:
    """The looks of the person that the charts show, inside of the face's extent."""
    region = cv2.erode((extent > 0.5).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    is_seen = np.stack([_find_firm(chart) & region for chart in charts])
    gradients = np.stack([measure_gradients(chart) for chart in charts])
    own = _pick_alike(gradients, is_seen)
    seen = np.repeat(is_seen[own][:, region], 2, axis=1)
    values = np.where(seen, gradients[own][:, region].reshape(len(own), -1), np.nan)
    middle = _median(values)
    values = np.where(seen, values, middle)
    mean = values.mean(axis=0)
    _, _, components = np.linalg.svd(values - mean, full_matrices=False)
    components = components[: min(N_COMPONENTS, len(own) - 1)]
    rest = np.stack([_fit(row - mean, components, is_known) for row, is_known in zip(values, seen, strict=True)])
    variance = np.median(rest**2, axis=0) / 0.455  # the median of a squared normal deviate
    mean, components, variance = (part.astype(np.float32) for part in (mean, components, variance))
    sharpness = [_measure_sharpness(gradients[n], is_seen[n]) for n in own]
    return Looks(region, mean, components, variance, float(np.median(sharpness)))


def keep_lasting(sights: Sequence[Sight], frames: Sequence[int]) -> list[Sight]:
    """The sights of a track's faces in these frames, rising; covered is what most of those beside have covered too.

    A mesh that sits badly for a moment, or a face that does what it did not before, looks covered for a frame or two.
    """
    covered, known = np.stack([sight.covered for sight in sights]), np.array(frames, np.int64)
    first, end = (np.searchsorted(known, known + shift, side) for shift, side in _WINDOW)
    return [
        replace(sight, covered=2 * covered[first[n] : end[n]].sum(axis=0) > end[n] - first[n])
        for n, sight in enumerate(sights)
    ]


def measure_gradients(chart: Chart) -> Gradients:
    """The lightness's change from texel to texel, in CIELAB's L."""
    lightness = cv2.cvtColor(chart.colors.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]
    smooth = cv2.GaussianBlur(lightness, (0, 0), 0.7)
    return np.dstack([cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, scale=0.125) for dx in (1, 0)])


def _measure_sharpness(gradients: Gradients, is_seen: Bits) -> float:
    return float(np.sqrt((gradients[is_seen] ** 2).mean())) if is_seen.any() else 0.0


def _find_firm(chart: Chart) -> Bits:
    """The texels well in view, without those beside others, whose colors may be another's."""
    return np.asarray(cv2.erode((chart.facing >= _FIRM_FACING).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _pick_alike(gradients: NDArray[np.float32], is_seen: Bits) -> NDArray[np.int64]:
    """The charts that are near to the median of all; where there is none, the nearest half."""
    middle = _median(np.where(is_seen[..., None], gradients, np.nan))
    variance = (1.4826 * _median(np.where(is_seen[..., None], np.abs(gradients - middle), np.nan))) ** 2
    deviation = ((gradients - middle) ** 2 / (variance + _NOISE**2)).mean(axis=3).clip(max=_MOST)
    peaks = np.array([_find_peak(_spread(one, seen), seen) for one, seen in zip(deviation, is_seen, strict=True)])
    return np.flatnonzero(peaks <= max(_UNSURE, float(np.median(peaks))))


def _fit(values: NDArray[np.floating], components: NDArray[np.floating], is_known: Bits) -> NDArray[np.floating]:
    """What is left of values (2 M,) after the components, fitted to some of those that are known."""
    few, used = values[::_FIT_EVERY], components[:, ::_FIT_EVERY]
    known = is_known[::_FIT_EVERY].astype(few.dtype)
    weights, shares = known, np.zeros(len(components), few.dtype)
    for _ in range(N_FITS if len(components) else 0):
        weighted = used * weights
        normal = weighted @ used.T + 0.5 / _FIT_EVERY * np.eye(len(components), dtype=few.dtype)
        shares = np.linalg.solve(normal, weighted @ few)
        weights = known / (1 + ((few - shares @ used) / 3) ** 2)
    rest: NDArray[np.floating] = values - shares @ components
    return rest


def _spread(deviation: NDArray[np.floating], is_seen: Bits) -> NDArray[np.float32]:
    """The mean deviation of seen texels about each; 0 where it is not seen."""
    seen = is_seen.astype(np.float32)
    total, share = (
        cv2.GaussianBlur(each.astype(np.float32), (0, 0), _SPREAD_TEXELS)
        for each in (np.nan_to_num(deviation) * seen, seen)
    )
    return np.asarray(np.where(is_seen, total / np.maximum(share, 0.3), 0), np.float32)


def _find_peak(deviation: NDArray[np.float32], is_seen: Bits) -> float:
    values = deviation[is_seen]
    return float(np.quantile(values, 1 - _PEAK_RATIO)) if values.size else 0.0


def _keep_sure(deviation: NDArray[np.float32], is_seen: Bits) -> Bits:
    """The pieces of covered texels that are large enough and somewhere sure."""
    n_pieces, pieces = cv2.connectedComponents((deviation > _COVERED).astype(np.uint8))
    kept = np.zeros(is_seen.shape, bool)
    for piece in range(1, n_pieces):
        inside = pieces == piece
        if inside.sum() >= _MIN_RATIO * is_seen.sum() and deviation[inside].max() > _SURELY:
            kept |= inside
    return kept


def _median(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Over the first axis, without NaN; 0 where there is nothing else."""
    is_known = np.isfinite(values).any(axis=0)
    middle = np.zeros(values.shape[1:], values.dtype)
    middle[is_known] = np.nanmedian(values[:, is_known], axis=0)
    return middle
