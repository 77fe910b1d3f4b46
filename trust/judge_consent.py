"""Whether the people whose faces a video shows agree to it today: what its credentials tell of their consent, held
against the records here.
"""

import re
from collections.abc import Collection
from datetime import UTC, datetime

from errors import ClipError, RegisterError
from trust.answer import Answer
from trust.clock import read_clock
from trust.consent import UNVERIFIED, Purpose, Record, find_refusal, read_record, record_path
from trust.credentials import Credentials
from trust.foreign_text import LONGEST_REASON, quote, show_text

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")  # as params.yaml has them: a folder of consent/, and of nowhere else


def judge_consent(found: Credentials) -> Answer:
    """`no` where somebody's consent is withdrawn, has expired or does not stand for another reason; `yes` where
    everybody's stands. Of credentials that are not trusted nothing is believed.
    """
    if found.state != "trusted":
        return Answer("unknown", "no trusted credentials tell whose faces these are")
    if not found.consent:
        return Answer("unknown", "the credentials tell of nobody's consent")
    now = _tell_time()
    answers = {who: _judge_person(who, told, found.purposes, now) for who, told in found.consent.items()}
    words = "; ".join(f"{quote(who)}: {answer.words}" for who, answer in answers.items())
    verdicts = {answer.verdict for answer in answers.values()}
    return Answer("no" if "no" in verdicts else "unknown" if "unknown" in verdicts else "yes", words)


def _tell_time() -> datetime:
    """By the computer's clock alone where the register cannot be read, as `judge_register` tells."""
    try:
        return read_clock()
    except (RegisterError, OSError):
        return datetime.now(UTC)


def _judge_person(identity: str, told: object, purposes: Collection[Purpose], now: datetime) -> Answer:
    """`told`: the record's id, or `unverified`, as the credentials have it. The record that is here today decides."""
    if not _NAME.fullmatch(identity):
        return Answer("unknown", "no name of an identity")
    try:
        if not record_path(identity).exists():
            return Answer("unknown", _tell_missing(told))
        record = read_record(identity)
        refusal = find_refusal(record, purposes, now)
    except (OSError, ClipError) as error:
        return Answer("unknown", show_text(error, LONGEST_REASON))
    if refusal:
        return Answer("no", f"consent does not stand now: {show_text(refusal, LONGEST_REASON)}")
    return _compare_ids(told, record)


def _tell_missing(told: object) -> str:
    if told == UNVERIFIED:
        return "unverified: made without a record of consent"
    return f"record {quote(told)} is not here: it lies in the repository of the project that made the video"


def _compare_ids(told: object, record: Record) -> Answer:
    """A record that stands, held against the one that the credentials name."""
    if told == UNVERIFIED:
        return Answer("unknown", f"unverified when the video was made; a record {quote(record.record_id)} stands now")
    if told != record.record_id:
        return Answer("unknown", f"record {quote(told)} is not here, but {quote(record.record_id)}, which stands")
    return Answer("yes", f"record {quote(told)} stands")
