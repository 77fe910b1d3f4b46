"""The sizes of every architecture: what its channels at the size `base` are multiplied by."""

from typing import Literal

Size = Literal["tiny", "small", "base", "large"]
SCALES: dict[Size, float] = {"tiny": 0.25, "small": 0.5, "base": 1.0, "large": 2.0}


def scale_channels(channels: tuple[int, ...], size: Size) -> list[int]:
    """Channels of a size, in whole eights and at least 8: what the CPU's vectors take at once."""
    return [max(8, 8 * round(n * SCALES[size] / 8)) for n in channels]
