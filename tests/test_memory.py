"""Memory that was freed is taken again without page faults."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHILD = """
import resource
import numpy as np
from models.memory import keep_freed_memory

def count_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        np.ones(8_000_000)  # 64 MB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = count_faults()
keep_freed_memory()
np.ones(8_000_000)
print(given_back, count_faults())
"""


def test_large_blocks_are_taken_again_without_page_faults() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], cwd=ROOT, capture_output=True, text=True, check=True)
    given_back, kept = map(int, done.stdout.split())
    assert given_back > 200
    assert kept < given_back / 4
