"""Working days of the State Council's yearly arrangements, and the end of a term counted in them.

A working day is no holiday of the year's arrangement, and is either no weekend day or one on which the
arrangement has people make up for a holiday. A year without an arrangement is counted by weekends alone, and
whoever asks is told so. Days are those of Beijing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from contracts.clock import BEIJING
from contracts.errors import Invalid
from contracts.messages.wire import Short, Wire

MAX_BYTES = 64 * 1024
_SATURDAY = 5
_DAY = timedelta(days=1)

Day = Annotated[date, Field(strict=False)]


class BadArrangement(Invalid):
    """The arrangement of holidays cannot be used."""

    code = "bad-holiday-arrangement"
    title_zh = "节假日安排文件无法使用"
    next_zh = "按 docs/how-to/object-and-correct.md 的格式改正文件。"
    next_en = "Mend the file; docs/how-to/object-and-correct.md shows its form."


class Holiday(Wire):
    """One holiday: its first and last day off."""

    name: Short
    first: Annotated[Day, Field(alias="from")]
    last: Annotated[Day, Field(alias="to")]


class Arrangement(Wire):
    """One year's arrangement and the document that says so; ``make_up`` are weekend days that are worked."""

    year: Annotated[int, Field(ge=2000, le=2200)]
    document: Short
    title: Short
    holidays: Annotated[list[Holiday], Field(min_length=1, max_length=40)]
    make_up: Annotated[list[Day], Field(max_length=40)]

    @model_validator(mode="after")
    def _is_of_its_year(self) -> Self:
        off = self.days_off()
        if any(one.last < one.first for one in self.holidays):
            raise ValueError("a holiday ends before it begins")
        if any(day.year != self.year for day in (*off, *self.make_up)):
            raise ValueError(f"a day is not of {self.year}")
        if any(day.weekday() < _SATURDAY or day in off for day in self.make_up):
            raise ValueError("a day that is made up is a weekend day and no holiday")
        return self

    def days_off(self) -> frozenset[date]:
        """Give every day of every holiday."""
        return frozenset(
            one.first + number * _DAY
            for one in self.holidays
            for number in range(min((one.last - one.first).days, 60) + 1)
        )


@dataclass(frozen=True, slots=True)
class Term:
    """When a term ends, and the years on its way of which no arrangement is known."""

    at: datetime
    guessed_years: tuple[int, ...]


class WorkingDays:
    """The years that are known; immutable."""

    def __init__(self, arrangements: Iterable[Arrangement]) -> None:
        """Take arrangements; of two for one year the later counts."""
        known = {one.year: one for one in arrangements}
        self._off = {year: one.days_off() for year, one in known.items()}
        self._made_up = {year: frozenset(one.make_up) for year, one in known.items()}
        self.arrangements = tuple(known[year] for year in sorted(known))

    def is_working(self, day: date) -> bool:
        """Say whether people work on a day."""
        if day in self._off.get(day.year, ()):
            return False
        return day.weekday() < _SATURDAY or day in self._made_up.get(day.year, ())

    def term(self, since: datetime, days: int) -> Term:
        """Give the end of the last of so many working days; the day itself does not count."""
        day, left, guessed = since.astimezone(BEIJING).date(), days, set[int]()
        while left > 0:
            day += _DAY
            left -= self.is_working(day)
            if day.year not in self._off:
                guessed.add(day.year)
        end = datetime(day.year, day.month, day.day, tzinfo=BEIJING) + _DAY
        return Term(end, tuple(sorted(guessed)))


def read_arrangement(raw: bytes) -> Arrangement:
    """Read one year's arrangement; raise BadArrangement."""
    if len(raw) > MAX_BYTES:
        raise BadArrangement(f"an arrangement has at most {MAX_BYTES} bytes")
    try:
        return Arrangement.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = "/" + "/".join(map(str, first["loc"]))
        raise BadArrangement(f"{place}: {first['msg']}") from error


@lru_cache(maxsize=1)
def shipped() -> tuple[Arrangement, ...]:
    """Give the arrangements that come with the program, by year."""
    folder = files("contracts") / "workdays"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".json"))
    return tuple(read_arrangement((folder / name).read_bytes()) for name in names)
