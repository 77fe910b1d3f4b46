"""check: what params.yaml names must be there, what it writes, and that hostile keys stop before anything happens."""

import sys
from pathlib import Path

import pytest

from errors import UnderstudyError
from stages.check import add_edits, check
from stages.params import Identity, Take, Truth, read_params
from tests.made_pictures import save_pictures
from tests.project import ROOT, Project

PARAMS = read_params(ROOT / "params.yaml")
ADA = Identity(clips="clips/ada", consent="unverified", interval_s=0.0, faceset="all")
TAKE = PARAMS.takes["demo"].model_copy(update={"clip": "clips/ada/one.mp4", "truth": None})
HEADER = "clip_sha256,first_frame,end_frame,x,y,decision\n"


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips/ada").mkdir(parents=True)
    (tmp_path / "clips/ada/one.mp4").write_bytes(b"frames")


def _check(identity: Identity = ADA, take: Take = TAKE) -> None:
    people = {"ada": identity, "ben": ADA.model_copy(update={"consent": "unverified"})}
    check(PARAMS.model_copy(update={"identities": people, "takes": {"demo": take}}), Path("data"))


def _error(identity: Identity = ADA, take: Take = TAKE) -> str:
    with pytest.raises(UnderstudyError) as caught:
        _check(identity, take)
    assert not Path("data").exists(), "something was written"
    assert not Path("edits").exists(), "something was written"
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_writes_a_constant_and_the_versions_of_deciding_libraries() -> None:
    _check()
    assert Path("data/check.txt").read_text() == "params.yaml is valid\n"
    faces = Path("data/versions-faces.txt").read_text().splitlines()
    assert [line.split("==")[0] for line in faces] == sorted(line.split("==")[0] for line in faces)
    assert {"av==18.1.0", "mediapipe==0.10.14", "numpy==2.4.6", "pandas==3.1.1"} <= set(faces)
    assert [line.split("==")[0] for line in Path("data/versions-torch.txt").read_text().splitlines()] == [
        "numpy",
        "torch",
    ]


def test_two_runs_write_the_same_bytes() -> None:
    _check()
    first = {path: path.read_bytes() for path in Path("data").iterdir()}
    _check()
    assert {path: path.read_bytes() for path in Path("data").iterdir()} == first


def test_the_table_of_decisions_by_hand_is_made_where_missing_and_never_touched() -> None:
    Path("edits/ben").mkdir(parents=True)
    Path("edits/ben/tracks.csv").write_text("mine")
    add_edits({"ada": ADA, "ben": ADA}, Path("edits"))
    assert Path("edits/ada/tracks.csv").read_text() == HEADER
    assert Path("edits/ben/tracks.csv").read_text() == "mine"


def test_a_project_without_people_is_told_what_to_add() -> None:
    with pytest.raises(UnderstudyError, match=r"identities is empty; put a person's clips into clips/NAME and add"):
        check(PARAMS.model_copy(update={"identities": {}, "pairs": {}, "takes": {}}), Path("data"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"clips": "clips/eve"}, "identities.ada.clips: there is no folder clips/eve; make it and put"),
        ({"faceset": ["two.mp4"]}, "identities.ada.faceset: there is no clip clips/ada/two.mp4; put it there or mend"),
        ({"consent": "record"}, "identities.ada.consent: consent/ada/record.json not found; add the person's record"),
    ],
)
def test_what_an_identity_names_and_is_not_there_is_told(change: dict[str, object], said: str) -> None:
    assert _error(ADA.model_copy(update=change)).startswith(said)


@pytest.mark.parametrize("name", [None, ".gitignore"])
def test_a_folder_without_clips_is_empty(name: str | None) -> None:
    Path("clips/eve").mkdir()
    if name:
        Path("clips/eve", name).touch()
    message = _error(ADA.model_copy(update={"clips": "clips/eve"}))
    assert message == "identities.ada.clips: the folder clips/eve is empty; put this person's clips into it"


def test_clips_that_dvc_keeps_need_not_be_there() -> None:
    Path("clips/eve.dvc").write_text("outs: []\n")
    eve = ADA.model_copy(update={"clips": "clips/eve", "faceset": ["one.mp4"]})
    _check(eve, TAKE.model_copy(update={"clip": "clips/eve/one.mp4"}))
    assert Path("data/check.txt").exists()
    Path("clips/eve.dvc").unlink()
    with pytest.raises(UnderstudyError, match="there is no folder clips/eve"):
        _check(eve)


