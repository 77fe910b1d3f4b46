"""Curves over a common axis, drawn to PNG bytes."""

import io
from collections.abc import Mapping

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLORS = ("#1f6fb4", "#d9541e", "#3a9a4a", "#8457a8")


def draw_curves(
    x: np.ndarray, curves: Mapping[str, np.ndarray], x_label: str, y_label: str, shade: np.ndarray | None = None
) -> bytes:
    """Draw named curves into one PNG. NaN leaves a gap; where `shade` (bool, one a value of x) holds, it is grey."""
    figure = Figure(figsize=(9.6, 2.7), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for (name, values), color in zip(curves.items(), COLORS, strict=False):
        axes.plot(x, values, color=color, linewidth=1.3, label=name)
    if shade is not None and shade.any():
        axes.fill_between(x, 0, 1, where=shade.tolist(), transform=axes.get_xaxis_transform(), color="#00000018")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.margins(x=0.01)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    buffer = io.BytesIO()
    # Without this, matplotlib writes its own version into the file: other bytes for the same picture.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
