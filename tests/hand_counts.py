"""Every face of every eleventh frame of crowd.mp4, counted by eye: frame -> a point (x, y) inside of each, pixels.

Left out are blurred, dark ones of the audience, and what the border cuts off down to a cheek.
"""

import pandas as pd

CROWD: dict[int, tuple[tuple[int, int], ...]] = {
    5: ((547, 66), (64, 200)),
    16: ((541, 70), (62, 196)),
    27: ((358, 220),),
    38: ((388, 220),),
    49: ((582, 132),),
    71: ((591, 134),),
    82: ((173, 101),),
    93: ((207, 110),),
    104: ((244, 121),),
    115: ((250, 125),),
    126: ((239, 86),),
    137: ((211, 82),),
    148: ((242, 75),),
    159: ((290, 75),),
    170: ((259, 103),),
    181: ((244, 79),),
    192: ((270, 81),),
    203: ((312, 81),),
    214: ((66, 101), (189, 125), (350, 88), (413, 130)),
    225: ((75, 94), (189, 127), (352, 87), (413, 131)),
    236: ((79, 99), (193, 127), (356, 88), (420, 132)),
    247: ((75, 99), (198, 130), (358, 88), (426, 132)),
    258: ((64, 101), (200, 130), (358, 90), (422, 132)),
    269: ((68, 101), (196, 130), (358, 90), (424, 132)),
}


CROWD_STARTS = frozenset([0, 20, 82, 211])  # first frames of its shots


def find_missed(found: pd.DataFrame) -> list[tuple[int, int, int]]:
    """The faces (frame, x, y) of CROWD that no box of detections (frame, x1, y1, x2, y2) holds."""
    return [
        (frame, x, y)
        for frame, points in CROWD.items()
        for x, y in points
        if not _is_in_any(found[found["frame"] == frame], x, y)
    ]


def _is_in_any(boxes: pd.DataFrame, x: int, y: int) -> bool:
    return bool((boxes["x1"].lt(x) & boxes["x2"].gt(x) & boxes["y1"].lt(y) & boxes["y2"].gt(y)).any())
