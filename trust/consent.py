"""Consent records: what a person agreed to, as one small JSON file in git; names and evidence stay outside."""

import json
from pathlib import Path

from errors import ConsentError

UNVERIFIED = "unverified"


def check_consent(identity: str, consent: str) -> None:
    """Check that `consent` is the word `unverified` or the path of `identity`'s record. Raises ConsentError."""
    if consent == UNVERIFIED:
        return
    record = _read_record(identity, Path(consent))
    if record.get("identity") != identity:
        raise ConsentError(
            f"identities.{identity}.consent: {consent} is the record of {record.get('identity')!r}; "
            f"name the record of {identity!r}"
        )


def _read_record(identity: str, path: Path) -> dict[str, object]:
    where = f"identities.{identity}.consent"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConsentError(f"{where}: {path} not found; add the person's record, or write {UNVERIFIED}") from None
    except OSError as error:
        raise ConsentError(f"{where}: {path} cannot be read ({error.strerror}); name a file") from None
    except ValueError as error:
        raise ConsentError(f"{where}: {path} is no valid JSON ({error}); mend the record") from None
    if not isinstance(record, dict):
        raise ConsentError(f"{where}: {path} is no record; a record is a JSON object with an identity")
    return record
