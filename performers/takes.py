"""The takes of the performers, as keyframes: what is played, in numbers.

A curve is a line of `second:value`; its fields are those of `performers.script.Moment`.
"""

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Script:
    """Whose scene it is played in, keyframes of every curve, times of speech (from, to) and of blinks (seconds)."""

    scene: str
    n_frames: int
    seed: int
    curves: dict[str, str]
    speech: tuple[tuple[float, float], ...]
    blinks_s: tuple[float, ...]


RANGE_S = 30


def swing(period_s: float, low: float, high: float) -> str:
    """Keys of a curve that goes from `low` to `high` and back in `period_s` seconds, for `RANGE_S`."""
    n_keys = ceil(2 * RANGE_S / period_s) + 1
    return " ".join(f"{index * period_s / 2:g}:{(low, high)[index % 2]:g}" for index in range(n_keys))


ADA_TAKE = Script(
    scene="ada",
    n_frames=240,
    seed=101,
    curves={
        "yaw": "0:-4 1.2:3 2.4:-33 3.3:-34 4.3:0 5.3:33 6.2:34 7.2:4 8.4:-12 10:6",
        "pitch": "0:0 1.5:3 3:-3 4.2:2 5.6:4 6.6:-2 7.4:14 8.4:-14 9.3:-2 10:1",
        "roll": "0:0 1:3 2.6:-4 4.4:11 5.6:2 7:-11 8.2:3 10:-2",
        "smile": "0:0.1 1.8:0.1 2.9:0.5 3.8:0.1 6.3:0.15 7:0.9 7.7:0.8 8.4:0.1 9.4:0.4 10:0.7",
        "brow": "0:0 1:0.4 2:0 4.4:0.9 5:0.1 6.6:-0.7 7.4:0.5 8.4:-0.4 10:0.3",
        "gaze_x": "0:0 1.4:2 1.6:-10 2.6:8 3.4:14 4:0 5:-8 6:-16 7:0 8.5:10 9.2:0 10:0",
        "gaze_y": "0:0 2:0 3:5 4:0 7.3:-8 8.3:9 9.2:0 10:0",
        "head_x": "0:0 3:-1.2 6:1.3 10:0",
        "camera_x": "0:-3 10:3.5",
        "camera_z": "0:0 10:-4",
        "light_yaw": "0:-38 5:-18 10:-44",
        "light": "0:1 3:1.08 5:0.86 7.5:1.05 10:0.95",
        "warmth": "0:0.55 5:0.35 10:0.7",
    },
    speech=((0.3, 2.1), (2.5, 3.7), (4.0, 6.7), (7.5, 9.3)),
    blinks_s=(0.9, 2.15, 3.55, 5.0, 6.0, 7.9, 9.1),
)

