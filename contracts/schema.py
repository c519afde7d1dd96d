"""A contract: the shape of a record, the meaning of its fields, and the editions of the codes it uses.

A contract names its record schema (JSON Schema 2020-12 in the dialect of ``contracts.dialect``), and for each
field, in column order, its title, unit and classification. It comes from another province, so
``parse_contract`` treats it as untrusted and refuses with every reason it finds.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import jsonschema_rs
import orjson
from jsonschema import Draft202012Validator as MetaJudge  # type: ignore[import-untyped]  # ships no types
from jsonschema.exceptions import SchemaError  # type: ignore[import-untyped]  # ships no types
from pydantic import Field, JsonValue

from contracts.dialect import Reason, lint
from contracts.errors import Invalid
from contracts.messages import (
    BadMessage,
    ContractId,
    ContractRef,
    DatasetId,
    Long,
    Sharing,
    Short,
    Text,
    Version,
    Wire,
)
from contracts.promises import (
    MAX_CODE_LISTS,
    MAX_RULES,
    CodeEdition,
    Compatibility,
    FieldName,
    QualityRule,
    Series,
    ServiceLevels,
    fields_of,
)

MAX_CONTRACT_BYTES = 256 * 1024
MAX_CONTRACT_DEPTH = 24
REGEX_BYTES = 1 << 20

Kind = Literal["string", "number", "integer", "boolean", "object", "array"]
Classification = Annotated[int, Field(ge=1, le=4, description="1 public … 4 core")]


class ContractRefused(Invalid):
    """The contract is refused."""

    code = "contract-refused"
    title_zh = "数据契约被拒绝"
    next_zh = "按 reasons 逐条修改契约后重新提交。"
    next_en = "Change what each reason names, then submit the contract again."


class Prose(Wire):
    """A paragraph in Chinese and in English."""

    zh: Long
    en: Long


class RecordField(Wire):
    """One field, in column order; ``unit`` is null for text and pure numbers."""

    name: FieldName
    title: Text
    unit: Short | None
    classification: Classification
    note: Text | None = None


class Contract(Wire):
    """What a dataset's records look like and mean; immutable under id and version."""

    later: ClassVar[tuple[str, ...]] = (
        "key",
        "series",
        "codes",
        "service",
        "quality",
        "sharing",
        "purposes",
        "compatibility",
    )

    contract: Literal[1]
    id: ContractId
    version: Version
    title: Text
    description: Prose
    theme: Short
    classification: Classification
    update_frequency: Short
    editions: list[Short]
    fields: Annotated[list[RecordField], Field(min_length=1, max_length=400)]
    record: dict[str, JsonValue]
    example: Annotated[Long, Field(description="one valid record as JSON text")]
    key: Annotated[list[FieldName], Field(max_length=16, description="what tells a record from others")] = (
        Field(default=[])
    )
    series: Series | None = None
    codes: Annotated[list[CodeEdition], Field(max_length=MAX_CODE_LISTS)] = Field(default=[])
    service: ServiceLevels | None = None
    quality: Annotated[list[QualityRule], Field(max_length=MAX_RULES)] = Field(default=[])
    sharing: Annotated[Sharing | None, Field(description="null: each dataset says it for itself")] = None
    purposes: Annotated[list[DatasetId], Field(max_length=100, description="empty: any purpose")] = Field(
        default=[]
    )
    compatibility: Compatibility = Compatibility.BACKWARD

    @cached_property
    def digest(self) -> str:
        """Name the contract by the digest of its canonical bytes."""
        return self.content_digest()

    def ref(self) -> ContractRef:
        """Name the contract as messages do."""
        return ContractRef(id=self.id, version=self.version, digest=self.digest)

    def example_row(self) -> dict[str, Any]:  # Any: a record holds whatever its schema admits
        """Read the example record."""
        row: dict[str, Any] = orjson.loads(self.example)
        return row

    def field_schema(self, name: str) -> Mapping[str, Any] | None:  # Any: a JSON Schema
        """Give the schema of a column: a named field, or the pattern that admits it; None for a stranger."""
        schema: Mapping[str, Any] | None = self._part("properties").get(name)
        for pattern, judge in self._patterns.items():
            if schema is None and judge.is_valid(name):
                schema = self._part("patternProperties")[pattern]
        return schema

    def kind(self, name: str) -> Kind | None:
        """Give the one type of a column apart from null; None for a stranger."""
        schema = self.field_schema(name)
        if schema is None:
            return None
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        kind: Kind = next(kind for kind in kinds if kind != "null")
        return kind

    def columns(self, present: Iterable[str] = ()) -> list[str]:
        """Give the columns in contract order: named fields, and ``present`` ones that a pattern admits."""
        names = sorted(set(present) - self._part("properties").keys())
        ordered: list[str] = []
        for field in self.fields:
            judge = self._patterns.get(field.name)
            if judge is None:
                ordered.append(field.name)
            else:
                ordered += [name for name in names if judge.is_valid(name) and name not in ordered]
        return ordered

    def declared(self) -> list[str]:
        """List the names and patterns that the record schema declares."""
        return [*self._part("properties"), *self._part("patternProperties")]

    def note_of(self, name: str) -> RecordField | None:
        """Find what the contract says of a column."""
        return next(iter(self.fields_of(name)), None)

    def fields_of(self, name: str) -> list[RecordField]:
        """List every field that admits a column: the one of its name, and patterns."""
        return [
            field
            for field in self.fields
            if field.name == name
            or ((judge := self._patterns.get(field.name)) is not None and judge.is_valid(name))
        ]

    @cached_property
    def _patterns(self) -> dict[str, jsonschema_rs.Draft202012Validator]:
        return {
            pattern: compile_schema({"type": "string", "pattern": pattern})
            for pattern in self._part("patternProperties")
        }

    def _part(self, keyword: str) -> dict[str, Any]:  # Any: a JSON Schema
        part = self.record.get(keyword, {})
        return part if isinstance(part, dict) else {}


