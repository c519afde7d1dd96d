"""How our words are spelled in ODCS: classes and lengths of time."""

import re
from collections.abc import Mapping

CLASSES = {1: "public", 2: "internal", 3: "sensitive", 4: "core"}
_CLASS_OF = {word: number for number, word in CLASSES.items()} | {
    "open": 1,
    "unrestricted": 1,
    "restricted": 3,
    "confidential": 3,
    "secret": 4,
    "strictly confidential": 4,
}

_SCALES = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_UNITS = {
    word: seconds
    for words, seconds in (
        (("s", "sec", "second", "seconds"), 1),
        (("m", "min", "minute", "minutes"), 60),
        (("h", "hr", "hour", "hours"), 3_600),
        (("d", "day", "days"), 86_400),
        (("w", "week", "weeks"), 7 * 86_400),
        (("y", "yr", "year", "years"), 365 * 86_400),
    )
    for word in words
}
_ISO = re.compile(
    r"P(?:([0-9]{1,6})D)?(?:T(?:([0-9]{1,6})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,12})S)?)?", re.ASCII
)


def class_of(word: object) -> int | None:
    """Read a classification by name or by number; None for a word that is not known here."""
    if isinstance(word, str):
        text = word.strip().lower()
        return _CLASS_OF.get(text) or (int(text) if text in {"1", "2", "3", "4"} else None)
    return word if isinstance(word, int) and not isinstance(word, bool) and word in CLASSES else None


def span(seconds: int) -> dict[str, int | str]:
    """Write a length of time as ``value`` and ``unit``, in the largest unit that holds it exactly."""
    unit, scale = next((unit, scale) for unit, scale in _SCALES if seconds % scale == 0)
    # outside tools know days, hours and minutes only; what is finer is written as ISO 8601
    return {"value": f"PT{seconds}S"} if unit == "s" else {"value": seconds // scale, "unit": unit}


def seconds_of(entry: Mapping[str, object]) -> int | None:
    """Read ``value`` and ``unit`` as seconds; None for what is no whole number of seconds."""
    value, unit = entry.get("value"), str(entry.get("unit") or "d").lower()
    if isinstance(value, str):
        found = _ISO.fullmatch(value)
        if found is not None and any(found.groups()):
            parts = [int(part or 0) for part in found.groups()]
            return sum(part * scale for part, (_, scale) in zip(parts, _SCALES, strict=True))
        value = int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or unit not in _UNITS:
        return None
    seconds = value * _UNITS[unit]
    return int(seconds) if seconds == int(seconds) else None
