"""The two roles of a pair's identities."""

from typing import Literal

Role = Literal["source", "target"]
ROLES: tuple[Role, Role] = ("source", "target")


def other_role(role: Role) -> Role:
    """The one of the two that a role is not."""
    return ROLES[1 - ROLES.index(role)]
