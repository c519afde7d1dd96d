"""A contract as a JSON Schema 2020-12 document: the record schema with the words of its fields."""

from typing import Any

import orjson

from contracts.bilingual import join
from contracts.schema import Contract


def json_schema(contract: Contract) -> str:
    """Write the schema with title, meaning and unit of each field; its verdict is that of the contract."""
    schema: dict[str, Any] = {
        **contract.record,
        "$id": f"urn:headwaters:contract:{contract.id}:{contract.version}",
        "title": join(contract.title),
        "$comment": contract.digest,
    }
    notes = {field.name: field for field in contract.fields}
    for keyword in ("properties", "patternProperties"):
        parts = contract.record.get(keyword)
        if isinstance(parts, dict):
            schema[keyword] = {name: _with_words(name, part, notes) for name, part in parts.items()}
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode() + "\n"


def _with_words(name: str, part: Any, notes: Any) -> Any:  # Any: a JSON Schema
    note = notes.get(name)
    if note is None or not isinstance(part, dict):
        return part
    words = {"title": join(note.title)}
    told = [join(note.note)] if note.note is not None else []
    told += [f"单位 unit: {note.unit}"] if note.unit is not None else []
    return part | words | ({"description": "; ".join(told)} if told else {})