def test_a_take_names_its_missing_clip_or_truth() -> None:
    message = _error(take=TAKE.model_copy(update={"clip": "clips/ada/two.mp4"}))
    assert message == "takes.demo.clip: there is no clip clips/ada/two.mp4; put it there or mend the name"
    truth = Truth(video="clips/ada/one.mp4", video_sha256="0" * 64, table="truth.parquet", table_sha256="0" * 64)
    message = _error(take=TAKE.model_copy(update={"truth": truth}))
    assert message == "takes.demo.truth.table: there is no file truth.parquet; put it there or mend the name"


def test_a_clip_may_be_a_folder_but_a_take_none_of_stills() -> None:
    save_pictures(Path("clips/ada/seq"), ["1.png"], rate="25")
    save_pictures(Path("clips/ada/stills"), ["kim.png"])
    faceset = ADA.model_copy(update={"faceset": ["seq", "stills"]})
    message = _error(faceset, TAKE.model_copy(update={"clip": "clips/ada/stills"}))
    assert message.startswith("takes.demo.clip: clips/ada/stills: is a folder of stills, which feeds a face set")
    assert "rate.txt" in message
    Path("clips/ada/one.mp4").unlink()
    _check(faceset, TAKE.model_copy(update={"clip": "clips/ada/seq"}))
    assert Path("data/check.txt").exists()


def test_the_folder_of_a_person_without_a_record_is_made_for_dvc() -> None:
    _check()
    assert sorted(path.name for path in Path("consent").iterdir()) == ["ada", "ben"]
    assert list(Path("consent/ada").iterdir()) == []


ENTRIES = {
    "identities": "{clips: clips/ada, consent: unverified, interval_s: 0.04, faceset: all}",
    "takes": "{pair: ben_as_ada, target: ada, clip: clips/ada/take1.mp4, truth: null}",
}


def _list_files(root: Path) -> dict[str, bytes]:
    """All files but the tools' own, and check's three, which DVC takes away before check runs."""
    own = {"tmp", ".work", "__pycache__", "check.txt", "versions-faces.txt", "versions-torch.txt"}
    return {str(f): f.read_bytes() for f in root.rglob("*") if f.is_file() and not own & set(f.relative_to(root).parts)}


@pytest.mark.parametrize(
    ("section", "key", "written"),
    [
        ("identities", "x; touch y", "'x; touch y'"),
        ("takes", "007", "007"),
    ],
)
def test_dvc_repro_stops_at_a_key_that_names_nobody(project: Project, section: str, key: str, written: str) -> None:
    _add_entry(project, section, key)
    before = _list_files(project.root)
    done = project.run("dvc", "repro")
    assert done.returncode != 0
    assert f"error: params.yaml: {section}.{written}: a key must be a word that matches" in done.stderr
    assert _list_files(project.root) == before


@pytest.mark.parametrize("section", ["identities", "takes"])
def test_no_command_follows_a_key_out_of_its_folder(project: Project, section: str) -> None:
    for victim in ("victim.mp4", "victim/frames.csv", "victim/part"):
        project.write(victim, "precious")
    _add_entry(project, section, "../../victim")
    before = _list_files(project.root)
    for module in ("stages.check", "flows.build"):
        done = project.run(sys.executable, "-m", module)
        assert done.returncode == 1
        assert done.stderr.startswith(
            f"error: params.yaml: {section}.'../../victim': a key must be a word that matches"
        )
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""
    done = project.run("dvc", "repro")  # DVC itself finds that the outputs overlap, and says so in its own words
    assert done.returncode != 0
    assert "../../victim" in done.stderr
    assert "Traceback" not in done.stderr
    assert _list_files(project.root) == before


def _add_entry(project: Project, section: str, key: str) -> None:
    key = key if key[0].isdigit() else f'"{key}"'
    path = project.root / "params.yaml"
    path.write_text(path.read_text().replace(f"\n{section}:\n", f"\n{section}:\n  {key}: {ENTRIES[section]}\n"))
