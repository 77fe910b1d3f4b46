"""Training: it learns, it resumes with the same weights, phases go on, and mistakes end in one line."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from errors import TrainingError
from models.checkpoint import load_checkpoint
from models.ending import Ending
from models.schedule import Schedule
from models.state import Progress
from models.tensors import to_tensor
from models.training import Training
from models.warp import cut_views
from stages.params import Train
from stages.train import train
from vision.hashing import hash_file
from vision.packed import view_ratio

ROOT = Path(__file__).resolve().parent.parent
PHASE = {
    "steps": 12,
    "epochs": None,
    "until_loss": None,
    "patience": None,
    "rate": 0.002,
    "schedule": "constant",
    "warmup": 3,
    "warp": 0.5,
    "losses": {"dssim": 1.0, "l1": 1.0},
}
TINY = {
    "arch": "small",
    "size_px": 32,
    "width": 0.25,
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "batch": 4,
    "ema_decay": 0.9,
    "weight_decay": 0.01,
    "flip": False,
    "balance": 1,
    "emphasis": 2.0,
    "start": None,
    "phases": [PHASE],
    "validate_every": 4,
    "checkpoint_every": 5,
    "preview_every": 6,
}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Augmented sets of two "people": blobs of their own color at a place that differs from face to face."""
    folder = tmp_path_factory.mktemp("people")
    y, x = np.mgrid[0:40, 0:40]
    for name, color in (("ben", (220, 120, 60)), ("ada", (70, 130, 220))):
        faces = np.zeros((40, 40, 40, 4), np.uint8)
        for i, face in enumerate(faces):
            blob = np.exp(-((x - 20 - 6 * np.sin(i)) ** 2 + (y - 20 - 6 * np.cos(i * 1.7)) ** 2) / 40)
            face[..., :3] = 40 + blob[..., None] * (np.array(color) - 40)
            face[6:34, 6:34, 3] = 255
        (folder / name).mkdir()
        np.save(folder / name / "train.npy", faces[:32])
        np.save(folder / name / "validation.npy", faces[34:])
        turns = np.arange(40)[:, None] * [1, 1.7, 0, 0, 0, 0]
        places = np.stack([np.sin(turns[:, 0]), np.cos(turns[:, 1])], 1)
        expressions = np.hstack([places, np.full((40, 4), 0.3)]).astype(np.float32)
        np.save(folder / name / "train-expressions.npy", expressions[:32])
        np.save(folder / name / "validation-expressions.npy", expressions[34:])
    return folder


def run(people: Path, place: Path, **changes: Any) -> dict[str, float]:
    """Train in `place`, with changed params; give the metrics."""
    train(
        source=people / "ben",
        target=people / "ada",
        output=place / "out",
        metrics=place / "metrics.json",
        curve=place / "loss.csv",
        work=place / "work",
        params=Train.model_validate(TINY | changes),
        coverage_ratio=0.75,
        crop_px=128,
        seed=5,
    )
    metrics: dict[str, float] = json.loads((place / "metrics.json").read_text())
    return metrics


def weights(place: Path) -> dict[str, Any]:
    return {name: tensor.numpy() for name, tensor in load_file(place / "out" / "checkpoint.safetensors").items()}


def assert_same_weights(first: Path, second: Path) -> None:
    for name, tensor in weights(first).items():
        np.testing.assert_array_equal(tensor, weights(second)[name], err_msg=name)


def test_training_learns_and_says_how_well(people: Path, tmp_path: Path) -> None:
    before = run(people, tmp_path / "few", phases=[PHASE | {"steps": 1}])
    after = run(people, tmp_path / "many", phases=[PHASE | {"steps": 60}])
    assert after["heldout_dssim_source"] < 0.6 * before["heldout_dssim_source"]
    assert after["heldout_dssim_target"] < 0.6 * before["heldout_dssim_target"]
    assert after["floor_heldout_dssim_source"] == before["floor_heldout_dssim_source"] > 0
    curve = (tmp_path / "many" / "loss.csv").read_text().splitlines()
    assert curve[0].startswith("step,train,validation")
    assert [int(line.split(",")[0]) for line in curve[1:]] == list(range(4, 61, 4))
    assert float(curve[-1].split(",")[1]) < float(curve[1].split(",")[1])
    assert (tmp_path / "many" / "work" / "preview.png").read_bytes()[:4] == b"\x89PNG"


