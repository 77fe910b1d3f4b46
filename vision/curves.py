"""Curves over a common axis, drawn to PNG bytes."""

import io
from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLORS = ("#1f6fb4", "#d9541e", "#3a9a4a", "#8457a8")


Curve = tuple[np.ndarray, np.ndarray]  # x, y of one length


def draw_curves(curves: Mapping[str, Curve], x_label: str, y_label: str, grey: np.ndarray | None = None) -> bytes:
    """Draw named curves into one PNG. NaN leaves a gap; around the whole numbers `grey` it is shaded."""
    figure = Figure(figsize=(9.6, 2.7), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for (name, (x, y)), color in zip(curves.items(), COLORS, strict=False):
        axes.plot(x, y, color=color, linewidth=1.3, label=name)
    for first, last in _runs(grey) if grey is not None else ():
        axes.axvspan(first - 0.5, last + 0.5, color="#00000018", linewidth=0)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.margins(x=0.01)
    calm_axes(axes)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return encode_figure(figure)


def calm_axes(axes: Axes) -> None:
    """A light grid, and no frame above and on the right."""
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def encode_figure(figure: Figure) -> bytes:
    """A figure as PNG bytes, the same each time."""
    buffer = io.BytesIO()
    # Without this, matplotlib writes its own version into the file: other bytes for the same picture.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _runs(numbers: np.ndarray) -> Iterator[tuple[int, int]]:
    """The first and last of each run of numbers that follow one another."""
    if numbers.size:
        for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1):
            yield int(run[0]), int(run[-1])
