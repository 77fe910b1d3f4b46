"""Sample the broken, odd and hostile videos one by one, and print the slowest and the largest.

    python -m benchmarks.bad_videos

As tests/bad_videos.py does it: each in a child of limited time and memory. Exit code 1 where one takes 5 s, ends by a
signal or a traceback, or takes more memory than it may.
"""

import sys
import tempfile
from pathlib import Path

from tests.bad_videos import LIMIT_MB, MISSING, Trial, try_bad_videos

SLOW_S = 5.0
N_SHOWN = 10


def tell(trials: list[Trial]) -> bool:
    """Print the table; whether none is slow or failed."""
    failed = [trial for trial in trials if not trial.is_orderly or trial.peak_mb > LIMIT_MB]
    slow = [trial for trial in trials if trial.seconds >= SLOW_S]
    for title, key in (("slowest", "seconds"), ("largest", "peak_mb")):
        print(f"{title:34} seconds   peak MB   ended")
        for trial in sorted(trials, key=lambda trial: -getattr(trial, key))[:N_SHOWN]:
            print(f"{trial.name[:32]!a:34} {trial.seconds:7.2f} {trial.peak_mb:9.0f}   {_tell_end(trial)}")
    print(f"{len(trials)} videos in {sum(trial.seconds for trial in trials):.1f} s, each limited to {LIMIT_MB} MB")
    print(f"{SLOW_S:g} s or more: {_list(slow)}; failed: {_list(failed)}")
    return not slow and not failed


def _tell_end(trial: Trial) -> str:
    return ("sampled", "refused")[trial.code] if trial.is_orderly else f"code {trial.code}: {trial.error[-60:]!a}"


def _list(trials: list[Trial]) -> str:
    return ", ".join(ascii(trial.name) for trial in trials) or "none"


def main() -> None:
    if MISSING:
        sys.exit(f"error: {MISSING}")
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if tell(list(try_bad_videos(Path(folder)))) else 1)


if __name__ == "__main__":
    main()
