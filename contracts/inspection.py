"""Look through a contract before it is used, and list all that is wrong with it, not only the first thing.

What passes ``parse_contract`` is then asked of a second engine: ``jsonschema``, which shares no code with the
row engine, must accept the example as well (it does not know ``date-time``, so that format is not asked).
Patterns alone stay with the row engine: in the second one a pattern may take longer than anybody lives.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types
from jsonschema.exceptions import ValidationError  # type: ignore[import-untyped]  # ships no types
from jsonschema.validators import extend  # type: ignore[import-untyped]  # ships no types

from contracts.dialect import Reason, lint
from contracts.errors import HeadwatersError
from contracts.messages import BadMessage
from contracts.schema import Contract, ContractRefused, compile_schema, parse_contract


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> jsonschema_rs.Draft202012Validator:
    return compile_schema({"pattern": pattern})


# The judges of jsonschema take these; Any: a JSON Schema, or a JSON value.
def _judge_pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _pattern(pattern).is_valid(value):
        yield ValidationError("does not fit the pattern")


def _judge_named(judge: Any, patterns: Mapping[str, Any], value: Any, _: Any) -> Iterator[ValidationError]:
    for pattern, schema in patterns.items() if isinstance(value, dict) else ():
        for name in filter(_pattern(pattern).is_valid, value):
            yield from judge.descend(value[name], schema, path=name, schema_path=pattern)


def _judge_others(judge: Any, others: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    patterns = [_pattern(pattern) for pattern in schema.get("patternProperties", {})]
    for name in value if isinstance(value, dict) else ():
        if name not in schema.get("properties", {}) and not any(one.is_valid(name) for one in patterns):
            yield from judge.descend(value[name], others, path=name)


SecondJudge = extend(
    Draft202012Validator,
    {
        "pattern": _judge_pattern,
        "patternProperties": _judge_named,
        "additionalProperties": _judge_others,
    },
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """A contract that may be used, or the reasons against it."""

    contract: Contract | None
    reasons: Sequence[Reason]


def inspect_contract(raw: bytes) -> Inspection:
    """Read an untrusted contract and list every reason against it."""
    try:
        contract = parse_contract(raw)
    except (ContractRefused, BadMessage) as error:
        return Inspection(None, _dialect_reasons(raw) or _reasons(error))
    return Inspection(contract, second_opinion(contract))


def second_opinion(contract: Contract) -> list[Reason]:
    """Ask the second engine about the example; the row engine accepted it when the contract was read."""
    judge = SecondJudge(contract.record, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [
        Reason(
            f"/example{error.json_path.removeprefix('$').replace('.', '/')}",
            "两个校验引擎对示例的结论不同",
            f"the engines differ on the example: jsonschema refuses it by {error.validator}",
        )
        for error in judge.iter_errors(contract.example_row())
    ]


def _dialect_reasons(raw: bytes) -> list[Reason]:
    """Lint the record schema of a document that was refused, as far as it has one."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return []
    record = document.get("record") if isinstance(document, dict) else None
    found = lint(record) if isinstance(record, dict) else []
    return [Reason(f"/record{reason.pointer}", reason.zh, reason.en) for reason in found]


def _reasons(error: HeadwatersError) -> list[Reason]:
    listed = error.facts.get("reasons")
    lines = listed if isinstance(listed, list) and listed else [error.detail]
    return [Reason("", error.title_zh, line) for line in lines]
