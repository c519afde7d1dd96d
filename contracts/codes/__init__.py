"""Code lists, each in named editions: administrative divisions, HJ 212 factors and flags, classes, grades.

Codes drift: of the county codes of 2002 a tenth were gone by 2013. So nothing here is looked up without an
edition, an edition that is not at hand is refused and never guessed, and a list says where its next edition
put a code that went (``became``). The lists are typed in from the standards that ``source`` names, one JSON
file for each list and edition, read as package data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any

import orjson

from contracts.errors import NotFound


class NoSuchCodeList(NotFound):
    """This installation does not hold the code list in this edition."""

    code = "no-such-code-list"
    title_zh = "没有该代码表或该版本"
    next_zh = "核对编号与版本;headwaters contract codes 列出全部代码表。"
    next_en = "Check id and edition; headwaters contract codes lists every code list."


@dataclass(frozen=True, slots=True)
class Code:
    """One code; ``en`` is empty where there is no English name, ``more`` holds a list's further columns."""

    code: str
    zh: str
    en: str
    more: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CodeList:
    """A code list in one edition.

    ``stem``: only the first so many characters of a code are looked up, as of an administrative code of 9 or
    12 digits. ``became`` says which codes of the next edition a code that went, or was split, turned into.
    ``in_force_until`` is None for an edition that is still in force, or whose end is not known.
    """

    list_id: str
    edition: str
    title_zh: str
    title_en: str
    source: str
    note_zh: str
    note_en: str
    in_force_from: date | None
    in_force_until: date | None
    stem: int | None
    codes: Mapping[str, Code]
    became: Mapping[str, tuple[str, ...]]

    @property
    def keys(self) -> frozenset[str]:
        """Give the codes as they are looked up: whole, or their first ``stem`` characters."""
        return frozenset(self.codes)

    def find(self, text: str) -> Code | None:
        """Look a code up, by its stem where the list has one."""
        return self.codes.get(text if self.stem is None else text[: self.stem])

    def knows(self, text: str) -> bool:
        """Tell whether the edition has this code."""
        return self.find(text) is not None


def code_list(list_id: str, edition: str) -> CodeList:
    """Read a code list in one edition; raise NoSuchCodeList, also for an edition that is not at hand."""
    if (list_id, edition) not in lists():
        held = ", ".join(editions(list_id))
        here = (
            f"of {list_id!r} these editions are held: {held}" if held else f"no list {list_id[:63]!r} is held"
        )
        raise NoSuchCodeList(here)
    return _read(list_id, edition)


@cache
def lists() -> tuple[tuple[str, str], ...]:
    """List every code list and edition, in alphabetical order."""
    files = resources.files(__name__).joinpath("lists").iterdir()
    names = sorted(f.name.removesuffix(".json").rpartition("-") for f in files if f.name.endswith(".json"))
    return tuple((list_id, edition) for list_id, _, edition in names)


def editions(list_id: str) -> tuple[str, ...]:
    """List the editions of a code list that are here, oldest first; empty for a list that is not."""
    return tuple(edition for name, edition in lists() if name == list_id)


def crosswalk(list_id: str, old: str, new: str, text: str) -> tuple[str, ...]:
    """Say what a code of an old edition is in a newer one: several codes where it was split, none if unknown.

    Raises NoSuchCodeList. A code that kept its spelling stands for itself. ``became`` of an edition speaks of
    the next one only, so editions that are further apart are walked one by one; nothing walks back in time.
    """
    path = editions(list_id)
    code_list(list_id, old), code_list(list_id, new)
    walk = path[path.index(old) : path.index(new) + 1]
    if not walk:
        return (text,) if code_list(list_id, old).knows(text) and code_list(list_id, new).knows(text) else ()
    found: tuple[str, ...] = (text,) if code_list(list_id, old).knows(text) else ()
    for here, there in pairwise(walk):
        found = tuple(dict.fromkeys(code for one in found for code in _next(list_id, here, there, one)))
    return found


def _next(list_id: str, here: str, there: str, text: str) -> tuple[str, ...]:
    now, then = code_list(list_id, here), code_list(list_id, there)
    key = text if now.stem is None else text[: now.stem]
    if key in now.became:
        rest = text[len(key) :]
        # Below the county, a street's own digits were given anew with the county: nothing is known of them.
        return () if rest else now.became[key]
    return (text,) if now.knows(text) and then.knows(text) else ()


@cache
def _read(list_id: str, edition: str) -> CodeList:
    name = f"{list_id}-{edition}.json"
    # Any: JSON of our own making, held to its form by the tests.
    value: dict[str, Any] = orjson.loads(resources.files(__name__).joinpath("lists", name).read_bytes())
    further = value["columns"][3:]
    codes = {
        code: Code(code, zh, en, dict(zip(further, more, strict=True)))
        for code, zh, en, *more in value["codes"]
    }
    note = value["note"] or {"zh": "", "en": ""}
    return CodeList(
        list_id=list_id,
        edition=edition,
        title_zh=value["title"]["zh"],
        title_en=value["title"]["en"],
        source=value["source"],
        note_zh=note["zh"],
        note_en=note["en"],
        in_force_from=_day(value["in_force_from"]),
        in_force_until=_day(value["in_force_until"]),
        stem=value["stem"],
        codes=codes,
        became={code: tuple(others) for code, others in value.get("became", {}).items()},
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
