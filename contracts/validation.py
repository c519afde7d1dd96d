"""Judge rows against a contract, and say for each bad row what is wrong, where, and with which value.

The verdict is that of ``jsonschema-rs`` (Draft 2020-12, formats on, linear-time patterns): ``is_valid`` for
every row, and its full error list for the bad ones only. A row that is no JSON at all (NaN, a lone surrogate,
bytes) is a bad row, never an exception. Nothing here reads a file.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import orjson
import rfc8785

from contracts.dialect import pointer_token
from contracts.messages import Text
from contracts.reasons import explain
from contracts.schema import Contract, compile_schema

MAX_VALUE_CHARS = 200
MAX_VIOLATIONS = 500

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

    def is_valid(self, row: Row) -> bool:
        """Give the bare verdict."""
        try:
            return self._judge.is_valid(row) and _is_json(row)
        except ValueError:  # the engine met bytes, a lone surrogate or a key that is no text
            return False

    def violations(self, row: Row) -> tuple[Violation, ...]:
        """List what is wrong with a row; an empty tuple accepts it."""
        try:
            found = [
                violation
                for error in self._judge.iter_errors(row)
                for violation in _violations(self.contract, row, error)
            ]
        except ValueError:
            return (_NOT_JSON,)
        return tuple(found[:MAX_VIOLATIONS]) if found or _is_json(row) else (_NOT_JSON,)

    def judge(self, row_number: int, row: Row) -> Rejected | None:
        """Give None for a good row, or the reasons against it."""
        if self.is_valid(row):
            return None
        return Rejected(row_number, self.violations(row))


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


_NOT_JSON = Violation(
    pointer="",
    schema_pointer="",
    rule="json",
    value=None,
    message=Text(
        zh="整行不是合法的 JSON 记录", en="the row is not JSON: a value, a key or a text has no place there"
    ),
)
