"""What time it is where consent is asked for: a clock that was set back revives nothing that has expired."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from trust.places import register_folder
from trust.register import find_newest, newest_time

_NEAR = timedelta(days=1)


def read_clock(register: Path | None = None) -> datetime:
    """The time in UTC, and at least that of the register's newest entry."""
    now, newest = datetime.now(UTC), newest_time(register or register_folder())
    return now if newest is None else max(now, newest)


def tell_ahead(register: Path | None = None) -> str:
    """Who says that it is later than this machine's clock by more than a day, in brackets; empty where nobody does."""
    newest = find_newest(register or register_folder())
    if newest is None or newest[0] <= datetime.now(UTC) + _NEAR:
        return ""
    told = f"{newest[1]} has an entry of {newest[0]:%Y-%m-%d %H:%M} UTC, so that it is taken to be as late"
    return f" ({told}: set this machine's clock, or see docs/trust.md)"
