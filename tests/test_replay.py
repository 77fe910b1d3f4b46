"""Accepting code that is written otherwise: old and new code must make the same of a small sample, byte for byte."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from flows import replay
from flows.command import run_command
from flows.replay import is_same_result
from flows.small_case import N_FRAMES, make_case
from stages.params import read_params
from tests.footage import encode_clip, numbered, read_number
from tests.made_pictures import save_pictures
from tests.project import COPIED, ROOT, Project, copy_tree
from vision.clip_read import read_frames
from vision.edits import Edit, read_edits
from vision.hashing import hash_file
from vision.tables import TRACKS, TRUTH, make_table, read_table, write_table

DEMO = ("clips/ada/take1.mp4", "clips/ben/take1.mp4", "performers/truth/demo.mp4", "performers/truth/demo.parquet")


@pytest.fixture
def real(tmp_path: Path) -> Project:
    """The real project in git, as if built: its results are made up, but DVC has recorded them with the real code."""
    project = Project(tmp_path / "real")
    for name in (*COPIED, *DEMO):
        copy_tree(ROOT / name, project.root / name)
    for command in (("init", "--quiet"), ("add", *COPIED), ("commit", "--quiet", "-m", "built with this")):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *command], cwd=project.root, check=True)
    project.make_keys()
    with Repo(str(project.root)) as repo:
        outs = [out.def_path for stage in repo.index.stages for out in stage.outs]
    for out in outs:
        project.write(out if Path(out).suffix else f"{out}/part", out)
    assert project.run("dvc", "commit", "--force", "--quiet").returncode == 0
    return project


def _accept(project: Project, *arguments: str) -> tuple[int, list[str]]:
    done = project.run(sys.executable, "-m", "flows.accept", *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, (done.stdout + done.stderr).splitlines()


def _edit(project: Project, path: str, old: str, new: str) -> None:
    text = (project.root / path).read_text()
    assert old in text
    project.write(path, text.replace(old, new, 1))


@pytest.mark.heavy
def test_code_that_makes_the_same_of_a_sample_is_recorded_and_other_code_is_refused_by_its_result(
    real: Project,
) -> None:
    _edit(real, "vision/bridge.py", "1 < face.frame - before.frame <= max_gap + 1", "is_gap(before, face, max_gap)")
    _edit(real, "vision/bridge.py", "\n\n@dataclass", "\nfrom vision.gaps import is_gap\n\n@dataclass")
    real.write("vision/gaps.py", "def is_gap(a, b, max_gap):\n    return b.frame - a.frame in range(2, max_gap + 2)\n")
    _edit(real, "dvc.yaml", "- vision/bridge.py\n", "- vision/bridge.py\n        - vision/gaps.py\n")
    code, said = _accept(real, "align@ada")
    assert code != 0
    assert said[-1].startswith("error: align@ada: vision/bridge.py does something else")
    assert said[-1].endswith("--replay")
    code, said = _accept(real, "align@ada", "--replay")
    assert said == [
        "replay: 24 frames of clips/ada/take1.mp4 from frame 0 on",
        *(f"replay: {stage}@ada, the code of the last build" for stage in ("sample", "detect", "align")),
        "replay: align@ada, code of today",
        "recorded without running: align@ada",
    ]
    assert code == 0
    assert list(json.loads(real.run("dvc", "status", "--json").stdout)) == ["align@ben"]

    _edit(real, "stages/sample.py", '"end_frame": end}', '"end_frame": end - 1}')
    code, said = _accept(real, "sample@ben", "--replay")
    assert code != 0
    shots = "data/sample/ben/shots.parquet"
    assert (
        said[-1] == f"error: sample@ben: {shots} differs between the old code and the new on the sample; run the stage"
    )
    _edit(real, "stages/sample.py", '"end_frame": end - 1}', '"end_frame": end.end}')
    code, said = _accept(real, "sample@ben", "--replay")
    assert code != 0
    assert said[-1].startswith("error: sample@ben: today's code fails on the sample, 24 frames of clips/ben/take1.mp4")
    assert "AttributeError" in said[-1]
    assert "sample@ben" in json.loads(real.run("dvc", "status", "--json").stdout)
    assert not (real.root / "register").exists()


def test_a_replay_signs_and_registers_with_keys_of_its_own(
    keyed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, place in (("UNDERSTUDY_PRIVATE", "private"), ("UNDERSTUDY_REGISTER", "register")):
        monkeypatch.setenv(name, str(keyed / place))
    case = tmp_path / "case"
    case.mkdir()
    replay._make_keys(case)
    code = "from trust.publish import Publisher; print(Publisher().register._folder)"
    environment = replay._environment("convert@demo") | {"PYTHONPATH": str(ROOT)}
    assert run_command([sys.executable, "-c", code], case, environment).decode().strip() == "register"
    key = "private/keys/register.key"
    assert (case / key).read_bytes() != (keyed / key).read_bytes()


def test_what_is_not_code_alone_is_refused_before_a_sample_is_made(real: Project) -> None:
    _edit(real, "stages/sample.py", '"end_frame": end}', '"end_frame": end + 0}')
    real.change(lambda values: values["sample"].update(cut_threshold=0.4))
    code, said = _accept(real, "sample@ada", "--replay")
    assert code != 0
    assert said == ["error: sample@ada: not its code alone changed (params.yaml); run the stage"]


def test_a_small_case_holds_what_the_stages_need_and_the_truth_of_its_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("flows.small_case._find_face", lambda *_: 5)
    whole = read_params()
    make_case(tmp_path, ["sample@ada", "train@ben_as_ada", "evaluate@demo"])
    small = read_params(tmp_path / "params.yaml")
    assert (list(small.identities), list(small.takes)) == (["ada", "ben"], ["demo"])
    assert (small.convert, small.detect, small.sample) == (whole.convert, whole.detect, whole.sample)
    assert small.takes["demo"].blend == whole.takes["demo"].blend
    truth = small.takes["demo"].truth
    assert truth is not None
    for video in (small.takes["demo"].clip, truth.video):
        assert len(list(read_frames(tmp_path / video))) == N_FRAMES
    assert hash_file(tmp_path / truth.table) == truth.table_sha256
    assert hash_file(tmp_path / truth.video) == truth.video_sha256
    cut, known = (read_table(folder / truth.table, TRUTH) for folder in (tmp_path, ROOT))
    assert cut["frame"].tolist() == list(range(N_FRAMES))
    assert cut["truth_mask"].tolist() == known["truth_mask"].tolist()[5 : 5 + N_FRAMES]


def test_a_sample_starts_where_a_face_was_used_and_decisions_by_hand_follow_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path / "project")
    for name in ("params.yaml", "edits"):
        copy_tree(ROOT / name, project.root / name)
    clip = encode_clip(_make_parent(project.root / "clips/ada/take1.mp4"), numbered(range(60)))
    rows = [{**_make_track(frame), "is_used": frame >= 20} for frame in (3, 20, 21)]
    write_table(make_table(rows, TRACKS), _make_parent(project.root / "data/align/ada/tracks.parquet"), TRACKS)
    with (project.root / "edits/ada/tracks.csv").open("a") as file:
        file.write(f"{hash_file(clip)},25,30,5,6,ignore\n{'0' * 64},0,9,5,6,use\n")
    monkeypatch.chdir(project.root)
    case = tmp_path / "case"
    assert [str(piece) for piece in make_case(case, ["align@ada"])] == ["clips/ada/take1.mp4 from frame 20 on"]
    cut = case / "clips/ada/take1.mp4"
    assert read_edits(case / "edits/ada/tracks.csv") == [Edit(hash_file(cut), 5, 10, 5.0, 6.0, is_used=False)]
    assert list(read_params(case / "params.yaml").identities) == ["ada"]


def test_of_a_folder_of_pictures_the_sample_holds_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path / "project")
    for name in ("params.yaml", "edits"):
        copy_tree(ROOT / name, project.root / name)
    project.change(lambda values: values["takes"]["demo"].update(clip="clips/ada/seq", truth=None))
    save_pictures(project.root / "clips/ada/seq", [f"{i}.png" for i in range(60)], rate="25")
    save_pictures(project.root / "clips/ben/stills", ["kim.png", "mia.png"])
    monkeypatch.chdir(project.root)
    monkeypatch.setattr("flows.small_case._find_face", lambda clip, _: 30 if clip.name == "seq" else 0)
    make_case(tmp_path / "case", ["convert@demo"])
    numbers = [read_number(frame.planes[0]) for frame in read_frames(tmp_path / "case/clips/ada/seq")]
    assert numbers == list(range(30, 30 + N_FRAMES))
    assert (tmp_path / "case/clips/ada/seq/rate.txt").read_text() == "25"
    assert [path.name for path in sorted((tmp_path / "case/clips/ben/stills").iterdir())] == ["kim.png", "mia.png"]


def _make_parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _make_track(frame: int) -> dict[str, Any]:
    empty: dict[str, Any] = {"string": "", "bool": False, "int64": 0, "float": 0.0, str(TRACKS.columns[-2].type): []}
    row = {c.name: empty.get(str(c.type), [0.0] * 6) for c in TRACKS.columns}
    return row | {"clip": "take1.mp4", "frame": frame}


def test_results_are_the_same_by_all_their_bytes_but_for_what_encoders_vary(tmp_path: Path) -> None:
    def write(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    assert is_same_result(write("a.csv", b"1,2"), write("b.csv", b"1,2"))
    assert not is_same_result(write("a.csv", b"1,2"), write("b.csv", b"1,3"))
    assert not is_same_result(write("a.csv", b"1,2"), tmp_path / "missing.csv")

    video = encode_clip(tmp_path / "a.mp4", numbered(range(9)))
    data = video.read_bytes()
    assert is_same_result(video, write("b.mp4", data + (8).to_bytes(4) + b"free"))
    assert not is_same_result(video, encode_clip(tmp_path / "b.mp4", numbered([*range(8), 7])))
    assert not is_same_result(video, encode_clip(tmp_path / "b.mp4", numbered(range(8))))
    assert not is_same_result(video, encode_clip(tmp_path / "b.mp4", numbered(range(9)), sound=("aac", 0.3)))
