"""Sample the broken, odd and hostile videos one by one, and print the slowest and the largest.

    python -m benchmarks.bad_videos [--rounds N]

As tests/bad_videos.py does it: each in a child of limited time and memory. Seconds are the least and memory is the most
of all rounds. Exit code 1 where a video takes 5 s, or where it ever ends by a signal or a traceback, or takes too much.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bad_videos import LIMIT_MB, MISSING, Trial, try_bad_videos

SLOW_S = 5.0
N_SHOWN = 10


def tell(rounds: list[list[Trial]]) -> bool:
    """Print the tables of what was seen in each round; whether no video is slow and none failed."""
    videos = list(zip(*rounds, strict=True))
    for title, key in (("slowest", _seconds), ("largest", _peak_mb)):
        print(f"{title:34} seconds   peak MB   ended")
        for trials in sorted(videos, key=key, reverse=True)[:N_SHOWN]:
            name, end = ascii(trials[0].name[:32]), _tell_end(max(trials, key=_is_failed))
            print(f"{name:34} {_seconds(trials):7.2f} {_peak_mb(trials):9.0f}   {end}")
    total_s = sum(_seconds(trials) for trials in videos)
    slow = _list(videos, lambda trials: _seconds(trials) >= SLOW_S)
    failed = _list(videos, lambda trials: any(map(_is_failed, trials)))
    print(f"{len(videos)} videos in {total_s:.1f} s, each limited to {LIMIT_MB} MB; rounds: {len(rounds)}")
    print(f"{SLOW_S:g} s or more: {slow or 'none'}; failed: {failed or 'none'}")
    return not slow and not failed


def _seconds(trials: tuple[Trial, ...]) -> float:
    return min(trial.seconds for trial in trials)


def _peak_mb(trials: tuple[Trial, ...]) -> float:
    return max(trial.peak_mb for trial in trials)


def _is_failed(trial: Trial) -> bool:
    return not trial.is_orderly or trial.peak_mb > LIMIT_MB


def _tell_end(trial: Trial) -> str:
    return ("sampled", "refused")[trial.code] if trial.is_orderly else f"code {trial.code}: {trial.error[-60:]!a}"


def _list(videos: list[tuple[Trial, ...]], is_meant: Callable[[tuple[Trial, ...]], bool]) -> str:
    return ", ".join(ascii(trials[0].name) for trials in videos if is_meant(trials))


def _try_once() -> list[Trial]:
    with tempfile.TemporaryDirectory() as folder:
        return list(try_bad_videos(Path(folder)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", metavar="N", type=int, default=3)
    n_rounds = parser.parse_args().rounds
    if MISSING:
        sys.exit(f"error: {MISSING}")
    sys.exit(0 if tell([_try_once() for _ in range(n_rounds)]) else 1)


if __name__ == "__main__":
    main()
