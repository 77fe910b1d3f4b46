"""The real stages, joined, on the first second and a half of the demo's clips: from clips to a measured video."""

import json

import av
import pandas as pd
import pytest

from tests.project import ROOT, Project
from tests.small_demo import N_FRAMES, make_small_demo, shorten


@pytest.fixture(scope="module")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_small_demo(tmp_path_factory.mktemp("demo"))


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
    shorten(ROOT / "clips/ada/take1.mp4", small_demo.root / "clips/ada/take2.mp4", first=100)
    small_demo.add("takes", "second", like="demo", clip="clips/ada/take2.mp4")
    done = small_demo.run("dvc", "repro", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]
    assert {"convert@second", "evaluate@second", "align@ada"} <= set(ran)
    assert not [stage for stage in ran if stage.startswith(("augment", "train")) or stage.endswith("@ben")]
    assert (small_demo.root / "data/train/ben_as_ada/checkpoint.safetensors").read_bytes() == trained
    assert len(pd.read_parquet(small_demo.root / "data/convert/second.parquet")) == N_FRAMES
