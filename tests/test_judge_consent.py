"""What verify says of the consent that a video's credentials name: as it stands today, in the records that are here."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.published import write_record
from trust import verify
from trust.answer import Answer
from trust.credentials import Credentials, State
from trust.inspect import Inspection
from trust.judge_consent import judge_consent
from trust.origin import PROVENANCE

GONE = {"withdrawn_at": "2026-11-24T08:00:00Z", "note": "by letter"}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNDERSTUDY_PRIVATE", raising=False)
    write_record("ada")
    write_record("ben")


def _tell(ben: object = "ben-1", state: State = "trusted", purpose: object = "publish") -> Credentials:
    told = {"consent": {"ben": ben, "ada": "ada-1"}, "purpose": purpose}
    return Credentials(state, manifest={"assertions": [{"label": PROVENANCE, "data": told}]})


def _judge(ben: object = "ben-1") -> tuple[str, str]:
    answer = judge_consent(_tell(ben))
    return answer.verdict, answer.words


def test_consent_that_stands_is_a_yes() -> None:
    assert _judge() == ("yes", "ben: record ben-1 stands; ada: record ada-1 stands")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": "withdrawn", "withdrawal": GONE}, "ben withdrew consent on 2026-11-24"),
        ({"state": "refused"}, "ben refused"),
        ({"expires_at": "2026-11-21T00:00:00Z"}, "the consent of ben expired on 2026-11-21 00:00 UTC"),
        ({"purposes": ["train", "convert-source"]}, "ben did not agree to publish"),
        ({"given_at": "2099-01-01T00:00:00Z"}, "is given from 2099-01-01"),
    ],
)
@pytest.mark.parametrize("told", ["ben-1", "ben-0", "unverified"])
def test_consent_that_stands_no_longer_is_a_no_whatever_stood_then(
    changes: dict[str, object], reason: str, told: str
) -> None:
    write_record("ben", **changes)
    verdict, words = _judge(told)
    assert verdict == "no"
    assert words.startswith("ben: consent does not stand now: ")
    assert reason in words
    assert "ada: record ada-1 stands" in words


def test_altered_evidence_is_a_no() -> None:
    folder = Path("private/consent/ben")
    folder.mkdir(parents=True)
    (folder / "signed.pdf").write_text("altered")
    write_record("ben", evidence=[{"file": "signed.pdf", "sha256": "0" * 64}])
    verdict, words = _judge()
    assert verdict == "no"
    assert "signed.pdf of ben was altered" in words


def test_a_record_that_is_not_here_is_unknown() -> None:
    Path("consent/ben/record.json").unlink()
    verdict, words = _judge()
    assert verdict == "unknown"
    assert "ben: record ben-1 is not here: it lies in the repository of the project that made the video" in words


def test_another_record_of_the_person_does_not_vouch_for_the_one_that_is_named() -> None:
    assert _judge("ben-0") == (
        "unknown",
        "ben: record ben-0 is not here, but ben-1, which stands; ada: record ada-1 stands",
    )


def test_unverified_stays_unverified() -> None:
    assert _judge("unverified")[0] == "unknown"
    Path("consent/ben/record.json").unlink()
    assert _judge("unverified") == (
        "unknown",
        "ben: unverified: made without a record of consent; ada: record ada-1 stands",
    )


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]"])
def test_a_broken_record_is_unknown(content: bytes) -> None:
    Path("consent/ben/record.json").write_bytes(content)
    verdict, words = _judge()
    assert verdict == "unknown"
    assert "consent/ben/record.json" in words


@pytest.mark.parametrize("state", ["unknown signer", "altered", "invalid", "unreadable", "none"])
def test_nothing_is_believed_of_credentials_that_are_not_trusted(state: State) -> None:
    write_record("ben", state="withdrawn", withdrawal=GONE)
    assert judge_consent(_tell(state=state)) == Answer("unknown", "no trusted credentials tell whose faces these are")


def test_no_name_leads_out_of_the_folder_of_consent() -> None:
    write_record("../elsewhere")
    told = {"consent": {"../elsewhere": "../elsewhere-1"}}
    found = Credentials("trusted", manifest={"assertions": [{"label": PROVENANCE, "data": told}]})
    assert judge_consent(found) == Answer("unknown", '"../elsewhere": no name of an identity')


def test_a_clock_set_back_revives_no_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    write_record("ben", expires_at="2999-01-01T00:00:00Z")
    assert _judge()[0] == "yes"
    monkeypatch.setattr("trust.clock.newest_time", lambda _: datetime(3000, 1, 1, tzinfo=UTC))
    assert _judge()[0] == "no"


@pytest.mark.parametrize(
    ("consent", "code"), [("yes", verify.VERIFIED), ("unknown", verify.UNKNOWN), ("no", verify.CONTRADICTED)]
)
def test_only_consent_that_stands_is_verified(consent: str, code: int) -> None:
    yes = Answer("yes", "")
    assert verify.judge(Inspection(yes, Answer(consent, ""), yes, yes, yes)) == code  # type: ignore[arg-type]
