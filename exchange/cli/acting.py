"""As whom a person's command acts at the exchange."""

from pathlib import Path

from contracts.messages import Role
from nodes.control import ControlClient


def control(home: Path, person: str | None, role: Role) -> ControlClient:
    """Give the client of an exchange's home; who is not named is the founder of that role."""
    return ControlClient(home, person or role.value)
