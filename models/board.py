"""What TensorBoard shows of a training while it runs. It holds clock times: it lies outside what DVC keeps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from errors import TrainingError


class Board:
    """Scalars and pictures by step, in a folder for `tensorboard --logdir`. Raises TrainingError where it cannot."""

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboardX import SummaryWriter  # noqa: PLC0415 - of a group that need not be installed
        except ModuleNotFoundError as error:
            raise TrainingError(
                "train.tensorboard needs tensorboardX: pip install --constraint requirements.lock --group tensorboard, "
                "or set it to false"
            ) from error
        self._writer: Any = SummaryWriter(str(folder))

    def add_figures(self, step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def add_picture(self, step: int, name: str, picture: NDArray[np.uint8]) -> None:
        """Add an RGB uint8 picture (H, W, 3)."""
        self._writer.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        self._writer.close()