def test_the_checkpoint_knows_what_each_person_s_expression_does_to_the_code(people: Path, tmp_path: Path) -> None:
    run(people, tmp_path, phases=[PHASE | {"steps": 40}])
    model = load_checkpoint(tmp_path / "out" / "checkpoint.safetensors").model
    for role, name in (("source", "ben"), ("target", "ada")):
        faces = to_tensor(np.load(people / name / "validation.npy"))
        views = cut_views(faces, view_ratio(), 32)[:, :3]
        with torch.inference_mode():
            codes = model.encoder(views)
            told = model.coder(role)(np.load(people / name / "validation-expressions.npy"))  # type: ignore[arg-type]
        spread = (codes - codes.mean(0)).square().mean()
        assert (codes - told).square().mean() < 0.5 * spread, f"{role}: the expression tells nothing of the code"


def test_longer_phases_and_more_phases_go_on_with_the_result_of_an_undisturbed_run(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = PHASE | {"steps": 5, "rate": 0.001}
    run(people, tmp_path / "grown")
    run(people, tmp_path / "grown", phases=[PHASE | {"steps": 17}])
    run(people, tmp_path / "grown", phases=[PHASE | {"steps": 17}, second])
    said = capsys.readouterr().out
    assert "goes on from step 12" in said
    assert "goes on from step 17" in said
    run(people, tmp_path / "once", phases=[PHASE | {"steps": 17}, second])
    assert_same_weights(tmp_path / "grown", tmp_path / "once")
    assert (tmp_path / "grown" / "loss.csv").read_text() == (tmp_path / "once" / "loss.csv").read_text()


@pytest.mark.parametrize("change", [{"phases": [PHASE | {"rate": 0.001}]}, {"balance": 3}])
def test_another_rate_or_balance_starts_anew(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any]
) -> None:
    run(people, tmp_path / "a")
    run(people, tmp_path / "a", **change)
    assert "goes on" not in capsys.readouterr().out


