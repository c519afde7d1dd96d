"""What a search for a value comes back with: a value, the proof that there is none, or neither."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Schema: TypeAlias = Any  # Any: a JSON Schema is an object or a boolean, and its parts are anything


@dataclass(frozen=True, slots=True)
class Found:
    """A value that every schema of the question admits, and the row engine agrees."""

    value: Any  # Any: any JSON value may be the one


@dataclass(frozen=True, slots=True)
class Nothing:
    """Proved: no value is admitted by all schemas of the question."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Neither: the question holds what the search does not read, or would take it too long."""


Outcome: TypeAlias = Found | Nothing | Unknown

NOTHING = Nothing()
UNKNOWN = Unknown()


class GivesUp(Exception):  # never leaves this package; it ends a search, it reports no fault
    """The search has used up its steps, or met what it cannot read."""


class Steps:
    """How many steps a search may still take: a schema comes from a stranger, and its answer may not come."""

    def __init__(self, limit: int) -> None:
        """Allow ``limit`` steps."""
        self._left = limit

    def take(self, count: int = 1) -> None:
        """Take steps; raise GivesUp when none are left."""
        self._left -= count
        if self._left < 0:
            raise GivesUp
