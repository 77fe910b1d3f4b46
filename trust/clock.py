"""What time it is where consent is asked for: a clock that was set back revives nothing that has expired."""

from datetime import UTC, datetime
from pathlib import Path

from trust.register import newest_time

REGISTER = Path("register")


def read_clock(register: Path = REGISTER) -> datetime:
    """The time in UTC, and at least that of the register's newest entry."""
    now, newest = datetime.now(UTC), newest_time(register)
    return now if newest is None else max(now, newest)