def test_a_damaged_state_is_left_aside_and_the_one_before_it_used(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(people, tmp_path / "a")
    newest = max((tmp_path / "a" / "work").rglob("step-*.pt"))
    newest.write_bytes(newest.read_bytes()[:-2000])
    run(people, tmp_path / "a")
    said = capsys.readouterr()
    assert newest.name in said.err
    assert "goes on from step 10" in said.out
    run(people, tmp_path / "b")
    assert_same_weights(tmp_path / "a", tmp_path / "b")


def test_a_state_just_written_is_kept_beside_later_ones_of_a_phase_that_was_longer(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(people, tmp_path / "a", phases=[PHASE | {"steps": 17}])
    run(people, tmp_path / "a")
    assert "goes on" not in capsys.readouterr().out
    run(people, tmp_path / "a")
    assert "goes on from step 12" in capsys.readouterr().out


def test_a_state_with_one_changed_weight_is_refused_by_name(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(people, tmp_path / "a")
    newest = max((tmp_path / "a" / "work").rglob("step-*.pt"))
    whole = bytearray(newest.read_bytes())
    whole[len(whole) // 2] ^= 1
    newest.write_bytes(whole)
    run(people, tmp_path / "a", phases=[PHASE | {"steps": 13}])
    said = capsys.readouterr()
    assert newest.name in said.err
    assert "goes on from step 10" in said.out
    run(people, tmp_path / "b", phases=[PHASE | {"steps": 13}])
    assert_same_weights(tmp_path / "a", tmp_path / "b")


def test_a_cosine_ends_at_a_fiftieth_of_its_rate_and_is_no_prefix_of_a_longer_one(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = Schedule("cosine", 0.01, warmup=10, first_step=100, n_steps=110)
    assert schedule.rate_at(100) == pytest.approx(0.001)
    assert schedule.rate_at(109) == pytest.approx(0.01)
    assert schedule.rate_at(159) == pytest.approx(0.0051)
    assert schedule.rate_at(209) == pytest.approx(0.0002)
    cosine = PHASE | {"schedule": "cosine"}
    run(people, tmp_path / "grown", phases=[cosine])
    run(people, tmp_path / "grown", phases=[cosine, PHASE | {"steps": 3}])
    assert "goes on from step 12" in capsys.readouterr().out
    run(people, tmp_path / "grown", phases=[cosine | {"steps": 14}])
    assert "goes on" not in capsys.readouterr().out


def test_a_phase_ends_when_validation_no_longer_improves(people: Path, tmp_path: Path) -> None:
    stuck = PHASE | {"steps": 40, "rate": 1e-9}
    assert run(people, tmp_path, phases=[stuck | {"patience": 3}, PHASE | {"steps": 2}])["steps"] == 18
    lines = [(4, 0.0, 0.5, 0.5), (8, 0.0, 0.4, 0.4), (12, 0.0, 0.3999, 0.4), (16, 0.0, 0.45, 0.45)]
    assert Ending(None, 2).is_reached(Progress(0, list(lines)))
    assert not Ending(None, 3).is_reached(Progress(0, list(lines)))
    assert not Ending(None, 2).is_reached(Progress(12, list(lines)))


def test_ctrl_c_keeps_the_step_and_prints_the_line_that_makes_a_result_of_it(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    count = Training.finish_step

    def interrupt(training: Training, loss: float) -> None:
        count(training, loss)
        if training.step == 7:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "finish_step", interrupt)
        with pytest.raises(TrainingError, match="stopped at step 7") as stopped:
            run(people, tmp_path / "a")
    phases = json.loads(str(stopped.value).partition("phases: ")[2])
    assert phases == [PHASE | {"steps": 7}]
    assert not (tmp_path / "a" / "out").exists()
    run(people, tmp_path / "a", phases=phases)
    assert "goes on from step 7" in capsys.readouterr().out
    run(people, tmp_path / "b", phases=phases)
    assert_same_weights(tmp_path / "a", tmp_path / "b")
    run(people, tmp_path / "a")
    run(people, tmp_path / "whole")
    assert_same_weights(tmp_path / "a", tmp_path / "whole")


def test_a_training_starts_with_another_s_encoder_and_refuses_what_is_not_that_file(
    people: Path, tmp_path: Path
) -> None:
    run(people, tmp_path / "first")
    checkpoint = tmp_path / "first/out/checkpoint.safetensors"
    start = {"checkpoint": str(checkpoint), "sha256": hash_file(checkpoint)}
    still = PHASE | {"steps": 1, "rate": 1e-12}
    run(people, tmp_path / "second", start=start, phases=[still])
    first, second = weights(tmp_path / "first"), weights(tmp_path / "second")
    np.testing.assert_allclose(second["model.encoder.0.weight"], first["model.encoder.0.weight"], atol=1e-7)
    of_decoder = next(name for name in first if name.startswith("model.decoders.source") and name.endswith("weight"))
    assert np.abs(second[of_decoder] - first[of_decoder]).max() > 1e-3
    with pytest.raises(TrainingError, match="another SHA-256"):
        run(people, tmp_path / "third", start=start | {"sha256": "0" * 64})
    with pytest.raises(TrainingError, match="another model"):
        run(people, tmp_path / "third", start=start, width=0.5)


def test_the_pace_is_told(people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(people, tmp_path)
    assert re.search(r"train: \d+ faces/s; \d+\.\d % of the time waiting for them", capsys.readouterr().out)


def test_a_phase_ends_early_at_its_validation_loss(people: Path, tmp_path: Path) -> None:
    assert run(people, tmp_path, phases=[PHASE | {"until_loss": 50.0}])["steps"] == 4


def test_epochs_count_the_larger_set(people: Path, tmp_path: Path) -> None:
    assert run(people, tmp_path, phases=[PHASE | {"steps": None, "epochs": 2}])["steps"] == 16


def test_a_loss_that_is_not_finite_stops_with_the_step(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.l1", lambda *_: torch.full((4,), torch.nan))
    with pytest.raises(TrainingError, match=r"not finite at step 1;.*rate"):
        run(people, tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.heavy
def test_killed_and_started_again_it_ends_with_the_weights_of_an_undisturbed_run(people: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import tests.test_train as t;"
        "t.run(Path(sys.argv[1]), Path(sys.argv[2]), phases=[t.PHASE | {'steps': 400}], precision='bf16')"
    )
    command = [sys.executable, "-c", code, str(people)]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    child = subprocess.Popen([*command, str(tmp_path / "killed")], cwd=ROOT, env=environment)
    states = tmp_path / "killed" / "work"
    while not list(states.rglob("step-00000?[1-9]?.pt")):
        assert child.poll() is None, "the training ended before it could be killed"
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "killed" / "out").exists()
    for name in ("killed", "undisturbed"):
        subprocess.run([*command, str(tmp_path / name)], cwd=ROOT, env=environment, check=True)
    assert_same_weights(tmp_path / "killed", tmp_path / "undisturbed")