def compile_schema(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:  # Any: a JSON Schema
    """Compile with formats on, no network and linear-time patterns; raise ContractRefused."""
    try:
        return jsonschema_rs.Draft202012Validator(
            dict(schema),
            validate_formats=True,
            ignore_unknown_formats=False,
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=REGEX_BYTES, dfa_size_limit=REGEX_BYTES),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        text = getattr(error, "message", "it does not compile")
        raise ContractRefused(f"the row engine refuses the schema: {text[:200]}") from error


def parse_contract(raw: bytes) -> Contract:
    """Read an untrusted contract; raise ContractRefused with all reasons, or BadMessage."""
    _check_text(raw)
    contract = Contract.parse(raw)
    reasons = [str(reason) for reason in lint(contract.record) or _field_faults(contract)]
    if reasons:
        raise ContractRefused(f"{contract.id}: {reasons[0]}", reasons=reasons[:50])
    _check_meta_schema(contract.record)
    judge = compile_schema(contract.record)
    _check_example(contract, judge)
    contract.canonical()
    return contract


def contract_text(contract: Contract) -> bytes:
    """Write a contract as the file that a person edits: in the order of its words, Chinese as it is."""
    told = orjson.loads(contract.canonical())
    whole: dict[str, Any] = contract.model_dump(mode="json")
    ordered = {name: whole[name] for name in type(contract).model_fields if name in told}
    return orjson.dumps(ordered, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _check_text(raw: bytes) -> None:
    if len(raw) > MAX_CONTRACT_BYTES:
        raise ContractRefused(f"a contract has at most {MAX_CONTRACT_BYTES} bytes")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadMessage(f"the contract is not JSON: {error.msg}") from error
    if _depth(value) > MAX_CONTRACT_DEPTH:
        raise ContractRefused(f"the contract is nested deeper than {MAX_CONTRACT_DEPTH}")
    json.loads(raw, object_pairs_hook=_unique)


def _depth(value: object) -> int:
    """Measure nesting with a stack, as the text may be hostile."""
    deepest = 0
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(item, dict):
            waiting += [(child, depth + 1) for child in item.values()]
        elif isinstance(item, list):
            waiting += [(child, depth + 1) for child in item]
    return deepest


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ContractRefused("a key stands twice in one object of the contract")
    return dict(pairs)


def _field_faults(contract: Contract) -> list[Reason]:
    declared = contract.declared()
    described = [field.name for field in contract.fields]
    faults = [
        Reason(
            f"/fields/{name}", "字段说明与模式不一致", "stands once in fields and once in the record schema"
        )
        for name in sorted({*declared, *described})
        if declared.count(name) != 1 or described.count(name) != 1
    ]
    faults += [
        Reason(f"/fields/{field.name}", "字段分级高于数据集", "a field's class is above the dataset's")
        for field in contract.fields
        if field.classification > contract.classification
    ]
    return faults + _promise_faults(contract)


def _promise_faults(contract: Contract) -> list[Reason]:
    """List what the promises say of fields that the record does not have, and what they say twice."""
    series = contract.series
    named = [("/key", name) for name in contract.key]
    named += [("/series", name) for name in ([series.time, *series.by] if series else [])]
    named += [(f"/codes/{code.list_id}", name) for code in contract.codes for name in code.fields]
    named += [(f"/quality/{rule.id}", name) for rule in contract.quality for name in fields_of(rule)]
    faults = [
        Reason(place, "所列字段不在契约内", f"the contract has no field {name[:60]!r}")
        for place, name in named
        if contract.field_schema(name) is None
    ]
    ids = [rule.id for rule in contract.quality]
    faults += [
        Reason(f"/quality/{name}", "规则编号重复", "two rules have this id")
        for name in sorted({name for name in ids if ids.count(name) > 1})
    ]
    lists = [code.list_id for code in contract.codes]
    if len(set(lists)) != len(lists):
        faults.append(Reason("/codes", "代码表重复", "a code list stands twice"))
    return faults


def _check_meta_schema(record: Mapping[str, object]) -> None:
    try:
        MetaJudge.check_schema(dict(record))
    except SchemaError as error:
        place = "/" + "/".join(map(str, error.absolute_path))
        raise ContractRefused(f"the meta-schema refuses {place}: {error.validator}") from error


def _check_example(contract: Contract, judge: jsonschema_rs.Draft202012Validator) -> None:
    try:
        row = contract.example_row()
        valid = judge.is_valid(row)
    except ValueError as error:
        raise ContractRefused("the example is not a JSON record") from error
    if not valid:
        first = next(iter(judge.iter_errors(row)))
        place = "/" + "/".join(map(str, first.instance_path))
        raise ContractRefused(f"the example breaks its own contract at {place}: {first.kind.name}")
