"""Time as a part that is handed over: aware UTC, never read in the middle of a rule."""

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Protocol

from contracts.errors import Invalid

BEIJING = timezone(timedelta(hours=8), "UTC+8")


class Clock(Protocol):
    """Tells the time as an aware UTC datetime."""

    def now(self) -> datetime:
        """Give the present moment in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Give the present moment in UTC."""
        return datetime.now(UTC)


class FrozenClock:
    """A clock that moves only when it is told to; for tests and replays."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """Give the moment it was set to."""
        return self._at

    def advance(self, seconds: float) -> None:
        """Move forward by ``seconds``."""
        self._at += timedelta(seconds=seconds)


def epoch_ms(at: datetime) -> int:
    """Give whole milliseconds since 1970 in UTC."""
    return int(at.timestamp() * 1000)


def from_epoch_ms(ms: int) -> datetime:
    """Read milliseconds since 1970 as aware UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def rfc3339(at: datetime) -> str:
    """Write a moment as RFC 3339 in UTC with milliseconds and ``Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def parse_rfc3339(text: str) -> datetime:
    """Read RFC 3339; raise Invalid for text without a zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{text!r} is not an RFC 3339 time") from error
    if at.tzinfo is None:
        raise Invalid(f"{text!r} has no time zone")
    return at.astimezone(UTC)


def beijing(at: datetime) -> str:
    """Show a moment to people in UTC+8."""
    return at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def monotonic_seconds() -> float:
    """Give seconds on a clock that never goes back; for measuring, never for evidence."""
    return time.monotonic()