BEN_TAKE = Script(
    scene="ben",
    n_frames=360,
    seed=202,
    curves={
        "yaw": (
            "0:5 1:-5 2:18 3:38 4:36 5.2:4 6.2:-22 7.2:-38 8.2:-36 9.2:-8 10.4:10 11.4:-12 "
            "12.5:32 13.4:14 14.3:-30 15:-4"
        ),
        "pitch": (
            "0:0 0.8:8 1.7:-16 2.6:2 3.5:12 4.4:-10 5.2:16 6.1:-4 7:10 7.9:-12 8.8:2 9.8:17 10.9:-17 11.8:4 12.6:-6 "
            "13.3:12 14.2:4 15:-6"
        ),
        "roll": "0:0 1.2:-8 2.4:4 3.4:-5 4.8:13 6:-13 7.4:5 8.4:-4 9.4:8 10.6:-10 12.5:5 13.6:-9 14.4:10 15:0",
        "smile": (
            "0:0 1.2:0.7 2:0.1 3.2:0.6 4.2:0 5.4:1 6.2:0.2 7.5:0.8 8.5:0 10:0.9 10.8:0.2 11.6:0.6 12.5:0.1 13.5:0.9 "
            "14.2:0.2 15:0.5"
        ),
        "brow": "0:0 1.5:0.9 2.5:-0.7 4:0.6 5.5:1 6.5:-0.8 8:0.8 9.5:0 10.5:0.9 12.5:-0.3 13.4:0.8 14.2:-0.6 15:0.2",
        "gaze_x": (
            "0:0 1:12 2:-12 3.2:-16 4:6 5:0 6.4:12 7.6:16 8.4:-4 9.5:0 10.3:-14 11.4:12 12.5:0 13.5:-10 14.3:10 15:0"
        ),
        "gaze_y": "0:0 1.7:10 2.8:-6 4.4:8 5.4:-9 7:5 9.8:-9 10.9:10 12.5:0 13.4:8 14.3:-6 15:0",
        "head_x": "0:0 3.5:1.3 7.7:-1.3 12.5:0 15:0.6",
        "camera_x": "0:3 15:-3",
        "camera_z": "0:-2 15:3",
        # The source is filmed in the light that the target's scene has, and in more of it.
        "light_yaw": "0:-42 1.6:-15 3.4:-46 5:-20 6.5:30 7.8:-20 9.4:-46 11:-12 12.4:-46 13.6:-25 15:-42",
        "light": "0:0.92 2:1.08 4:0.86 6:1.08 8:0.9 10:1.06 12:0.86 13.5:1.05 15:0.95",
        "warmth": "0:0.35 2.5:0.7 5:0.3 7.5:0.65 10:0.35 12:0.7 13.5:0.4 15:0.6",
    },
    speech=((0.2, 4.1), (4.4, 9.0), (9.2, 12.4), (12.6, 14.9)),
    blinks_s=(0.6, 1.7, 2.6, 3.5, 4.6, 5.8, 6.9, 7.6, 8.5, 9.9, 11.0, 11.9, 12.8, 13.6, 14.4),
)

# A range of motion, as performers are filmed before a shoot: every curve swings with a period of its own, so that what
# is seen together changes all the time.
BEN_RANGE = Script(
    scene="ben",
    n_frames=720,
    seed=203,
    curves={
        "yaw": swing(3.1, -41, 41),
        "pitch": swing(2.3, -18, 18),
        "roll": swing(3.7, -13, 13),
        "smile": swing(1.9, 0, 1),
        "brow": swing(2.9, -0.9, 1),
        "gaze_x": swing(1.3, -18, 18),
        "gaze_y": swing(1.7, -10, 11),
        "head_x": swing(5.3, -1.3, 1.3),
        "camera_x": "0:-4 30:4",
        "camera_z": swing(11, -5, 5),
        "light_yaw": swing(4.3, -48, -8),
        "light": swing(2.7, 0.84, 1.12),
        "warmth": swing(5.9, 0.3, 0.75),
    },
    speech=tuple((second + 0.2, second + 4.6) for second in range(0, RANGE_S, 5)),
    blinks_s=tuple(0.5 + 1.1 * index for index in range(27)),
)

# Speech of a head that stays turned, to one side and the other: where it swings, hardly any mouth is wide at the ends.
BEN_TURNED = Script(
    scene="ben",
    n_frames=288,
    seed=204,
    curves={
        "yaw": (
            "0:-33 0.8:-40 1.8:-34 2.6:-41 3:-33 3.6:33 4.4:41 5.4:34 6.2:40 6.6:33 7.2:-32 8:-40 9:-35 9.6:34 10.6:41 "
            "12:34"
        ),
        "pitch": swing(1.7, -14, 14),
        "roll": swing(2.3, -10, 10),
        "smile": swing(1.9, 0, 0.9),
        "brow": swing(2.1, -0.8, 1),
        "gaze_x": swing(1.3, -16, 16),
        "gaze_y": swing(1.9, -9, 10),
        "head_x": swing(5.3, -1.3, 1.3),
        "camera_x": "0:3 12:-3",
        "camera_z": swing(7, -4, 4),
        "light_yaw": swing(3.7, -46, -12),
        "light": swing(2.9, 0.86, 1.1),
        "warmth": swing(4.7, 0.3, 0.7),
    },
    speech=((0.1, 3.1), (3.5, 6.7), (7.1, 9.2), (9.5, 11.9)),
    blinks_s=(1.2, 2.9, 4.1, 5.7, 7.5, 8.9, 10.3, 11.5),
)

SCRIPTS = {"ada": ADA_TAKE, "ben": BEN_TAKE, "ben_range": BEN_RANGE, "ben_turned": BEN_TURNED}
