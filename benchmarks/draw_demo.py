"""Draw the README's picture from a built demo: at four moments the clip's face, the result's and the truth's.

python -m benchmarks.draw_demo [PICTURE.png]
"""

import sys
from pathlib import Path

import numpy as np

from vision.alignment import compose, view_matrix
from vision.crops import Picture, crop_picture, encode_png
from vision.lockstep import read_lockstep
from vision.tables import TRACKS, matrix, read_table

VIDEOS = (Path("clips/ada/take1.mp4"), Path("data/convert/demo.mp4"), Path("performers/truth/demo.mp4"))
TRACKED = Path("data/align/ada/tracks.parquet")
MOMENTS = (20, 104, 140, 90)
SIDE_PX, GAP_PX, CROP_PX, COVERAGE = 192, 8, 256, 0.8


def draw_demo() -> Picture:
    """Two rows of two moments, each three faces side by side: RGB uint8."""
    tracks = read_table(TRACKED, TRACKS, ["clip", "frame", "is_used", "frame_to_crop"])
    rows = tracks[(tracks["clip"] == VIDEOS[0].name) & tracks["is_used"]].set_index("frame")
    moments: dict[int, Picture] = {}
    for frames in read_lockstep(VIDEOS):
        index = frames[0].index
        if index in MOMENTS:
            to_view = compose(view_matrix(CROP_PX, COVERAGE, SIDE_PX), matrix(rows["frame_to_crop"][index]))
            moments[index] = np.hstack([crop_picture(frame.to_rgb(), to_view, SIDE_PX) for frame in frames])
    first, second, third, fourth = (moments[index] for index in MOMENTS)
    beside = np.full((SIDE_PX, GAP_PX, 3), 255, np.uint8)
    upper, lower = np.hstack([first, beside, second]), np.hstack([third, beside, fourth])
    return np.vstack([upper, np.full((GAP_PX, upper.shape[1], 3), 255, np.uint8), lower])


def main() -> None:
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/demo.png").write_bytes(encode_png(draw_demo()))


if __name__ == "__main__":
    main()
