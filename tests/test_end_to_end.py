"""The real stages, joined, on the first second and a half of the demo's clips: from clips to a measured video."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import av
import pandas as pd
import pytest

from tests.project import COPIED, ROOT, Project, copy_tree

N_FRAMES = 24


def _make_small(values: Any) -> None:
    """Params that a computer without a graphics card goes through in seconds; the result is no likeness."""
    values["align"]["crop_px"] = 128
    values["augment"].update(face_px=64, variants=1)
    values["train"].update(
        size_px=64, width=0.25, batch=4, threads=1, validate_every=6, checkpoint_every=6, preview_every=6
    )
    values["train"]["phases"] = [{**values["train"]["phases"][0], "steps": 12, "warmup": 2}]
    values["identities"]["ada"]["faceset"] = ["take1.mp4"]
    values["takes"]["demo"]["truth"] = None


def _shorten(source: Path, target: Path, first: int = 0) -> None:
    """Write `N_FRAMES` frames of a video, from `first` on."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(source) as old, av.open(target, "w") as new:
        stream = new.add_stream("libx264", old.streams.video[0].average_rate, {"crf": "14", "preset": "ultrafast"})
        stream.width, stream.height = old.streams.video[0].width, old.streams.video[0].height
        for frame in islice(old.decode(video=0), first, first + N_FRAMES):
            new.mux(stream.encode(frame))
        new.mux(stream.encode(None))


@pytest.fixture(scope="module")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("demo"))
    for name in COPIED:
        copy_tree(ROOT / name, project.root / name)
    for person in ("ada", "ben"):
        _shorten(ROOT / f"clips/{person}/take1.mp4", project.root / f"clips/{person}/take1.mp4")
    project.change(_make_small)
    return project


@pytest.mark.heavy
def test_clips_become_a_measured_video_and_a_second_clip_no_training(small_demo: Project) -> None:
    done = small_demo.run("dvc", "repro", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    root = small_demo.root
    with av.open(root / "data/convert/demo.mp4") as video:
        assert sum(1 for _ in video.decode(video=0)) == N_FRAMES
    record = pd.read_parquet(root / "data/convert/demo.parquet")
    metrics = json.loads((root / "metrics/evaluate/demo.json").read_text())
    assert (metrics["n_frames"], metrics["n_swapped"]) == (N_FRAMES, record["is_swapped"].sum())
    assert metrics["n_swapped"] > 0.9 * N_FRAMES
    assert 0 < metrics["heldout_dssim_source"] < 1
    assert (root / "data/evaluate/demo/report.html").read_text().startswith("<!doctype html>")
    shown = json.loads(small_demo.run("dvc", "metrics", "show", "--json").stdout)[""]["data"]
    assert shown["metrics/evaluate/demo.json"]["data"]["n_swapped"] == metrics["n_swapped"]


@pytest.mark.heavy
def test_a_second_clip_of_the_same_target_is_one_more_take_and_no_training(small_demo: Project) -> None:
    trained = (small_demo.root / "data/train/ben_as_ada/checkpoint.safetensors").read_bytes()
    _shorten(ROOT / "clips/ada/take1.mp4", small_demo.root / "clips/ada/take2.mp4", first=100)
    small_demo.add("takes", "second", like="demo", clip="clips/ada/take2.mp4")
    done = small_demo.run("dvc", "repro", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]
    assert {"convert@second", "evaluate@second", "align@ada"} <= set(ran)
    assert not [stage for stage in ran if stage.startswith(("augment", "train")) or stage.endswith("@ben")]
    assert (small_demo.root / "data/train/ben_as_ada/checkpoint.safetensors").read_bytes() == trained
    assert len(pd.read_parquet(small_demo.root / "data/convert/second.parquet")) == N_FRAMES
