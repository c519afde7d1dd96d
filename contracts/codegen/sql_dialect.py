"""What PostgreSQL and SQLite say differently: types, text comparison, and the matching of patterns.

PostgreSQL has regular expressions that read ours alike (section 9.7.3, ARE) up to 255 repeats. SQLite has
GLOB, so a pattern is written out as alternatives of classes with at most one run of open length each.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from contracts.bilingual import join
from contracts.pattern_tree import Piece, Run, Tree, lines, parse
from contracts.schema import RecordField

MAX_NAME_BYTES = 63
_PG_REPEATS = 255
_MAX_LINES = 200
_GREATEST = "1.7976931348623157e308"
_DATE = (
    "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])"
    "|(?:[02468][048]|[13579][26])00)-02-29)"
)
_ZONE = "(?:[Zz]|[+\\-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
# leap seconds as UTC and as Beijing time write them; other offsets are as good as unheard of
_TIME = (
    f"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?{_ZONE}"
    "|23:59:60(?:\\.[0-9]+)?[Zz]|07:59:60(?:\\.[0-9]+)?\\+08:00)"
)
_FORMATS = {
    "date": f"^{_DATE}$",
    "date-time": f"^{_DATE}[Tt]{_TIME}$",
    "uuid": "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
}


class Unsaid(Exception):
    """A rule cannot be said in SQL."""


class Dialect(ABC):
    """One kind of database; names, literals and comments are written alike by all."""

    types: Mapping[str, str]
    table_option: str

    @abstractmethod
    def length(self, column: str) -> str:
        """Count characters."""

    @abstractmethod
    def floor(self, column: str) -> str:
        """Cut a number down to a whole one."""

    @abstractmethod
    def matches(self, column: str, pattern: str) -> str:
        """Match a pattern of the dialect of contracts; raise Unsaid."""

    @abstractmethod
    def type_checks(self, column: str, kind: str, schema: Mapping[str, Any]) -> list[str]:
        """Write what the column type alone does not hold."""

    @abstractmethod
    def comments(self, table: str, fields: Iterable[RecordField]) -> list[str]:
        """Write what each column means."""

    def name(self, text: str) -> str:
        """Quote a name; raise Unsaid for one that is too long to stay itself."""
        if len(text.encode()) > MAX_NAME_BYTES or "\0" in text:
            raise Unsaid(f"the name {text[:40]!r} is longer than {MAX_NAME_BYTES} bytes")
        return '"' + text.replace('"', '""') + '"'

    def comment(self, text: str) -> str:
        """Keep a text on its line."""
        return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())

    def literal(self, value: object, kind: str) -> str | None:
        """Write a value that a column of this kind can hold; None for any other."""
        match value:
            case bool():
                return self._truth(value) if kind == "boolean" else None
            case int() | float():
                return repr(value) if kind in {"number", "integer"} else None
            case str() if kind == "string" and "\0" not in value:
                return _text(value)
            case _:
                return None

    def _truth(self, value: bool) -> str:
        return "TRUE" if value else "FALSE"

    def formatted(self, column: str, wanted: str) -> str:
        """Ask for a format by the pattern that it is; raise Unsaid for one that has none."""
        if wanted not in _FORMATS:
            raise Unsaid(f"the format {wanted}")
        return self.matches(column, _FORMATS[wanted])

    def _finite(self, column: str, kind: str, schema: Mapping[str, Any]) -> list[str]:
        if kind != "number":
            return []
        bounds = []
        if not {"maximum", "exclusiveMaximum"} & schema.keys():
            bounds.append(f"{column} <= {_GREATEST}")
        if not {"minimum", "exclusiveMinimum"} & schema.keys():
            bounds.append(f"{column} >= -{_GREATEST}")
        return [f"{column} IS NULL OR ({' AND '.join(bounds)})"] if bounds else []


class PostgreSQL(Dialect):
    """PostgreSQL 14 and later."""

    types: Mapping[str, str] = {
        "string": "text", "number": "double precision", "integer": "bigint", "boolean": "boolean",
        "object": "jsonb", "array": "jsonb",
    }  # fmt: skip
    table_option = ""

    def length(self, column: str) -> str:
        """Count characters."""
        return f"char_length({column})"

    def floor(self, column: str) -> str:
        """Cut a number down to a whole one."""
        return f"floor({column})"

    def matches(self, column: str, pattern: str) -> str:
        """Match with the regular expressions of PostgreSQL, letter by letter."""
        if _widest(parse(pattern)) > _PG_REPEATS:
            raise Unsaid(f"the pattern repeats more than {_PG_REPEATS} times")
        return f'{column} COLLATE "C" ~ {_text(pattern)}'

    def type_checks(self, column: str, kind: str, schema: Mapping[str, Any]) -> list[str]:
        """Ask for finite numbers, and for the right kind of JSON."""
        if kind in {"object", "array"}:
            return [f"{column} IS NULL OR jsonb_typeof({column}) = '{kind}'"]
        return self._finite(column, kind, schema)

    def comments(self, table: str, fields: Iterable[RecordField]) -> list[str]:
        """Comment on every column."""
        return [
            f"COMMENT ON COLUMN {table}.{self.name(field.name)} IS {_text(self.comment(_meaning(field)))};"
            for field in fields
        ] + [""]


class SQLite(Dialect):
    """SQLite 3.37 and later: strict tables."""

    types: Mapping[str, str] = {
        "string": "TEXT", "number": "REAL", "integer": "INTEGER", "boolean": "INTEGER",
        "object": "TEXT", "array": "TEXT",
    }  # fmt: skip
    table_option = " STRICT"

    def length(self, column: str) -> str:
        """Count characters."""
        return f"length({column})"

    def floor(self, column: str) -> str:
        """Cut a number down to a whole one; beyond 2^53 every number is whole."""
        return f"CASE WHEN abs({column}) < 9007199254740992 THEN CAST({column} AS INTEGER) ELSE {column} END"

    def _truth(self, value: bool) -> str:
        return "1" if value else "0"

    def matches(self, column: str, pattern: str) -> str:
        """Match with GLOB and lengths."""
        written = lines(parse(pattern), _MAX_LINES)
        if written is None:
            raise Unsaid("the pattern has too many alternatives for GLOB")
        return "(" + "\n            OR ".join(_line(column, runs) for runs in written) + ")"

    def formatted(self, column: str, wanted: str) -> str:
        """Ask for a format by its pattern; a moment is matched in two halves, as GLOB has no alternatives."""
        if wanted != "date-time":
            return super().formatted(column, wanted)
        day = self.matches(f"substr({column}, 1, 10)", _FORMATS["date"])
        return f"({day} AND {self.matches(f'substr({column}, 11)', f'^[Tt]{_TIME}$')})"

    def type_checks(self, column: str, kind: str, schema: Mapping[str, Any]) -> list[str]:
        """Ask for finite numbers, for truth values, and for the right kind of JSON."""
        if kind == "boolean":
            return [f"{column} IN (0, 1)"]
        if kind in {"object", "array"}:
            return [f"{column} IS NULL OR (json_valid({column}) AND json_type({column}) = '{kind}')"]
        return self._finite(column, kind, schema)

    def comments(self, table: str, fields: Iterable[RecordField]) -> list[str]:
        """List every column in comment lines."""
        return [
            f"-- {table}.{self.comment(field.name)}: {self.comment(_meaning(field))}" for field in fields
        ] + [""]


def _meaning(field: RecordField) -> str:
    unit = f" [{field.unit}]" if field.unit is not None else ""
    return join(field.title) + unit


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _widest(tree: Tree) -> int:
    pieces: list[Piece] = [piece for option in tree for piece in option]
    return max((max(piece.low, piece.high or 0, _widest(piece.options)) for piece in pieces), default=0)


def _line(column: str, runs: Sequence[Run]) -> str:
    """Match one sequence: fixed signs before and after at most one run of open length."""
    loose = [place for place, run in enumerate(runs) if run.low != run.high]
    if not loose:
        return f"{column} GLOB {_text(_glob(runs))}"
    if len(loose) > 1:
        raise Unsaid("the pattern has several runs of open length")
    run, before, after = runs[loose[0]], runs[: loose[0]], runs[loose[0] + 1 :]
    ahead, behind = _width(before), _width(after)
    parts = [f"length({column}) >= {ahead + run.low + behind}"]
    if run.high is not None:
        parts.append(f"length({column}) <= {ahead + run.high + behind}")
    if before:
        parts.append(f"substr({column}, 1, {ahead}) GLOB {_text(_glob(before))}")
    if after:
        parts.append(f"substr({column}, -{behind}) GLOB {_text(_glob(after))}")
    middle = f"substr({column}, {ahead + 1}, length({column}) - {ahead + behind})"
    parts.append(f"{middle} NOT GLOB {_text('*' + _class(run.chars, negated=True) + '*')}")
    return "(" + " AND ".join(parts) + ")"


def _width(runs: Sequence[Run]) -> int:
    return sum(run.low for run in runs)


def _glob(runs: Sequence[Run]) -> str:
    return "".join(_class(run.chars) * run.low for run in runs)


def _class(chars: str, *, negated: bool = False) -> str:
    """Write a class for GLOB, where ``]`` stands first, ``-`` last and ``^`` never first."""
    signs = sorted(set(chars))
    if len(signs) == 1 and not negated and signs[0] not in "*?[":
        return signs[0]
    special = [sign for sign in ("]", "^", "-") if sign in signs]
    plain = _ranges([sign for sign in signs if sign not in "]^-"])
    head = "]" if "]" in special else ""
    if "^" in special and not head and not plain and not negated:
        return "[-^]" if "-" in special else "^"
    return (
        "["
        + ("^" if negated else "")
        + head
        + plain
        + ("^" if "^" in special else "")
        + ("-" if "-" in special else "")
        + "]"
    )


def _ranges(signs: Sequence[str]) -> str:
    made, at = "", 0
    while at < len(signs):
        end = at
        while end + 1 < len(signs) and ord(signs[end + 1]) == ord(signs[end]) + 1:
            end += 1
        made += f"{signs[at]}-{signs[end]}" if end - at > 1 else "".join(signs[at : end + 1])
        at = end + 1
    return made
