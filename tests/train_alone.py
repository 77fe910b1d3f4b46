"""One training in a process of its own, for test_train: python -m tests.train_alone PEOPLE PLACE DEVICES."""

import sys
from pathlib import Path

from tests.test_train import PHASE, train_in

if __name__ == "__main__":
    people, place, devices = sys.argv[1:]
    train_in(Path(people), Path(place), phases=[PHASE | {"steps": 40}, PHASE | {"steps": 20}], devices=int(devices))
