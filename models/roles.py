"""The two roles of a pair's identities."""

from typing import Literal

Role = Literal["source", "target"]
ROLES: tuple[Role, Role] = ("source", "target")
