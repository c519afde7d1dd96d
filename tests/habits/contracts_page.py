"""Write docs/reference/contracts.md from the shipped contracts, the units and the code lists.

Run ``python -m tests.habits.contracts_page``; a test holds the page to it.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from contracts import codes, library
from contracts.promises import (
    DIMENSIONS,
    CompleteSeries,
    Copied,
    Jump,
    Missing,
    Ordered,
    Plausible,
    QualityRule,
    Sentinel,
    ServiceLevels,
    Stuck,
    Timely,
    fields_of,
)
from contracts.schema import Contract
from contracts.units import UNITS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "contracts.md"

_HEAD = """\
# 契约库、计量单位与代码表 Shipped contracts, units and code lists

Every contract that ships with Headwaters: fields, units, classes, codes and quality rules. A contract is
named by its id wherever a file is accepted; `headwaters contract library` lists them,
`headwaters contract export ID --format json-schema` writes one. Classes 分级: 1 public … 4 core. A dataset
may be shared more strictly than its contract says, never more widely. A quality rule finds and removes no
row: only a wrong type, form or range is quarantined. This page is written from the code:
`.venv/bin/python -m tests.habits.contracts_page`.
"""
_UNITS = """
## Units 计量单位

The symbols that a contract may use. Units of one row convert into one another, exactly; any other pair is
refused. A remark may follow in brackets, as in `m/s (as published)`.
"""
_LISTS = """
## Code lists 代码表

