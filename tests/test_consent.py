"""Consent: who did not agree, or no longer does, is refused by name and reason, also where nothing else changed."""

import json
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from errors import ConsentError
from stages.params import read_params
from stages.permission import require_all_consent, require_consent
from tests.project import ROOT, Project
from trust.clock import read_clock
from trust.consent import check_consent, read_record

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
RECORD: dict[str, Any] = json.loads((ROOT / "consent/ada/record.json").read_text()) | {
    "state": "given",
    "expires_at": "2027-01-01T00:00:00Z",
}
GONE = {"withdrawn_at": "2026-11-24T08:00:00Z", "note": "by letter"}
WHERE = "identities.ada.consent: consent/ada/record.json"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNDERSTUDY_PRIVATE", raising=False)


def _write(identity: str = "ada", **changes: Any) -> None:
    path = Path("consent", identity, "record.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(RECORD | {"identity": identity} | changes))


def _refusal(*purposes: Any, now: datetime = NOW) -> str:
    with pytest.raises(ConsentError) as caught:
        check_consent("ada", "record", purposes, now)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_record_that_is_in_force_allows_what_it_names() -> None:
    _write(purposes=["train", "convert-target"])
    check_consent("ada", "record", ["train", "convert-target"], NOW)
    assert _refusal("train", "convert-source").startswith(f"{WHERE}: ada did not agree to convert-source; ask for it")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"state": "withdrawn", "withdrawal": GONE},
            "ada withdrew consent on 2026-11-24; remove ada: python -m",
        ),
        ({"state": "refused"}, "ada refused"),
        (
            {"expires_at": "2026-11-25T12:00:00Z"},
            "the consent of ada expired on 2026-11-25 12:00 UTC; ask for a renewed",
        ),
        ({"given_at": "2026-11-25T12:00:01Z"}, "the consent of ada is given from 2026-11-25 12:00 UTC on"),
    ],
)
def test_a_record_that_is_not_in_force_refuses_with_its_reason(changes: dict[str, Any], said: str) -> None:
    _write(**changes)
    assert _refusal("train").startswith(f"{WHERE}: {said}")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"identity": "ben"}, " is the record of 'ben'; put the record of 'ada' there"),
        ({"adult_confirmed": False}, ": adult_confirmed: Input should be True; mend the record"),
        ({"no_sexual_content": False}, ": no_sexual_content: Input should be True"),
        ({"purposes": ["fun"]}, ": purposes.0: Input should be 'train'"),
        ({"purposes": []}, ": purposes: List should have at least 1 item"),
        ({"given_at": "2026-11-20T00:00:00"}, ": given_at: Input should have timezone info"),
        ({"given_at": "2026-11-20T00:00:00+01:00"}, ": given_at: must be in UTC"),
        ({"expires_at": "2026-11-19T00:00:00Z"}, ": expires_at must be later than given_at"),
        ({"withdrawal": GONE}, ": state withdrawn and a withdrawal go together"),
        ({"state": "withdrawn"}, ": state withdrawn and a withdrawal go together"),
        ({"nickname": "a"}, ": nickname: Extra inputs are not permitted"),
        ({"evidence": [{"file": "../x", "sha256": "0" * 64}]}, ": evidence.0.file: must name a file in the folder"),
    ],
)
def test_what_is_no_record_of_this_person_is_told(changes: dict[str, object], said: str) -> None:
    path = Path("consent/ada/record.json")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(RECORD | changes))
    assert _refusal().startswith(f"{WHERE}{said}")


@pytest.mark.parametrize("text", ["{", "[]", "\udcff"])
def test_a_damaged_record_is_told(text: str) -> None:
    path = Path("consent/ada/record.json")
    path.parent.mkdir(parents=True)
    path.write_text(text, errors="surrogateescape")
    assert _refusal().startswith(f"{WHERE}: ")
    path.unlink()
    assert _refusal() == f"{WHERE} not found; add the person's record, or write unverified"
    path.mkdir()
    assert _refusal() == f"{WHERE} cannot be read (Is a directory); name a file"


def test_altered_evidence_is_refused_and_what_lies_elsewhere_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    _write(evidence=[{"file": "signed.pdf", "sha256": sha256(b"signed").hexdigest()}])
    check_consent("ada", "record", ["train"], NOW)
    for folder in (Path("private"), Path("vault")):
        evidence = folder / "consent/ada/signed.pdf"
        evidence.parent.mkdir(parents=True)
        evidence.write_bytes(b"signed")
        check_consent("ada", "record", ["train"], NOW)
        evidence.write_bytes(b"Signed")
        assert f"the evidence {evidence} of ada was altered" in _refusal("train")
        monkeypatch.setenv("UNDERSTUDY_PRIVATE", "vault")


