"""Days and moments as people write them: in Beijing time, which is UTC+8 all year."""

from datetime import UTC, date, datetime, time, timedelta

from contracts.clock import BEIJING, parse_rfc3339
from contracts.errors import Invalid, Usage

_DAY = timedelta(days=1)


def parse_day(text: str) -> date:
    """Read a day such as 2026-11-22; raise Usage."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Usage(f"{text[:40]!r} is not a day such as 2026-11-22") from error
    if day.isoformat() != text or not 1971 <= day.year <= 9998:
        raise Usage(f"{text[:40]!r} is not a day such as 2026-11-22")
    return day


def bounds(day: date) -> tuple[datetime, datetime]:
    """Give the first moment of a day in Beijing and that of the next one, in UTC."""
    start = datetime.combine(day, time(), BEIJING).astimezone(UTC)
    return start, start + _DAY


def parse_since(text: str) -> datetime:
    """Read a day (its first moment), a local moment in UTC+8, or RFC 3339 with a zone; raise Usage."""
    return bounds(parse_day(text))[0] if _is_day(text) else _moment(text)


def parse_until(text: str) -> datetime:
    """Read a moment as ``parse_since`` does; a day stands for its end."""
    return bounds(parse_day(text))[1] if _is_day(text) else _moment(text)


def _is_day(text: str) -> bool:
    return "T" not in text and " " not in text


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=BEIJING).astimezone(UTC) if at.tzinfo is None else parse_rfc3339(text)
    except (ValueError, OverflowError, Invalid) as error:
        raise Usage(f"{text[:40]!r} is not a time such as 2026-11-22T09:30") from error
