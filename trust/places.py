"""Where this clone's own things lie: what neither git nor DVC keeps, and the register that it writes to."""

import os
from pathlib import Path

PRIVATE, REGISTER = "UNDERSTUDY_PRIVATE", "UNDERSTUDY_REGISTER"  # other places for them


def private_folder() -> Path:
    """What neither git nor DVC keeps: keys, names, contacts, evidence."""
    return Path(os.environ.get(PRIVATE) or "private")


def register_folder() -> Path:
    """The register that this clone writes to: its own, but in a copy of it that is thrown away."""
    return Path(os.environ.get(REGISTER) or "register")


def describe_places() -> dict[str, str]:
    """What processes in a copy of this checkout must find in their environment to sign and register as it does."""
    return {PRIVATE: str(private_folder().absolute()), REGISTER: str(register_folder().absolute())}
