"""The engines: results in order whoever works; a worker that dies costs its item; what kills its workers is named."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

import vision.parts
from errors import ClipError, FlowError, ParamsError, WorkerError
from flows.dask_engine import list_installed
from models.autoencoder import build_autoencoder
from models.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from models.roles import ROLES
from stages.align import align
from stages.convert import convert
from stages.detect import detect
from stages.evaluate import HELD_OUT, TakeFiles, evaluate
from stages.params import read_params
from stages.release import Release
from stages.sample import sample
from stages.spread import ENGINE, spread
from tests.footage import encode_clip
from tests.spread_work import Number, square
from vision.crops import encode_png
from vision.edits import HEADER
from vision.hashing import hash_file
from vision.light import LIGHT_PX
from vision.tables import DETECTIONS, PARTS, read_table

ROOT = Path(__file__).resolve().parent.parent
N_FRAMES = 24
ENGINES = ["processes:2", pytest.param("dask", marks=pytest.mark.heavy)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler and two workers on this machine: the scheduler's address."""
    with _run_cluster(tmp_path_factory.mktemp("cluster"), "2") as (address, _):
        yield address


@contextmanager
def _run_cluster(folder: Path, n_workers: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The address and the process of a scheduler with workers."""
    place = ["--scheduler-file", str(folder / "scheduler.json")]
    scheduler = _start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *place)
    worker = _start("dask_worker", "--nthreads", "1", "--nworkers", n_workers, "--no-dashboard", *place)
    try:
        end = time.monotonic() + 60
        while not (folder / "scheduler.json").exists():
            assert time.monotonic() < end, "no scheduler came up"
            time.sleep(0.1)
        yield json.loads((folder / "scheduler.json").read_text())["address"], scheduler
    finally:
        for process in (worker, scheduler):
            process.terminate()
            process.wait(timeout=60)


def _start(program: str, *options: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{program}", *options],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine of this name is in use."""
    name: str = request.param
    if name == "dask":
        name = f"dask:{request.getfixturevalue('cluster')}"
    monkeypatch.setenv(ENGINE, name)
    return name


def _make_numbers(marks: Path, **behaviors: str) -> list[Number]:
    return [Number(value, marks, behaviors.get(f"n{value}", "")) for value in range(9)]


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
def test_results_come_in_order_and_others_have_worked(engine: str, tmp_path: Path) -> None:
    results = list(spread(square, _make_numbers(tmp_path)))
    assert [value for value, _ in results] == [0, 1, 4, 9, 16, 25, 36, 49, 64]
    assert os.getpid() not in {worker for _, worker in results}, engine


def test_without_an_engine_one_item_after_another_is_done_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENGINE, raising=False)
    results = spread(square, _make_numbers(tmp_path))
    assert next(results) == (0, os.getpid())
    assert len(list(tmp_path.iterdir())) == 1, "nothing is done before it is asked for"


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
def test_a_worker_that_is_killed_costs_its_item_alone(engine: str, tmp_path: Path) -> None:
    # The first item's result is awaited while others are finished, until the fifth one's worker dies.
    results = list(spread(square, _make_numbers(tmp_path, n0="slow", n4="killed late")))
    assert [value for value, _ in results] == [0, 1, 4, 9, 16, 25, 36, 49, 64], engine
    n_tries = [len(list(tmp_path.glob(f"{value}-*"))) for value in range(9)]
    assert n_tries[4] == 2
    assert n_tries[1:4] == [1, 1, 1], "what was finished before is not done again"
    if engine != "processes:2":  # where whatever the other process had begun goes with the pool
        assert n_tries[5:] == [1, 1, 1, 1]


@pytest.mark.heavy
@pytest.mark.parametrize("engine", ENGINES, indirect=True)
def test_an_item_that_kills_its_workers_ends_the_work_and_is_named(engine: str, tmp_path: Path) -> None:
    results = spread(square, _make_numbers(tmp_path, n2="poison"))
    with pytest.raises(WorkerError, match=r"^number 2: .* die"):
        list(results)
    assert list(spread(square, _make_numbers(tmp_path)))[8][0] == 64, f"{engine} goes on afterwards"


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
def test_an_items_own_error_comes_through(engine: str, tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="number 3: is damaged"):
        list(spread(square, _make_numbers(tmp_path, n3="error")))
    assert engine


@pytest.mark.parametrize("name", ["processes", "processes:0", "threads:2", "dask:", "dask:localhost"])
def test_an_unknown_engine_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE, name)
    with pytest.raises(ParamsError, match=f"UNDERSTUDY_ENGINE is '{name}'; allowed: serial, processes:N, dask:tcp://"):
        spread(square, _make_numbers(tmp_path))


