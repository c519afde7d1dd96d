"""A contract as an SQL table with checks, for PostgreSQL or SQLite: a row that breaks a rule is not taken.

A column is never absent, so NULL stands for a field that is null. Texts stay texts, times among them, as they
do in a release. What SQL cannot say (rules inside nested values, columns that only a pattern names) is listed
at the top of the script, and is never half said. Every name is quoted, and every value is a literal.
"""

from collections.abc import Mapping
from typing import Any

from contracts.bilingual import join
from contracts.codegen.sql_checks import Checks
from contracts.codegen.sql_dialect import Dialect, PostgreSQL, SQLite, Unsaid
from contracts.errors import Invalid
from contracts.schema import Contract, RecordField

DIALECTS: dict[str, Dialect] = {"sql": PostgreSQL(), "sqlite": SQLite()}
_SCALAR_KEYWORDS = frozenset({"type", "title", "description", "$comment"})


class NoTable(Invalid):
    """A database cannot name a column of this contract as it is."""

    code = "no-sql-table"
    title_zh = "该契约的字段名过长,无法建表"
    next_zh = "缩短字段名(至多 63 字节),或导出为其他形式。"
    next_en = "Give fields names of at most 63 bytes, or export another form."


def ddl(contract: Contract, dialect: Dialect) -> str:
    """Write the script that makes the table ``id_with_underscores`` and its index; raise NoTable."""
    try:
        return _Table(contract, dialect).script()
    except Unsaid as unsaid:
        raise NoTable(f"{contract.id}: {unsaid}") from unsaid


class _Table:
    def __init__(self, contract: Contract, dialect: Dialect) -> None:
        self._contract = contract
        self._dialect = dialect
        self._name = dialect.name(contract.id.replace("-", "_"))
        self._unsaid: list[str] = []
        properties = contract.record.get("properties", {})
        self._properties: dict[str, Any] = properties if isinstance(properties, dict) else {}
        kinds = {name: contract.kind(name) or "string" for name in self._properties}
        self._checks = Checks(dialect, kinds)

    def script(self) -> str:
        """Write header, table, index and comments."""
        fields = [field for field in self._contract.fields if field.name in self._properties]
        parts = [part for field in fields for part in self._column(field)]
        parts += self._conditions()
        for pattern in self._contract.record.get("patternProperties", {}):  # type: ignore[union-attr]  # a schema
            self._unsaid.append(f"fields named by the pattern {pattern} have no column")
        body = ",\n".join(f"    {part}" for part in parts)
        table = f"CREATE TABLE {self._name} (\n{body}\n){self._dialect.table_option};\n"
        return "\n".join([*self._head(), table, *self._index(), *self._dialect.comments(self._name, fields)])

    def _head(self) -> list[str]:
        contract = self._contract
        lines = [f"{contract.id} {contract.version}: {join(contract.title)}", contract.digest]
        if self._unsaid:
            lines.append("Not said here, and judged by headwaters contract check:")
            lines += [f"  {line}" for line in self._unsaid]
        return [f"-- {self._dialect.comment(line)}" for line in lines]

    def _column(self, field: RecordField) -> list[str]:
        """Write a column and what holds of it alone."""
        kind = self._contract.kind(field.name) or "string"
        column = self._dialect.name(field.name)
        schema = self._properties[field.name]
        checks = [*self._dialect.type_checks(column, kind, schema), *self._said(field.name, schema)]
        clauses = "".join(f"\n        CHECK ({check})" for check in checks)
        nullable = "null" in schema["type"] if isinstance(schema["type"], list) else False
        return [f"{column} {self._dialect.types[kind]}{'' if nullable else ' NOT NULL'}{clauses}"]

    def _said(self, name: str, schema: Mapping[str, Any]) -> list[str]:
        """Write the checks of one keyword each, so that the database names the one that fails."""
        made = []
        for keyword in schema:
            if keyword in _SCALAR_KEYWORDS or keyword in {"then", "else"}:
                continue
            try:
                check = self._checks.column(name, keyword, schema)
            except Unsaid as unsaid:
                self._unsaid.append(f"/properties/{name}/{keyword}: {unsaid}")
                continue
            if check is not None:
                made.append(check)
        return made

    def _conditions(self) -> list[str]:
        record = self._contract.record
        parts: list[tuple[str, Any]] = [
            (f"/allOf/{n}", part) for n, part in enumerate(_listed(record, "allOf"))
        ]
        if "if" in record:
            parts.append(("/if", {key: record[key] for key in ("if", "then", "else") if key in record}))
        parts += [(f"/{key}", {key: record[key]}) for key in ("anyOf", "oneOf", "not") if key in record]
        made = []
        for place, part in parts:
            try:
                check = self._checks.record(part)
            except Unsaid as unsaid:
                self._unsaid.append(f"{place}: {unsaid}")
                continue
            if check is not None:
                made.append(f"CHECK ({check})")
        return made

    def _index(self) -> list[str]:
        """Index the key without demanding it: a row that repeats a key is a finding, and stays."""
        columns = [self._dialect.name(name) for name in self._contract.key if name in self._properties]
        if not columns:
            return []
        name = self._dialect.name(f"{self._contract.id.replace('-', '_')[:59]}_key")
        return [f"CREATE INDEX {name} ON {self._name} ({', '.join(columns)});"]


def _listed(record: Mapping[str, Any], keyword: str) -> list[Any]:
    value = record.get(keyword, [])
    return value if isinstance(value, list) else []
