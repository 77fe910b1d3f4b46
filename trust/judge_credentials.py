"""What a video's content credentials are worth here, in words."""

from collections.abc import Iterable

from trust.answer import Answer
from trust.credentials import Credentials
from trust.foreign_text import LONGEST_REASON, quote
from trust.keys import find_bad_roots

_MEANINGS = {
    "assertion.bmffHash.mismatch": "pictures, sound or what binds them are not those that were signed",
    "assertion.dataHash.mismatch": "the bytes are not those that were signed",
    "assertion.hashedURI.mismatch": "a part of the credentials is not the one that was signed",
    "claimSignature.mismatch": "the signature is not of these credentials",
    "claimSignature.outsideValidity": "it was signed outside the time of the signer's certificate",
    "signingCredential.expired": "the signer's certificate has expired",
    "signingCredential.invalid": "the signer's certificate is not one for content credentials",
    "signingCredential.untrusted": "the signer is not trusted here",
}


def judge_credentials(found: Credentials) -> Answer:
    """`no` only where a hash or a signature does not fit: all else that is wrong may be so in an untouched file."""
    if found.state == "none":
        return Answer("unknown", "no content credentials: they were never there, or were taken off")
    if found.state == "unreadable":
        reason = quote(", ".join(found.problems), LONGEST_REASON)
        return Answer("unknown", f"whether there are content credentials cannot be read: {reason}")
    if found.state == "altered":
        return Answer("no", f"content credentials that do not fit the file: {_explain(found.problems)}")
    signer = quote(found.signer) if found.signer else "a signer without a name"
    if found.state == "invalid":
        return Answer("unknown", f"content credentials of {signer} that prove nothing now: {_explain(found.problems)}")
    tells = "says that a model changed the picture" if found.is_synthetic else "says nothing of a model"
    if found.state == "unknown signer":
        words = f"sound content credentials of a signer unknown here ({signer}), which {tells}"
        return Answer("unknown", words + _tell_bad_roots())
    return Answer("yes", f"trusted content credentials by {signer}, which {tells}{_tell_origin(found)}")


def _explain(codes: Iterable[str]) -> str:
    """C2PA's codes, each once, behind what they mean."""
    told = [f"{_MEANINGS[code]} ({code})" if code in _MEANINGS else code for code in dict.fromkeys(codes)]
    return ", ".join(told) or "damaged"


def _tell_origin(found: Credentials) -> str:
    origin = found.provenance
    return f"; take {quote(origin.get('take'))}, purpose {quote(origin.get('purpose'))}" if origin is not None else ""


def _tell_bad_roots() -> str:
    bad = ", ".join(quote(str(path)) for path in find_bad_roots())
    return f"; passed over, since no certificate can be read from it: {bad}" if bad else ""