def test_a_scheduler_that_is_not_there_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE, "dask:tcp://127.0.0.1:9")
    monkeypatch.setattr("flows.dask_engine.CONNECT_S", 1)
    with pytest.raises(FlowError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9; start it"):
        list(spread(square, _make_numbers(tmp_path)))


@pytest.mark.heavy
def test_a_scheduler_that_goes_in_the_middle_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _run_cluster(tmp_path, "1") as (address, scheduler):
        monkeypatch.setenv(ENGINE, f"dask:{address}")
        results = spread(square, _make_numbers(tmp_path, **{f"n{value}": "slow" for value in range(1, 9)}))
        assert next(results)[0] == 0
        scheduler.kill()
        with pytest.raises(FlowError, match=f"the Dask scheduler at {address} has gone"):
            list(results)


def test_a_worker_s_libraries_are_compared_by_their_versions() -> None:
    installed = list_installed()
    for name in ("numpy", "torch", "opencv_python_headless"):
        assert f"{name}-{version(name)}.dist-info" in installed


@pytest.mark.heavy
def test_a_worker_with_other_code_is_refused_by_name(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENGINE, f"dask:{cluster}")
    monkeypatch.setattr("flows.dask_engine.CODE", "of another checkout")
    with pytest.raises(FlowError, match=r"the worker on .* has other code or libraries than this checkout"):
        list(spread(square, _make_numbers(tmp_path)))


@pytest.mark.heavy
def test_no_result_tells_the_engine(cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keyed: Path) -> None:
    del keyed
    monkeypatch.setattr(vision.parts, "PART_FRAMES", 6)
    clip = _cut_clip(ROOT / "clips/ben/take1.mp4", tmp_path / "clips/take1.mp4")
    params = read_params(ROOT / "params.yaml")
    shots, parts, frames = (tmp_path / f"{name}.parquet" for name in ("shots", "parts", "frames"))
    sample(clip.parent, shots, parts, frames, 0.08, "all", params.sample)
    (tmp_path / "edits.csv").write_text(HEADER + "\n")
    checkpoint = _save_checkpoint(tmp_path / "c.safetensors", params.align.crop_px)
    held_out = tmp_path / "train.json"
    held_out.write_text(json.dumps(dict.fromkeys(HELD_OUT, 0.1)))
    hashes = set()
    for engine in ("serial", "processes:2", f"dask:{cluster}"):
        monkeypatch.setenv(ENGINE, engine)
        out = tmp_path / engine[:4]
        found, tracks, faceset = out / "detections.parquet", out / "tracks.parquet", out / "faceset"
        detect(clip.parent, shots, parts, found, params.detect)
        edits = tmp_path / "edits.csv"
        align(clip.parent, shots, parts, frames, found, edits, tracks, faceset, out / "tracks.html", params.align)
        video, record = out / "swap.mp4", out / "swap.parquet"
        release = Release(take="demo", purpose="publish", parts={"ben": parts}, consent={"ben": "unverified"})
        blend = params.takes["demo"].blend
        convert(clip, parts, tracks, checkpoint, video, record, params.convert, blend, release)
        take = TakeFiles(
            take="demo",
            pair="ben_as_ada",
            clip=clip,
            parts=parts,
            tracks=tracks,
            checkpoint=checkpoint,
            coverage=_write_coverage(tmp_path / "compare.json"),
            coverage_picture=_write_picture(tmp_path / "coverage.png"),
            previews=tmp_path,
            loss=tmp_path / "none.csv",
            strip=tmp_path / "none.png",
            train_metrics=held_out,
            swap=video,
            conversions=record,
        )
        metrics, curves = out / "metrics.json", out / "curves.csv"
        evaluate(take, None, params.evaluate, metrics, curves, out / "report")
        files = (
            found,
            tracks,
            faceset / "part-00000.parquet",
            record,  # and not the video, whose signature is another each time: its pictures' hashes are in here
            metrics,
            curves,
            out / "report/sheet.png",
        )
        hashes.add(tuple(map(hash_file, files)))
    assert len(read_table(parts, PARTS)) == 3
    assert len(read_table(found, DETECTIONS)) == N_FRAMES
    assert len(hashes) == 1


def _save_checkpoint(path: Path, crop_px: int) -> Path:
    """Of an untrained model."""
    info = CheckpointInfo("compact", 32, "tiny", 0.75, crop_px, 1)
    mean_faces = dict.fromkeys(ROLES, np.full((32, 32, 3), 128, np.uint8))
    light = np.zeros((LIGHT_PX, LIGHT_PX, 3), np.float32)
    save_checkpoint(
        path, Checkpoint(build_autoencoder("compact", 32, "tiny", 1), info, mean_faces, dict.fromkeys(ROLES, light))
    )
    return path


def _write_coverage(path: Path) -> Path:
    path.write_text(json.dumps({"covered": {}, "lacks": []}))
    return path


def _write_picture(path: Path) -> Path:
    path.write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8)))
    return path


def _cut_clip(source: Path, target: Path) -> Path:
    """The first frames of a clip, with a key frame every eight."""
    target.parent.mkdir()
    with av.open(source) as old:
        pictures = list(islice(old.decode(video=0), N_FRAMES))
    options = {"crf": "14", "x264-params": "keyint=8:min-keyint=8:scenecut=0"}
    return encode_clip(target, pictures, options=options)
