"""What a flow tells in the terminal: its lines, each with the time and of whom it is, and a table at its end."""

import time
from collections.abc import Mapping

from flows.outcome import Outcome


def say(name: str, line: str) -> None:
    """Print a line of a stage, or of whatever `name` is."""
    print(f"{time.strftime('%H:%M:%S')} {name}  {line}", flush=True)


def print_table(outcomes: Mapping[str, Outcome], seconds: Mapping[str, float]) -> None:
    """Print what became of each, and how long it took."""
    width = max(map(len, outcomes), default=0)
    for name, outcome in outcomes.items():
        print(f"  {name:{width}}  {outcome:9}  {seconds[name]:7.1f} s", flush=True)
