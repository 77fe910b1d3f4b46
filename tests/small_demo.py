"""The demo in small: the real stages on one second of its clips, in seconds; the result is no likeness."""

from itertools import islice
from pathlib import Path
from typing import Any

import av

from tests.project import COPIED, ROOT, Project, copy_tree

N_FRAMES = 24


def make_small_demo(root: Path) -> Project:
    """The project with its real stages in `root`, on short clips, not built yet."""
    project = Project(root)
    for name in COPIED:
        copy_tree(ROOT / name, root / name)
    for person in ("ada", "ben"):
        shorten(ROOT / f"clips/{person}/take1.mp4", root / f"clips/{person}/take1.mp4")
    project.change(_make_small)
    project.make_keys()
    return project


def shorten(source: Path, target: Path, first: int = 0) -> None:
    """Write `N_FRAMES` frames of a video, from `first` on."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(source) as old, av.open(target, "w") as new:
        stream = new.add_stream("libx264", old.streams.video[0].average_rate, {"crf": "14", "preset": "ultrafast"})
        stream.width, stream.height = old.streams.video[0].width, old.streams.video[0].height
        for frame in islice(old.decode(video=0), first, first + N_FRAMES):
            new.mux(stream.encode(frame))
        new.mux(stream.encode(None))


def _make_small(values: Any) -> None:
    """Params that a computer without a graphics card goes through in seconds."""
    values["align"]["crop_px"] = 128
    values["augment"].update(face_px=64, variants=1)
    values["train"].update(
        size_px=64, size="tiny", batch=4, threads=1, validate_every=6, checkpoint_every=6, preview_every=6
    )
    values["train"]["phases"] = [{**values["train"]["phases"][0], "steps": 12, "warmup": 2}]
    values["identities"]["ada"]["faceset"] = ["take1.mp4"]
    values["takes"]["demo"]["truth"] = None