The lists that a contract may name under `codes`, each in the editions that are held. Where a list has a
stem, only the first characters of a code are looked up. `known-code` rules that name another list or
edition are reported as not judged.
"""
_SENTENCES = {
    "number": "数 number",
    "integer": "整数 whole number",
    "string": "文本 text",
    "boolean": "是否 true, false",
    "array": "列表 list",
    "object": "对象 object",
}


def page() -> str:
    """Write the page."""
    contracts = library.shipped_contracts()
    overview = _table(("id", "version", "title 名称", "theme 主题", "sharing 共享"), map(_line, contracts))
    parts = [_HEAD, "\n## Contracts 契约\n", overview]
    for contract in contracts:
        parts += _contract(contract)
    units = _table(("quantity 量", "units 单位"), _units())
    lists = _table(
        ("list 代码表", "edition 版本", "title 名称", "codes 条数", "stem", "source 来源"), _lists()
    )
    return "".join([*parts, _UNITS, units, _LISTS, lists])


def _line(contract: Contract) -> tuple[str, ...]:
    sharing = contract.sharing.value if contract.sharing else ""
    link = f"[`{contract.id}`](#{contract.id})"
    return link, contract.version, f"{contract.title.zh} {contract.title.en}", contract.theme, sharing


def _contract(contract: Contract) -> Iterator[str]:
    yield f"\n### {contract.id}\n\n{contract.description.zh} {contract.description.en}\n\n"
    yield from (f"- {words}\n" for words in _promises(contract))
    yield from (f"- 条件 condition: {words}\n" for words in _conditions(contract))
    yield _table(("field 字段", "title 名称", "form 形式", "unit 单位", "class"), _fields(contract))
    yield _table(("rule 规则", "kind 类别", "dimension", "severity", "what it finds 发现"), _rules(contract))


def _promises(contract: Contract) -> Iterator[str]:
    yield f"更新 update: {contract.update_frequency}"
    yield "标准 standards: " + "; ".join(contract.editions)
    if contract.key:
        yield "主键 key: " + ", ".join(f"`{name}`" for name in contract.key)
    if contract.series is not None:
        by = ", ".join(f"`{name}`" for name in contract.series.by) or "one series"
        step = contract.series.step_seconds
        yield f"序列 series: `{contract.series.time}` by {by}" + (f", every {_span(step)}" if step else "")
    if contract.codes:
        named = (
            f"`{one.list_id}` {one.edition} ({', '.join(f'`{field}`' for field in one.fields)})"
            for one in contract.codes
        )
        yield "代码 codes: " + "; ".join(named)
    if contract.service is not None:
        yield "服务水平 service levels: " + "; ".join(_service(contract.service))
    if contract.purposes:
        yield "用途 purposes: " + ", ".join(f"`{one}`" for one in contract.purposes)


def _conditions(contract: Contract) -> Iterator[str]:
    rules: Any = contract.record.get("allOf", [])  # Any: a list of JSON Schemas
    for rule in rules:
        yield f"if {_says(rule['if'])}, then {_says(rule['then'])}" + (
            f", else {_says(rule['else'])}" if "else" in rule else ""
        )


def _says(schema: Any) -> str:  # Any: a JSON Schema
    told = []
    for name, part in schema["properties"].items():
        if "const" in part:
            told.append(f"`{name}` is `{orjson.dumps(part['const']).decode().strip(chr(34))}`")
        elif part.get("type") == "null":
            told.append(f"`{name}` is null")
        else:
            told.append(f"`{name}` is {_form({'type': 'string'} | part)}")
    return " and ".join(told)


def _service(service: ServiceLevels) -> Iterator[str]:
    if service.frequency_seconds is not None:
        yield f"a release every {_span(service.frequency_seconds)}"
    if service.latency_seconds is not None:
        yield f"out within {_span(service.latency_seconds)} of its period"
    if service.completeness_percent is not None:
        yield f"{service.completeness_percent} % complete"
    if service.retention_days is not None:
        yield f"kept for {service.retention_days} days"
    if service.quarantine_days is not None:
        yield f"a rejected row may wait for {service.quarantine_days} days"


def _fields(contract: Contract) -> Iterator[tuple[str, ...]]:
    required = contract.record["required"]
    for field in contract.fields:
        schema = contract.record.get("patternProperties", {})
        shape = contract.field_schema(field.name) or _pattern(schema, field.name)
        form = _form(shape)
        form += "" if isinstance(required, list) and field.name in required else "; may be left out"
        note = f" ({field.note.zh} {field.note.en})" if field.note else ""
        words = f"{field.title.zh} {field.title.en}{note}"
        yield f"`{field.name}`", words, form, field.unit or "", str(field.classification)


def _pattern(schemas: Any, name: str) -> Any:  # Any: a JSON Schema
    return schemas[name]


def _form(schema: Any) -> str:  # Any: a JSON Schema
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kind = next(one for one in kinds if one != "null")
    text = _SENTENCES[kind]
    if "enum" in schema:
        text = ", ".join(f"`{one}`" for one in schema["enum"] if one is not None)
    elif schema.get("format") == "date":
        text = "日期 date"
    elif schema.get("format") == "date-time":
        text = "时刻 moment with its zone"
    elif "T(?:[01][0-9]" in schema.get("pattern", ""):
        text = "当地时间 local time"
    elif "pattern" in schema:
        text = f"`{schema['pattern']}`"
    elif kind in {"number", "integer"}:
        low = schema.get("minimum", f"above {schema.get('exclusiveMinimum')}")
        text += f", {low} … {schema['maximum']}" if "maximum" in schema else ""
    return text + ("; null" if "null" in kinds else "")


def _rules(contract: Contract) -> Iterator[tuple[str, ...]]:
    for rule in contract.quality:
        severity = rule.severity.value + (", event 事件" if rule.event else "")
        words = f"{rule.title.zh} {rule.title.en}" + _limits(rule)
        yield f"`{rule.id}`", rule.kind, DIMENSIONS[rule.kind].value, severity, words


def _limits(rule: QualityRule) -> str:
    named = ", ".join(f"`{name}`" for name in fields_of(rule))
    match rule:
        case CompleteSeries():
            limits = f"{rule.minimum_percent} % of a {rule.per}"
        case Timely():
            limits = f"within {_span(rule.within_seconds)}"
        case Stuck() | Copied():
            limits = f"{rule.records} records"
        case Sentinel():
            limits = ", ".join(rule.values)
        case Ordered():
            named, limits = f"`{rule.lesser}` ≤ `{rule.greater}`", f"tolerance {rule.tolerance}"
        case Plausible():
            limits = f"{rule.minimum or ''} … {rule.maximum or ''}".strip()
        case Jump():
            within = f" within {_span(rule.within_seconds)}" if rule.within_seconds else ""
            limits = f"more than {rule.more_than}{within}"
        case Missing():
            limits = f"more than {rule.maximum_percent} %"
        case _:
            limits = ""
    told = "; ".join(part for part in (named, limits) if part)
    return f" ({told})" if told else ""


def _span(seconds: int) -> str:
    for size, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds % size == 0:
            count = seconds // size
            return f"{count} {name}" if count > 1 else f"1 {name.removesuffix('s')}"
    return f"{seconds} seconds"


def _units() -> Iterator[tuple[str, str]]:
    for quantity, units in groupby(UNITS.values(), key=lambda one: one.quantity):
        yield quantity, ", ".join(f"`{one.symbol}` {one.zh}" for one in units)


def _lists() -> Iterator[tuple[str, ...]]:
    for list_id, edition in codes.lists():
        held = codes.code_list(list_id, edition)
        title = f"{held.title_zh} {held.title_en}"
        note = f" ({held.note_zh} {held.note_en})" if held.note_zh else ""
        stem = "" if held.stem is None else str(held.stem)
        yield f"`{list_id}`", edition, title + note, str(len(held.codes)), stem, held.source


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
