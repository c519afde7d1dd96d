"""One change between two versions of a contract, in words that a clerk understands."""

import json
from dataclasses import dataclass
from enum import StrEnum

from contracts.compatibility.bump import Bump
from contracts.dialect import pointer_text
from contracts.messages import Text

SHOWN = 160


class Effect(StrEnum):
    """What a change does to those who use the contract."""

    TAKES = "takes-away"
    GIVES = "gives"
    WORDS = "words"

    @property
    def bump(self) -> Bump:
        """Give the version step that the effect deserves."""
        return {Effect.TAKES: Bump.MAJOR, Effect.GIVES: Bump.MINOR, Effect.WORDS: Bump.PATCH}[self]


@dataclass(frozen=True, slots=True)
class Change:
    """What changed, where (a JSON Pointer into the contract), from what to what, and what that does."""

    place: str
    effect: Effect
    before: str | None
    after: str | None
    text: Text

    @property
    def field(self) -> str | None:
        """Name the field that the change is about, where it is about one; a pattern is named as it stands."""
        tokens = self.place.split("/")[1:]
        named = tokens[:1] == ["fields"] and len(tokens) > 1
        if not named and not (tokens[0] == "record" and len(tokens) > 2):
            return None
        return pointer_text(tokens[1] if named else tokens[2])


def change(place: str, effect: Effect, *, before: object, after: object, zh: str, en: str) -> Change:
    """Describe a change; values are shown as short JSON text, and None as nothing."""
    return Change(place, effect, shown(before), shown(after), Text(zh=zh[:200], en=en[:200]))


def shown(value: object) -> str | None:
    """Write a value for a person, cut where it is long."""
    if value is None or isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if text is None or len(text) <= SHOWN else text[: SHOWN - 1] + "…"
