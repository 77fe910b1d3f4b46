"""Consent records: what a person agreed to, as one small JSON file in git; names and signed evidence stay outside.

The fields follow ISO/IEC TS 27560:2023. Times are UTC.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from errors import ConsentError
from trust.places import private_folder
from vision.hashing import hash_file

UNVERIFIED = "unverified"
CONSENT = Path("consent")
Purpose: TypeAlias = Literal["train", "convert-source", "convert-target", "publish", "dataset", "forensics"]


def _check_utc(time: datetime) -> datetime:
    if time.utcoffset() != UTC.utcoffset(None):
        raise ValueError("must be in UTC, such as 2026-11-20T00:00:00Z")
    return time


def _check_name(name: str) -> str:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("must name a file in the folder of evidence")
    return name


Time = Annotated[AwareDatetime, AfterValidator(_check_utc)]
Text = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Evidence(_Part):
    """A signed document: its file's name in private/consent/<identity>/, and its SHA-256."""

    file: Annotated[Text, AfterValidator(_check_name)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Withdrawal(_Part):
    """When a person took consent back, and what they asked for."""

    withdrawn_at: Time
    note: str


class Record(_Part):
    """One person's consent. `identity` is a pseudonym; so is `principal`."""

    record_id: Text
    version: int = Field(ge=1)
    identity: Text
    principal: Text
    controller: Text
    purposes: list[Purpose] = Field(min_length=1)
    territory: Text
    given_at: Time
    expires_at: Time | None
    state: Literal["given", "refused", "withdrawn", "not-needed"]
    adult_confirmed: Literal[True]
    no_sexual_content: Literal[True]
    evidence: list[Evidence]
    withdrawal: Withdrawal | None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if (self.state == "withdrawn") != (self.withdrawal is not None):
            raise ValueError("state withdrawn and a withdrawal go together")
        if self.expires_at is not None and self.expires_at <= self.given_at:
            raise ValueError("expires_at must be later than given_at")
        return self


def record_path(identity: str) -> Path:
    """Where a person's record stands."""
    return CONSENT / identity / "record.json"


def evidence_folder(identity: str) -> Path:
    """Where a person's signed evidence lies: outside git and DVC, and not on every machine."""
    return private_folder() / "consent" / identity


def read_record(identity: str) -> Record:
    """A person's record, whether or not it is in force. Raises ConsentError."""
    path = record_path(identity)
    where = f"identities.{identity}.consent: {path}"
    try:
        record = Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ConsentError(f"{where} not found; add the person's record, or write {UNVERIFIED}") from None
    except OSError as error:
        raise ConsentError(f"{where} cannot be read ({error.strerror}); name a file") from None
    except ValidationError as error:
        raise ConsentError(f"{where}: {_describe(error)}; mend the record") from None
    if record.identity != identity:
        raise ConsentError(f"{where} is the record of {record.identity!r}; put the record of {identity!r} there")
    return record


def check_consent(identity: str, consent: str, purposes: Collection[Purpose], now: datetime) -> None:
    """Check that a person agreed to `purposes`, and still does. Raises ConsentError that names person and reason.

    `consent` is the word of params.yaml: `unverified` asks for no record.
    """
    if consent == UNVERIFIED:
        return
    record = read_record(identity)
    if reason := find_refusal(record, purposes, now):
        raise ConsentError(f"identities.{identity}.consent: {record_path(identity)}: {reason}")


def find_refusal(record: Record, purposes: Collection[Purpose], now: datetime) -> str:
    """Why a record does not allow what is asked for, or proves it no longer; empty where it does."""
    return _find_refusal(record, purposes, now) or _find_altered(record.identity, record)


def _find_refusal(record: Record, purposes: Collection[Purpose], now: datetime) -> str:
    who, missing = record.identity, sorted(set(purposes) - set(record.purposes))
    if record.withdrawal:
        when = record.withdrawal.withdrawn_at
        return f"{who} withdrew consent on {when:%Y-%m-%d}; remove {who}: python -m flows.withdraw {who}"
    if record.state == "refused":
        return f"{who} refused; remove {who} from params.yaml"
    if now < record.given_at:
        return f"the consent of {who} is given from {record.given_at:%Y-%m-%d %H:%M} UTC on; wait, or mend given_at"
    if record.expires_at is not None and now >= record.expires_at:
        return f"the consent of {who} expired on {record.expires_at:%Y-%m-%d %H:%M} UTC; ask for a renewed record"
    if missing:
        return f"{who} did not agree to {', '.join(missing)}; ask for it, or leave {who} out of what needs it"
    return ""


def _find_altered(identity: str, record: Record) -> str:
    """Which evidence is not what was signed; empty where none is. What is not on this machine cannot be looked at."""
    for evidence in record.evidence:
        path = evidence_folder(identity) / evidence.file
        if path.exists() and hash_file(path) != evidence.sha256:
            return f"the evidence {path} of {identity} was altered: its SHA-256 is not the record's; restore the file"
    return ""


def _describe(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
