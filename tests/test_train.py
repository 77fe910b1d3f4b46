"""Training: it learns, it resumes with the same weights, phases go on, and mistakes end in one line."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from errors import StoppedError, TrainingError, one_line_errors
from flows.carried_states import carry_states
from models.autoencoder import build_autoencoder
from models.batches import ARE_LIKE, EXPRESSIONS, PARTNERS, Batch
from models.checkpoint import load_checkpoint
from models.ending import Ending
from models.losses import face_mask
from models.optimizer import make_optimizer
from models.roles import ROLES, Role
from models.schedule import Schedule
from models.state import Progress
from models.strip import MOST_ROWS, Strip
from models.table import RECIPE
from models.tensors import to_floats, to_tensor
from models.training import Training
from models.warp import Views, cut_views
from stages.params import Train
from stages.train import train
from vision.crops import decode_png
from vision.expression import EXPRESSION, mirror_expressions
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
    "fall": None,
    "warmup": 3,
    "warp": 0.5,
    "losses": {"dssim": 1.0, "ms_dssim": 0.0, "l1": 1.0, "gradient": 0.0, "mask": 0.0, "adversarial": 0.0},
}
TINY = {
    "arch": "compact",
    "size": "tiny",
    "size_px": 32,
    "precision": "float32",
    "device": "cpu",
    "devices": 1,
    "nodes": 1,
    "threads": 1,
    "compile": False,
    "batch": 4,
    "optimizer": "muon",
    "ema_decay": 0.9,
    "weight_decay": 0.01,
    "code_noise": 0.3,
    "code_mix": 0.6,
    "flip": False,
    "balance": 1,
    "emphasis": 2.0,
    "start": None,
    "phases": [PHASE],
    "validate_every": 4,
    "checkpoint_every": 5,
    "preview_every": 6,
    "tensorboard": False,
}


BIAS = "model.decoder.own.source.2.bias"


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
        turn = np.arange(40)
        places = np.stack([np.sin(turn), np.cos(1.7 * turn)], 1)
        expressions = np.hstack([places, np.full((40, len(EXPRESSION) - 2), 0.3)]).astype(np.float32)
        np.save(folder / name / "train-expressions.npy", expressions[:32])
        np.save(folder / name / "validation-expressions.npy", expressions[34:])
    return folder


def run(people: Path, place: Path, **changes: Any) -> dict[str, float]:
    """Train in `place`, with changed params; give the metrics."""
    train_in(people, place, **changes)
    metrics: dict[str, float] = json.loads((place / "metrics.json").read_text())
    return metrics


def train_in(people: Path, place: Path, **changes: Any) -> None:
    train(
        source=people / "ben",
        target=people / "ada",
        output=place / "out",
        metrics=place / "metrics.json",
        curve=place / "loss.csv",
        strip=place / "strip.png",
        state=place / "state",
        work=place / "work",
        params=Train.model_validate(TINY | changes),
        coverage_ratio=0.75,
        crop_px=128,
        seed=5,
    )


def weights(place: Path) -> dict[str, Any]:
    return {name: tensor.numpy() for name, tensor in load_file(place / "out" / "checkpoint.safetensors").items()}


def assert_same_weights(first: Path, second: Path) -> None:
    for name, tensor in weights(first).items():
        np.testing.assert_array_equal(tensor, weights(second)[name], err_msg=name)


def test_training_learns_and_says_how_well(people: Path, tmp_path: Path) -> None:
    before = run(people, tmp_path / "few", phases=[PHASE | {"steps": 1}])
    after = run(people, tmp_path / "many", phases=[PHASE | {"steps": 100}])
    assert after["heldout_dssim_source"] < 0.6 * before["heldout_dssim_source"]
    assert after["heldout_dssim_target"] < 0.6 * before["heldout_dssim_target"]
    assert after["floor_heldout_dssim_source"] == before["floor_heldout_dssim_source"] > 0
    curve = (tmp_path / "many" / "loss.csv").read_text().splitlines()
    assert curve[0].startswith("step,train,validation")
    assert [int(line.split(",")[0]) for line in curve[1:]] == list(range(4, 101, 4))
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


@pytest.mark.heavy
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


def test_a_training_goes_on_from_the_state_in_a_colleague_s_results(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(people, tmp_path / "theirs")
    (tmp_path / "clone/data/train").mkdir(parents=True)
    shutil.copytree(tmp_path / "theirs/state", tmp_path / "clone/data/train/ben_as_ada.state")
    monkeypatch.chdir(tmp_path / "clone")
    carry_states("augment@ada")
    assert not Path(".work").exists()
    carry_states("train@ben_as_ada")
    shutil.copytree(".work/train@ben_as_ada", tmp_path / "mine/work")
    run(people, tmp_path / "mine", phases=[PHASE, PHASE | {"steps": 6}])
    assert "goes on from step 12" in capsys.readouterr().out
    run(people, tmp_path / "once", phases=[PHASE, PHASE | {"steps": 6}])
    assert_same_weights(tmp_path / "mine", tmp_path / "once")


def test_the_same_training_leaves_the_same_state(people: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        run(people, tmp_path / name)
    first, second = (next((tmp_path / name / "state").rglob("step-*.pt")) for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


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


def test_a_line_falls_evenly_to_nothing() -> None:
    schedule = Schedule("linear", 0.01, warmup=10, first_step=100, fall=110)
    rates = [schedule.rate_at(step) for step in (100, 109, 110, 159, 209)]
    assert rates == pytest.approx([0.001, 0.01, 0.0099, 0.005, 0.0])


def test_a_cosine_ends_at_a_fiftieth_of_its_rate_and_is_no_prefix_of_a_longer_one(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = Schedule("cosine", 0.01, warmup=10, first_step=100, fall=110)
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
    run(people, tmp_path / "grown", phases=[cosine | {"steps": 13, "fall": 12}])
    assert "goes on from step 12" in capsys.readouterr().out


def test_a_phase_ends_when_validation_no_longer_improves(people: Path, tmp_path: Path) -> None:
    stuck = PHASE | {"steps": 40, "rate": 1e-9}
    assert run(people, tmp_path, phases=[stuck | {"patience": 3}, PHASE | {"steps": 2}])["steps"] == 18
    losses = [(0.5, 0.5), (0.4, 0.4), (0.3999, 0.4), (0.45, 0.45)]
    lines = [(4 * i, 0.0, source, target, 0.1) for i, (source, target) in enumerate(losses, 1)]
    assert Ending(None, 2).is_reached(Progress(0, list(lines)))
    assert not Ending(None, 3).is_reached(Progress(0, list(lines)))
    assert not Ending(None, 2).is_reached(Progress(12, list(lines)))


@pytest.mark.parametrize(("schedule", "fall"), [("constant", None), ("linear", 12), ("cosine", 12)])
def test_ctrl_c_keeps_the_step_and_prints_the_line_that_makes_a_result_of_it(
    schedule: str,
    fall: int | None,
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = [PHASE | {"schedule": schedule}]
    count = Training.finish_step

    def interrupt(training: Training, loss: float) -> None:
        count(training, loss)
        if training.step == 7:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "finish_step", interrupt)
        with pytest.raises(StoppedError, match="stopped at step 7") as stopped:
            run(people, tmp_path / "a", phases=whole)
    phases = json.loads(str(stopped.value).partition("phases: ")[2])
    assert phases == [whole[0] | {"steps": 7, "fall": fall}]
    assert not (tmp_path / "a" / "out").exists()
    run(people, tmp_path / "a", phases=phases)
    assert "goes on from step 7" in capsys.readouterr().out
    run(people, tmp_path / "b", phases=phases)
    assert_same_weights(tmp_path / "a", tmp_path / "b")
    run(people, tmp_path / "a", phases=whole)
    run(people, tmp_path / "whole", phases=whole)
    assert_same_weights(tmp_path / "a", tmp_path / "whole")


def test_who_stops_a_training_gets_the_exit_code_of_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, one_line_errors():
        raise StoppedError("train: stopped at step 7")
    assert left.value.code == 130
    assert capsys.readouterr().err == "error: train: stopped at step 7\n"


def test_a_training_starts_with_another_s_encoder_and_refuses_what_is_not_that_file(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(people, tmp_path / "first")
    checkpoint = tmp_path / "first/out/checkpoint.safetensors"
    start = {"checkpoint": str(checkpoint), "sha256": hash_file(checkpoint)}
    still = PHASE | {"steps": 1, "rate": 1e-12}
    run(people, tmp_path / "second", start=start, phases=[still])
    elsewhere = checkpoint.rename(tmp_path / "moved.safetensors")
    start["checkpoint"] = str(elsewhere)
    capsys.readouterr()
    run(people, tmp_path / "second", start=start, phases=[still | {"steps": 2}])
    assert "goes on from step 1" in capsys.readouterr().out
    elsewhere.rename(checkpoint)
    start["checkpoint"] = str(checkpoint)
    run(people, tmp_path / "second", start=start, phases=[still])
    first, second = weights(tmp_path / "first"), weights(tmp_path / "second")
    np.testing.assert_allclose(second["model.encoder.0.weight"], first["model.encoder.0.weight"], atol=1e-7)
    of_decoder = next(name for name in first if name.startswith("model.decoder.own.source") and name.endswith("weight"))
    assert np.abs(second[of_decoder] - first[of_decoder]).max() > 1e-3
    with pytest.raises(TrainingError, match="another SHA-256"):
        run(people, tmp_path / "third", start=start | {"sha256": "0" * 64})
    with pytest.raises(TrainingError, match="another model"):
        run(people, tmp_path / "third", start=start, size="small")


@pytest.mark.heavy
def test_the_strip_grows_by_a_row_a_preview_and_is_the_same_after_a_resume(people: Path, tmp_path: Path) -> None:
    run(people, tmp_path / "grown")
    run(people, tmp_path / "grown", phases=[PHASE | {"steps": 21}])
    run(people, tmp_path / "once", phases=[PHASE | {"steps": 21}])
    grown, once = (tmp_path / name / "strip.png" for name in ("grown", "once"))
    assert grown.read_bytes() == once.read_bytes()
    n_rows = 1 + 3 + 1  # the faces, steps 6, 12 and 18, the last one
    assert decode_png(once.read_bytes()).shape[0] == 30 + n_rows * (32 + 6)
    assert decode_png((tmp_path / "once/work/strip.png").read_bytes()).shape[0] == 30 + (n_rows - 1) * (32 + 6)


def test_a_strip_that_grew_too_long_keeps_its_newest_and_every_other_row() -> None:
    strip = Strip()
    for step in range(100):
        strip.add(step, np.full((4, 8, 3), step, np.uint8))
    steps = [step for step, _ in strip.rows]
    assert len(steps) <= MOST_ROWS
    assert steps[-1] == 99
    assert steps == sorted(set(steps))
    assert all(int(swaps.max()) == step for step, swaps in strip.rows)


def test_the_curve_tells_the_learning_rate(people: Path, tmp_path: Path) -> None:
    run(people, tmp_path, phases=[PHASE | {"warmup": 6}, PHASE | {"steps": 5, "warmup": 0, "rate": 0.001}])
    lines = [line.split(",") for line in (tmp_path / "loss.csv").read_text().splitlines()]
    assert lines[0][-1] == "rate"
    found = {int(line[0]): float(line[-1]) for line in lines[1:]}
    assert found == {4: pytest.approx(0.002 * 4 / 6, rel=1e-2), 8: 0.002, 12: 0.002, 16: 0.001, 17: 0.001}


@pytest.mark.heavy
def test_an_adversarial_phase_goes_on_from_its_state_and_from_a_phase_without_it(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adversarial = PHASE | {"steps": 8, "losses": PHASE["losses"] | {"adversarial": 0.1}}  # type: ignore[operator]
    run(people, tmp_path / "grown")
    run(people, tmp_path / "grown", phases=[PHASE, adversarial])
    assert "goes on from step 12" in capsys.readouterr().out
    run(people, tmp_path / "grown", phases=[PHASE, adversarial | {"steps": 12}])
    assert "goes on from step 20" in capsys.readouterr().out
    run(people, tmp_path / "once", phases=[PHASE, adversarial | {"steps": 12}])
    assert_same_weights(tmp_path / "grown", tmp_path / "once")
    run(people, tmp_path / "plain", phases=[PHASE, PHASE])
    assert np.abs(weights(tmp_path / "plain")[BIAS] - weights(tmp_path / "once")[BIAS]).max() > 1e-5


def test_of_one_face_in_ten_the_decoder_is_told_nothing_and_of_a_mirrored_one_its_mirrored_expression() -> None:
    model = build_autoencoder("compact", 32, "tiny", 1)
    training = Training(model, 32, make_optimizer("muon", model, 0.0))
    training.recipe = RECIPE
    rng = np.random.default_rng(1)
    coder = model.coder("source")
    coder.learn_habit(rng.normal(0.3, 0.1, (50, len(EXPRESSION))).astype(np.float32))
    expressions = rng.normal(0.3, 0.1, (500, len(EXPRESSION))).astype(np.float32)
    views = Views(torch.empty(0), torch.empty(0), torch.zeros(500, dtype=torch.bool))
    told = training._describe(torch.from_numpy(expressions), views, "source")
    is_told = (told != 0).any(1)
    assert 0.05 < 1 - is_told.float().mean() < 0.15
    assert torch.equal(told[is_told], coder.describe(expressions)[is_told])
    views = views._replace(is_mirrored=~views.is_mirrored)
    mirrored = training._describe(torch.from_numpy(expressions), views, "source")
    assert torch.equal(mirrored[is_told], coder.describe(mirror_expressions(expressions))[is_told])


def test_a_step_moves_codes_toward_partners_that_do_the_same_and_not_of_mirrored_faces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build_autoencoder("compact", 32, "tiny", 1)
    training = Training(model, 32, make_optimizer("muon", model, 0.0))
    generator = torch.Generator().manual_seed(1)
    faces, others = torch.randint(256, (2, 64, 40, 40, 4), dtype=torch.uint8, generator=generator)
    are_like = (torch.arange(64) % 4 > 0)[:, None]
    batch: Batch = {"source": faces, "target": faces, PARTNERS: others, ARE_LIKE: are_like}
    batch |= {role + EXPRESSIONS: torch.full((64, len(EXPRESSION)), 0.3) for role in ROLES}
    handed = []
    forward = model.forward

    def hear(*given: Any) -> dict[Role, torch.Tensor]:
        handed.append(given[3])
        return forward(*given)

    monkeypatch.setattr(model, "forward", hear)
    for mix, flip in ((0.6, False), (0.6, True), (0.0, False)):
        training.recipe = replace(RECIPE, mix=mix, flip=flip)
        training.training_step(batch, 0)
    (views, plain), (_, flipped), none = handed
    assert none is None
    torch.testing.assert_close(views, cut_views(to_floats(others), view_ratio(), 32)[:, :3])
    assert 0.5 < plain.max() < 0.6
    assert 0.2 < plain[are_like].mean() < 0.4
    assert not plain[~are_like].any()
    assert torch.equal(flipped[flipped > 0], plain[flipped > 0])
    assert 0.3 < (flipped[are_like] == 0).float().mean() < 0.7


@pytest.mark.heavy
def test_a_mask_is_learnt_where_it_has_a_weight(people: Path, tmp_path: Path) -> None:
    run(people, tmp_path, phases=[PHASE | {"steps": 60, "losses": PHASE["losses"] | {"mask": 20.0}}])  # type: ignore[operator]
    model = load_checkpoint(tmp_path / "out/checkpoint.safetensors").model
    views = cut_views(to_tensor(np.load(people / "ada/validation.npy")), view_ratio(), 32)
    with torch.inference_mode():
        expressions = np.load(people / "ada/validation-expressions.npy")
        found = model.restore(views[:, :3], expressions, "target")[:, 3:]
    wanted = face_mask(views[:, 3:])
    assert found[wanted == 1].mean() > found[wanted == 0].mean() + 0.3


def test_tensorboard_gets_figures_and_pictures_and_changes_nothing(people: Path, tmp_path: Path) -> None:
    run(people, tmp_path / "watched", tensorboard=True)
    run(people, tmp_path / "plain")
    assert_same_weights(tmp_path / "watched", tmp_path / "plain")
    (events,) = (tmp_path / "watched/work/tensorboard").iterdir()
    written = events.read_bytes()
    for name in (b"train/loss", b"train/rate", b"validation/dssim_source", b"preview", b"\x89PNG"):
        assert name in written, name
    assert not (tmp_path / "plain/work/tensorboard").exists()


@pytest.mark.heavy
def test_two_processes_that_share_a_batch_follow_one_that_has_it_whole(people: Path, tmp_path: Path) -> None:
    """DDP over gloo, as `python -m stages.train` starts it: Lightning starts the second process by the same command."""
    for name, devices in (("one", 1), ("two", 2)):
        command = [sys.executable, "-m", "tests.train_alone", str(people), str(tmp_path / name), str(devices)]
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        assert (b"MEMBER: 2/2" in done.stderr) == (devices == 2)
    one, two = (np.loadtxt(tmp_path / name / "loss.csv", delimiter=",", skiprows=1) for name in ("one", "two"))
    np.testing.assert_allclose(two[0], one[0], rtol=1e-3)  # later, last digits grow
    np.testing.assert_allclose(two, one, rtol=0.08)
    assert one[-1, 1] < 0.4 * one[0, 1]
    assert len(list((tmp_path / "two/work").rglob("step-*.pt"))) == 4


def test_the_pace_is_told(people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(people, tmp_path)
    assert re.search(r"train: \d+ faces/s; \d+\.\d % of the time waiting for them", capsys.readouterr().out)


def test_a_phase_ends_early_at_its_validation_loss(people: Path, tmp_path: Path) -> None:
    assert run(people, tmp_path, phases=[PHASE | {"until_loss": 50.0}])["steps"] == 4


def test_epochs_count_the_larger_set(people: Path, tmp_path: Path) -> None:
    assert run(people, tmp_path, phases=[PHASE | {"steps": None, "epochs": 2}])["steps"] == 16


def test_a_loss_that_is_not_finite_stops_with_the_step(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    n_calls = iter(range(1000))

    def break_at_step_7(*_: object) -> torch.Tensor:
        return torch.full((4,), torch.nan if next(n_calls) // 2 == 6 else 0.1, requires_grad=True)

    with monkeypatch.context() as patch:
        patch.setattr("models.objective.l1", break_at_step_7)
        with pytest.raises(TrainingError, match=r"not finite at step 7;.*rate"):
            run(people, tmp_path)
    assert not (tmp_path / "out").exists()
    run(people, tmp_path)
    assert "goes on from step 5" in capsys.readouterr().out


@pytest.mark.heavy
def test_killed_again_and_again_it_ends_with_the_weights_of_an_undisturbed_run(people: Path, tmp_path: Path) -> None:
    """Kills at random moments after the first step of each start, until a run comes through."""
    draws = np.random.default_rng(3)
    command = [sys.executable, "-m", "tests.train_alone", str(people)]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    states, n_kills = tmp_path / "killed/work", 0
    while n_kills < 6:
        known = set(states.rglob("step-*.pt"))
        child = subprocess.Popen([*command, str(tmp_path / "killed"), "1"], cwd=ROOT, env=environment)
        while child.poll() is None and set(states.rglob("step-*.pt")) <= known:
            time.sleep(0.02)
        time.sleep(draws.uniform(0, 0.4))
        if child.poll() is not None:
            break
        child.send_signal(signal.SIGKILL)
        child.wait()
        n_kills += 1
    assert n_kills >= 2, "the training ended before it could be killed"
    for name in ("killed", "undisturbed"):
        subprocess.run([*command, str(tmp_path / name), "1"], cwd=ROOT, env=environment, check=True)
    assert_same_weights(tmp_path / "killed", tmp_path / "undisturbed")
    assert (tmp_path / "killed/loss.csv").read_text() == (tmp_path / "undisturbed/loss.csv").read_text()
