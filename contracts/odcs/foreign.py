"""Translate an ODCS document that Headwaters did not write: each property a field, each option a rule.

Two lists say what does not come along: ``losses`` are rules about records that the dialect of contracts
cannot hold, so that dropping them would admit more; ``notes`` are all the rest (servers, teams, prices, SQL).
Nothing named in the document is run, opened or resolved.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from contracts.bilingual import split
from contracts.odcs.faults import OdcsRefused
from contracts.odcs.foreign_shape import Shape, shape_of
from contracts.odcs.shape import Entry
from contracts.odcs.words import class_of, seconds_of
from contracts.promises import DAY_SECONDS
from contracts.sampling.sample import sample_record

_CARRIED = frozenset(
    {
        "apiVersion",
        "kind",
        "id",
        "version",
        "status",
        "name",
        "domain",
        "description",
        "schema",
        "slaProperties",
    }
)
_VERSION = re.compile(r"v?([0-9]{1,6})(?:\.([0-9]{1,6}))?(?:\.([0-9]{1,6}))?", re.ASCII)
_SHORT, _LONG = 200, 2000
_PERCENT = {"percent", "percentage", "%"}


@dataclass(slots=True)
class Translated:
    """A draft that ``parse_contract`` still has to admit, and what was lost on the way."""

    draft: Entry
    losses: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def translate(document: Entry, table: str | None = None) -> Translated:
    """Draft a contract from one schema object of a document; raise OdcsRefused when it is not clear which."""
    chosen = _choose(document.get("schema") or [], table)
    made = Translated({})
    shapes = [shape_of(entry, f"/properties/{entry['name']}") for entry in chosen.get("properties") or []]
    for shape in shapes:
        made.losses += shape.losses
        made.notes += shape.notes
    for part in document.keys() - _CARRIED:
        made.notes.append(f"/{part}: is no part of a contract here")
    title = _text(document.get("name") or chosen.get("businessName") or chosen["name"], _SHORT)
    purpose = _purpose(document) or chosen.get("description")
    record = _record(shapes)
    fields = [_field(entry, made) for entry in chosen["properties"]]
    made.draft = {
        "contract": 1,
        "id": _slug(document, chosen),
        "version": _version(document["version"], made),
        "title": title,
        "description": _text(purpose, _LONG) if purpose else title,
        "theme": _cut(document.get("domain") or "general", _SHORT),
        "classification": max(entry["classification"] for entry in fields),
        "update_frequency": "not stated",
        "editions": [],
        "fields": fields,
        "key": _key(chosen["properties"]),
        "quality": _quality(chosen, shapes, made),
        "service": _service(document.get("slaProperties") or [], made),
        "record": record,
        "example": orjson.dumps(sample_record(record, _examples(chosen, record))).decode(),
    }
    return made


def _choose(tables: list[Entry], name: str | None) -> Entry:
    names = [str(table["name"])[:60] for table in tables]
    if name is None and len(tables) == 1:
        return tables[0]
    if name not in names:
        raise OdcsRefused(f"name the schema object to import, one of: {', '.join(names)}", reasons=names[:50])
    return tables[names.index(name)]


def _slug(document: Entry, chosen: Entry) -> str:
    for text in (document["id"], document.get("name"), chosen["name"]):
        slug = re.sub(r"[^a-z0-9]+", "-", str(text or "").lower()).strip("-")
        if 2 <= len(slug) <= 40 and slug[0].isalpha():
            return slug
    return "imported-contract"


def _version(text: object, made: Translated) -> str:
    found = _VERSION.match(str(text))
    if found is None:
        made.notes.append("/version: is no number, so the draft begins at 0.1.0")
        return "0.1.0"
    parts = [str(int(part or 0)) for part in found.groups()]
    if ".".join(parts) != text:
        made.notes.append(f"/version: {str(text)[:40]!r} is read as {'.'.join(parts)}")
    return ".".join(parts)


def _purpose(document: Entry) -> str | None:
    description = document.get("description") or {}
    parts = [description.get(name) for name in ("purpose", "usage", "limitations")]
    return "\n".join(str(part) for part in parts if part) or None


def _text(joined: object, limit: int) -> Entry:
    zh, en = split(str(joined))
    return {"zh": _cut(zh, limit), "en": _cut(en, limit)}


def _cut(text: object, limit: int) -> str:
    words = str(text)
    return words if len(words) <= limit else words[: limit - 1] + "…"


def _record(shapes: list[Shape]) -> Entry:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {shape.name: shape.schema for shape in shapes},
        "required": [shape.name for shape in shapes if shape.required],
        "additionalProperties": False,
    }


def _field(entry: Entry, made: Translated) -> Entry:
    name = entry["name"]
    level = class_of(entry.get("classification", 1))
    if level is None:
        made.notes.append(
            f"/properties/{name}: the class {str(entry['classification'])[:40]!r} is read as sensitive"
        )
    units = [p["value"] for p in entry.get("customProperties") or [] if p["property"] == "unit"]
    drawn: Entry = {
        "name": name,
        "title": _text(entry.get("businessName") or name, _SHORT),
        "unit": _cut(units[0], _SHORT) if units else None,
        "classification": 3 if level is None else level,
    }
    if entry.get("description"):
        drawn["note"] = _text(entry["description"], _SHORT)
    return drawn


def _key(properties: list[Entry]) -> list[str]:
    named = [
        (entry.get("primaryKeyPosition", 0), entry["name"]) for entry in properties if entry.get("primaryKey")
    ]
    return [name for _, name in sorted(named)]


def _examples(chosen: Entry, record: Entry) -> Entry:
    return {
        entry["name"]: entry["examples"][0]
        for entry in chosen["properties"]
        if entry.get("examples") and entry["name"] in record["properties"]
    }


def _quality(chosen: Entry, shapes: list[Shape], made: Translated) -> list[Entry]:
    rules: list[Entry] = []
    for shape in shapes:
        if shape.unique:
            rules.append(_rule("duplicate", {"fields": [shape.name]}, {"severity": "error"}, rules))
        for check in shape.checks:
            _take(check, [shape.name], rules, made)
    for check in chosen.get("quality") or []:
        fields = (check.get("arguments") or {}).get("properties") or []
        _take(check, [str(name).rpartition(".")[2] for name in fields], rules, made)
    return rules


def _take(check: Entry, fields: list[str], rules: list[Entry], made: Translated) -> None:
    """Take over a library check where one of our rules says the same."""
    metric, percent = check.get("metric"), str(check.get("unit", "")).lower() in _PERCENT
    limit = 0 if check.get("mustBe") == 0 else check.get("mustBeLessOrEqualTo") if percent else None
    if metric == "duplicateValues" and fields and check.get("mustBe") == 0:
        rules.append(_rule("duplicate", {"fields": fields}, check, rules))
    elif (
        metric in {"nullValues", "missingValues"} and fields and isinstance(limit, int) and 0 <= limit <= 100
    ):
        rules.append(_rule("missing", {"fields": fields, "maximum_percent": limit}, check, rules))
    else:
        what = check.get("metric") or check.get("type") or "library"
        made.notes.append(
            f"/quality/{str(check.get('name') or what)[:60]}: a {str(what)[:20]} check has no rule here"
        )


def _rule(kind: str, told: Entry, check: Entry, rules: list[Entry]) -> Entry:
    severity = check.get("severity")
    words = check.get("name") or f"{kind}: {', '.join(told['fields'])}"
    return told | {
        "kind": kind,
        "id": f"{kind}-{len(rules) + 1}",
        "title": _text(words, _SHORT),
        "severity": severity if severity in {"info", "warning", "error"} else "warning",
    }


def _service(levels: list[Entry], made: Translated) -> Any:  # Any: the service levels, or None
    found: Entry = {}
    for level in levels:
        name, seconds = level["property"], seconds_of(level)
        if name in {"latency", "freshness"} and seconds:
            found.setdefault("latency_seconds", seconds)
        elif name == "frequency" and seconds:
            found["frequency_seconds"] = seconds
        elif name == "retention" and seconds:
            found["retention_days"] = -(-seconds // DAY_SECONDS)
        elif name == "completeness" and isinstance(level.get("value"), int):
            found["completeness_percent"] = level["value"]
        else:
            made.notes.append(f"/slaProperties/{str(name)[:40]}: has no service level here")
    return found or None