def test_unverified_asks_for_no_record() -> None:
    check_consent("ada", "unverified", ["train"], NOW)


def test_a_stage_asks_those_whom_it_concerns_and_for_what_it_does() -> None:
    params = read_params(ROOT / "params.yaml")
    _write("ada", purposes=["train", "convert-target", "dataset"])
    _write("ben", purposes=["train", "convert-source", "publish"])
    for stage, key in (("sample", "ada"), ("align", "ben"), ("train", "ben_as_ada"), ("compare", "ben_as_ada")):
        require_consent(stage, key, params)
    with pytest.raises(ConsentError, match="ada did not agree to publish"):
        require_consent("convert", "demo", params)
    take = params.takes["demo"].model_copy(update={"purpose": "dataset"})
    with pytest.raises(ConsentError, match="ben did not agree to dataset"):
        require_consent("evaluate", "demo", params.model_copy(update={"takes": {"demo": take}}))
    _write("ada")
    require_consent("convert", "demo", params)
    require_all_consent(params)
    _write("ben", purposes=["convert-source", "publish"])
    with pytest.raises(ConsentError, match="ben did not agree to train"):
        require_consent("detect", "ben", params)
    with pytest.raises(ConsentError, match="ben did not agree to train"):
        require_all_consent(params)


def test_a_clock_set_back_revives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    newest = datetime(2099, 1, 1, tzinfo=UTC)
    assert abs((read_clock() - datetime.now(UTC)).total_seconds()) < 5
    monkeypatch.setattr("trust.clock.newest_time", lambda folder: newest if folder == Path("register") else None)
    assert read_clock() == newest


def test_a_refusal_names_the_writer_whose_entry_lies_ahead_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ada", "ben"):
        _write(name, expires_at="2098-01-01T00:00:00Z", given_at="2026-01-01T00:00:00Z")
    params = read_params(ROOT / "params.yaml")
    require_all_consent(params)
    newest = datetime(2099, 1, 1, tzinfo=UTC)
    monkeypatch.setattr("trust.clock.newest_time", lambda _: newest)
    monkeypatch.setattr("trust.clock.find_newest", lambda _: (newest, Path("register/cafe.jsonl")))
    with pytest.raises(ConsentError, match=r"expired on 2098.*\(register/cafe\.jsonl has an entry of 2099-01-01 00:00"):
        require_all_consent(params)


def test_the_demo_s_records_are_in_force() -> None:
    for identity in ("ada", "ben"):
        path = Path("consent", identity, "record.json")
        path.parent.mkdir(parents=True)
        path.write_bytes((ROOT / path).read_bytes())
        assert read_record(identity).state == "not-needed"
    require_all_consent(read_params(ROOT / "params.yaml"))


@pytest.mark.heavy
def test_a_renewed_record_runs_sample_and_no_training(project: Project) -> None:
    _change(project, version=2, record_id="renewed")
    assert project.repro() == ["sample@ben"]


@pytest.mark.heavy
def test_an_expired_record_fails_a_build_in_which_nothing_changed(project: Project, server: dict[str, str]) -> None:
    command = (sys.executable, "-m", "flows.build")
    done = project.run(*command, **server)
    assert done.returncode == 0, done.stderr
    _change(project, expires_at="2026-11-21T00:00:00Z")
    done = project.run(*command, **server)
    assert done.returncode == 1
    assert done.stderr == (
        "error: identities.ben.consent: consent/ben/record.json: the consent of ben expired on 2026-11-21 00:00 UTC; "
        "ask for a renewed record\n"
    )
    done = project.run(sys.executable, "-m", "flows.doctor", "--quick")
    assert done.returncode == 1
    assert "the consent of ben expired" in done.stdout
    # The real stage, since the project's is a fake.
    (project.root / "stages/train.py").write_bytes((ROOT / "stages/train.py").read_bytes())
    done = project.run("dvc", "repro", "-s", "train@ben_as_ada")
    assert done.returncode != 0
    assert "the consent of ben expired" in done.stderr


def _change(project: Project, **changes: object) -> None:
    path = project.root / "consent/ben/record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
