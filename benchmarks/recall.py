"""How many of the faces that are there are found: performers with turned heads, and faces counted by eye.

    python -m benchmarks.recall [--clip CLIP] [--moments N] [--jobs N]

renders both performers at yaws of 30, 60 and 90 degrees to both sides, N moments each (10: about 3 minutes on 2 cores),
and searches each picture by itself, by MTCNN alone and with the detector of profiles. CLIP: the clip whose faces
tests/hand_counts.py lists; it is searched as the stage does it.
"""

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path

from models.face_search import Search, Stretch, find_faces, search_frame
from tests.hand_counts import CROWD, CROWD_STARTS, find_missed
from tests.turned_heads import list_turned, render_turned
from vision.clip import Part
from vision.hashing import hash_file
from vision.mesh import share_mesh

YAWS = (30.0, 60.0, 90.0)
SEARCH = Search("torch", "mesh", 0.12, (0.6, 0.7, 0.8), 0.5, profiles=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    count_turned(options.moments, options.jobs)
    if options.clip:
        count_by_eye(options.clip)


def count_turned(n_moments: int, jobs: int) -> None:
    """Print the recall at each yaw."""
    counts: Counter[tuple[float, str]] = Counter()
    for head in render_turned(list_turned(YAWS, n_moments, 1.0), jobs):
        yaw = abs(head.turned.yaw)
        for name, search in (("MTCNN", replace(SEARCH, profiles=False)), ("both", SEARCH)):
            faces = search_frame(search, head.frame)
            hits = [face for face in faces if head.is_in(face.box)]
            counts[yaw, name] += bool(hits)
            counts[yaw, f"{name}, else"] += len(faces) - len(hits[:1])
        counts[yaw, "mesh"] += bool(hits) and share_mesh().fit(head.frame, hits[0].box, hits[0].five) is not None
    n = 4 * n_moments
    for yaw in YAWS:
        shares = (f"{name} {counts[yaw, name] / n:.1%}" for name in ("MTCNN", "both", "mesh"))
        print(f"yaw {yaw:.0f}: {', '.join(shares)}; found where nobody is: {counts[yaw, 'both, else']} in {n} pictures")


def count_by_eye(clip: Path) -> None:
    """Print how many of the faces counted by eye are found."""
    part = Part(0, max(CROWD) + 1, 0)
    missed = find_missed(find_faces(Stretch(clip, hash_file(clip), part, SEARCH, 15, CROWD_STARTS)))
    n = sum(map(len, CROWD.values()))
    print(f"{clip.name}: {n - len(missed)} of {n} faces; missed (frame, x, y): {missed}")


if __name__ == "__main__":
    main()
