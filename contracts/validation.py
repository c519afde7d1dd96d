"""Judge rows against a contract, and say for each bad row what is wrong, where, and with which value.

The verdict is that of ``jsonschema-rs`` (Draft 2020-12, formats on, linear-time patterns): ``is_valid`` for
every row, and its full error list, however long, for the bad ones. A row that is no JSON at all (NaN, a lone
surrogate, bytes) is a bad row, never an exception. Rows that come in numbers are sifted first, as records or
as columns, and only the doubtful ones are judged one by one. Nothing here reads a file.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jsonschema_rs
import orjson
import polars as pl
import rfc8785

from contracts.columns import ColumnJudge
from contracts.dialect import pointer_token
from contracts.messages import Text
from contracts.open_numbers import OpenNumbers, is_large_integer
from contracts.reasons import explain
from contracts.schema import Contract, compile_schema

MAX_VALUE_CHARS = 200

Row = Mapping[str, Any]  # Any: a record holds whatever its schema admits


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: ``pointer`` leads into the row, ``schema_pointer`` into the record schema (RFC 6901).

    ``value`` is JSON text cut at 200 characters, or None where the value is missing. It stays in the
    quarantine of the node that holds the data.
    """

    pointer: str
    schema_pointer: str
    rule: str
    value: str | None
    message: Text


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that goes to quarantine, with every rule it breaks; ``row_number`` counts data rows from 1."""

    row_number: int
    violations: tuple[Violation, ...]


class RowValidator:
    """Judges rows under one contract; the rows of a view keep the contract of their ``ViewShape``."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._judge = compile_schema(contract.record)
        self._open_numbers = OpenNumbers(contract)

    def is_valid(self, row: Row) -> bool:
        """Give the bare verdict."""
        try:
            return self._judge.is_valid(row) and _is_json(row) and not self._large(row)
        except _NO_JSON:  # the engine met bytes, a lone surrogate, endless depth or a key that is no text
            return False

    def violations(self, row: Row) -> tuple[Violation, ...]:
        """List all that is wrong with a row; an empty tuple accepts it."""
        try:
            found = [
                violation
                for error in self._judge.iter_errors(row)
                for violation in _violations(self.contract, row, error)
            ]
        except _NO_JSON:
            return (_NOT_JSON,)
        found += [_large(row, name) for name in self._large(row)]
        return tuple(found) if found or _is_json(row) else (_NOT_JSON,)

    def doubtful_records(self, records: Sequence[Row]) -> list[int]:
        """List which records, as read from JSON text, may break the contract; the others keep it."""
        is_valid = self._judge.is_valid
        try:
            found = [index for index, record in enumerate(records) if not is_valid(record)]
        except _NO_JSON:
            return [index for index, record in enumerate(records) if not self.is_valid(record)]
        if self._open_numbers.any:
            large = (index for index, record in enumerate(records) if self._large(record))
            return sorted({*found, *large})
        return found

    def doubtful_rows(self, frame: pl.DataFrame) -> list[int]:
        """List which rows of typed columns may break the contract; the others keep it."""
        return self._columns.doubtful(frame)

    def judge(self, row_number: int, row: Row) -> Rejected | None:
        """Give None for a good row, or the reasons against it."""
        if self.is_valid(row):
            return None
        return Rejected(row_number, self.violations(row))

    @cached_property
    def _columns(self) -> ColumnJudge:
        return ColumnJudge(self.contract)

    def _large(self, row: Row) -> list[str]:
        if not self._open_numbers.any:
            return []
        return [name for name in self._open_numbers.large(row) if is_large_integer(row[name])]


def _violations(contract: Contract, row: Row, error: jsonschema_rs.ValidationError) -> Iterator[Violation]:
    place = list(error.instance_path)
    kind = error.kind
    match kind:
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties():
            strangers = [[*place, name] for name in kind.unexpected]
        case jsonschema_rs.ValidationErrorKind.Required():
            strangers = [[*place, kind.property]]
        case _:
            strangers = [place]
    for path in strangers:
        yield Violation(
            pointer=_pointer(path),
            schema_pointer=_pointer(error.schema_path),
            rule=kind.name,
            value=_value(row, path),
            message=explain(contract, path, kind),
        )


def _pointer(path: Iterable[str | int]) -> str:
    return "".join("/" + pointer_token(str(token)) for token in path)


def _value(row: Row, path: list[str | int]) -> str | None:
    value: Any = row
    try:
        for token in path:
            value = value[token]
    except (KeyError, IndexError):
        return None
    return value_text(value)


def value_text(value: object) -> str:
    """Write a value as JSON text cut at 200 characters, numbers in the spelling of RFC 8785."""
    try:
        text = rfc8785.dumps(value).decode()  # type: ignore[arg-type]  # what it cannot write, it raises for
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        text = repr(value)
    return text[:MAX_VALUE_CHARS]


def _is_json(row: Row) -> bool:
    """Write the row once: the engine reads no text that no rule asks about, so a surrogate could slip by."""
    try:
        orjson.dumps(row)
    except orjson.JSONEncodeError:
        return False
    return True


def _large(row: Row, name: str) -> Violation:
    return Violation(
        pointer=_pointer([name]),
        schema_pointer="",
        rule="json",
        value=_value(row, [name]),
        message=Text(
            zh="整数超出 ±(2^53-1),各系统读出的值可能不同",
            en="an integer is beyond 2^53 - 1, where systems read different values",
        ),
    )


_NO_JSON = (ValueError, TypeError)
_NOT_JSON = Violation(
    pointer="",
    schema_pointer="",
    rule="json",
    value=None,
    message=Text(
        zh="整行不是合法的 JSON 记录", en="the row is not JSON: a value, a key or a text has no place there"
    ),
)
