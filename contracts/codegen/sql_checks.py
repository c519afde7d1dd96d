"""Rules of a schema as SQL conditions that are true or false, never null, over the columns of one table."""

from collections.abc import Mapping
from typing import Any

from contracts.codegen.sql_dialect import Dialect, Unsaid

Schema = Mapping[str, Any]  # Any: a JSON Schema

TRUE, FALSE = "1 = 1", "1 = 0"
_COMPARED = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
_JOINING = frozenset({"allOf", "anyOf", "oneOf", "not", "if"})
_BRANCHES = {"if": ("if", "then", "else")}
_NUMERIC = frozenset({"number", "integer"})
_NESTED = frozenset({"object", "array"})
_WORDS = frozenset({"title", "description", "$comment", "$schema", "then", "else"})


class Checks:
    """Writes conditions; ``kinds`` are the columns with their types, apart from null."""

    def __init__(self, dialect: Dialect, kinds: Mapping[str, str]) -> None:
        self._dialect = dialect
        self._kinds = kinds

    def column(self, name: str, keyword: str, schema: Schema) -> str | None:
        """Write what one keyword of a column's schema asks, or None if nothing; raise Unsaid.

        A CHECK that is unknown is kept, so null needs no words where it is admitted or the column refuses it.
        """
        kind, column, value = self._kinds[name], self._dialect.name(name), schema[keyword]
        if keyword in {"enum", "const"}:
            options = value if keyword == "enum" else [value]
            among = self._among(column, kind, options)
            return (
                among
                if None in options or "null" not in schema["type"]
                else f"{column} IS NOT NULL AND {among}"
            )
        if keyword in _JOINING:
            return _plain(
                self._fits(
                    name, {key: schema[key] for key in _BRANCHES.get(keyword, (keyword,)) if key in schema}
                )
            )
        return self._clause(column, kind, keyword, value)

    def record(self, schema: Schema | bool) -> str | None:
        """Write what a schema asks of the whole row, or None if nothing; raise Unsaid."""
        return _plain(self._row(schema))

    def _row(self, schema: Schema | bool) -> str:
        if isinstance(schema, bool):
            return TRUE if schema else FALSE
        parts = []
        for keyword, value in schema.items():
            match keyword:
                case "properties":
                    parts += [self._fits(name, part) for name, part in value.items() if name in self._kinds]
                case "required":
                    parts += [FALSE for name in value if name not in self._kinds]
                case "type":
                    parts.append(TRUE if "object" in value else FALSE)
                case "dependentRequired":
                    named = [
                        other for name, others in value.items() if name in self._kinds for other in others
                    ]
                    parts += [FALSE for name in named if name not in self._kinds]
                case "minProperties":
                    parts.append(TRUE if len(self._kinds) >= value else FALSE)
                case "maxProperties":
                    parts.append(TRUE if len(self._kinds) <= value else FALSE)
                case "additionalProperties":
                    known = schema.get("properties", {})
                    if value is False and not self._kinds.keys() <= known.keys():
                        parts.append(FALSE)
                case _ if keyword in _WORDS:
                    continue
                case _:
                    parts.append(self._joined(keyword, value, schema, self._row))
        return _all(parts)

    def _fits(self, name: str, schema: Schema | bool) -> str:
        if isinstance(schema, bool):
            return TRUE if schema else FALSE
        kind, column = self._kinds[name], self._dialect.name(name)
        parts = []
        for keyword, value in schema.items():
            if keyword in _WORDS:
                continue
            if keyword == "type":
                parts.append(self._typed(column, kind, [value] if isinstance(value, str) else value))
            elif keyword in {"enum", "const"}:
                parts.append(self._listed(column, kind, value if keyword == "enum" else [value]))
            elif keyword in _JOINING:
                parts.append(self._joined(keyword, value, schema, lambda part: self._fits(name, part)))
            else:
                clause = self._clause(column, kind, keyword, value)
                parts += [] if clause is None else [f"({column} IS NULL OR {clause})"]
        return _all(parts)

    def _typed(self, column: str, kind: str, kinds: list[str]) -> str:
        held = kind in kinds or (kind == "integer" and "number" in kinds)
        if kind == "number" and not held and "integer" in kinds:
            whole = f"{column} = {self._dialect.floor(column)}"
            return (
                f"({column} IS NULL OR {whole})" if "null" in kinds else f"({column} IS NOT NULL AND {whole})"
            )
        if held:
            return TRUE if "null" in kinds else f"{column} IS NOT NULL"
        return f"{column} IS NULL" if "null" in kinds else FALSE

    def _listed(self, column: str, kind: str, options: list[Any]) -> str:
        among = self._among(column, kind, options)
        if None in options:
            return f"({column} IS NULL OR {among})"
        return f"({column} IS NOT NULL AND {among})"

    def _among(self, column: str, kind: str, options: list[Any]) -> str:
        if kind in _NESTED:
            raise Unsaid("a listed value that is an object or an array")
        values = [self._dialect.literal(value, kind) for value in options]
        known = [value for value in values if value is not None]
        return f"{column} IN ({', '.join(known)})" if known else FALSE

    def _clause(  # noqa: PLR0911 - one return for each rule
        self, column: str, kind: str, keyword: str, value: Any
    ) -> str | None:
        """Write a rule about a value that is not null; None where it says nothing of this kind."""
        if kind in _NUMERIC and keyword in _COMPARED:
            return f"{column} {_COMPARED[keyword]} {value}"
        if kind == "integer" and keyword == "multipleOf":
            return f"{column} % {value} = 0"
        if kind == "string":
            match keyword:
                case "minLength":
                    return f"{self._dialect.length(column)} >= {value}"
                case "maxLength":
                    return f"{self._dialect.length(column)} <= {value}"
                case "pattern":
                    return self._dialect.matches(column, value)
                case "format":
                    return self._dialect.formatted(column, value)
        if kind in _NESTED:
            raise Unsaid("a rule inside a nested value")
        return None

    def _joined(
        self, keyword: str, value: Any, schema: Schema, write: Any
    ) -> str:  # Any: a writer of one part
        match keyword:
            case "allOf":
                return _all([write(part) for part in value])
            case "anyOf":
                return "(" + " OR ".join(write(part) for part in value) + ")"
            case "oneOf":
                cases = " + ".join(f"CASE WHEN {write(part)} THEN 1 ELSE 0 END" for part in value)
                return f"({cases}) = 1"
            case "not":
                return f"NOT ({write(value)})"
            case "if":
                then, other = write(schema.get("then", True)), write(schema.get("else", True))
                return f"CASE WHEN {write(value)} THEN {then} ELSE {other} END"
            case _:
                raise Unsaid(f"the keyword {keyword}")


def _all(parts: list[str]) -> str:
    asked = [part for part in parts if part != TRUE]
    if FALSE in asked:
        return FALSE
    return TRUE if not asked else asked[0] if len(asked) == 1 else "(" + " AND ".join(asked) + ")"


def _plain(condition: str) -> str | None:
    return None if condition == TRUE else condition
