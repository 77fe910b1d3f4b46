"""The coverage of a target by a source, drawn: poses above each other, and mouth, eyes and light as histograms."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vision.coverage import Faces
from vision.curves import COLORS, calm_axes, encode_figure

HISTOGRAMS = {"mouth_open": "mouth: gap / width", "eye_open": "eyes: share of usual", "light": "light: mean luma"}
N_BINS = 24


def draw_coverage(source: Faces, target: Faces) -> bytes:
    """PNG bytes."""
    figure = Figure(figsize=(12.8, 3.6), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    poses, *others = figure.subplots(1, 4, gridspec_kw={"width_ratios": [1.6, 1, 1, 1]})
    for faces, name, color, size in (
        (target, "target's frames", COLORS[1], 14),
        (source, "source's faces", COLORS[0], 4),
    ):
        poses.scatter(faces.yaw, faces.pitch, s=size, color=color, alpha=0.6, linewidths=0, label=name)
    poses.set_xlabel("yaw, degrees (right of the picture: positive)")
    poses.set_ylabel("pitch, degrees (up: positive)")
    poses.legend(loc="best", frameon=False)
    for axes, (measure, label) in zip(others, HISTOGRAMS.items(), strict=True):
        _draw_histogram(axes, getattr(source, measure), getattr(target, measure), label)
    for axes in (poses, *others):
        calm_axes(axes)
    return encode_figure(figure)


def _draw_histogram(axes: Axes, source: np.ndarray, target: np.ndarray, label: str) -> None:
    """Shares of both over common bins."""
    known = [values[np.isfinite(values)] for values in (source, target)]
    together = np.concatenate(known)
    axes.set_xlabel(label)
    axes.set_yticks([])
    if not together.size:
        return
    bins = np.linspace(together.min(), together.max() + 1e-9, N_BINS + 1).tolist()
    for values, color in zip(known, (COLORS[0], COLORS[1]), strict=True):
        if values.size:
            axes.hist(values, bins, weights=np.full(values.size, 1 / values.size), color=color, alpha=0.55)
