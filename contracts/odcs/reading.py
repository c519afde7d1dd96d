"""Read an ODCS document (v3) as a contract: ours comes back equal, one from elsewhere as near as words allow.

A document of ours carries the record schema; what it says natively must say the same, or the file is refused
with every place where the two disagree. A document from elsewhere is translated; what would loosen a record
if it were dropped is refused, unless the caller agrees to leave it out, and each loss is listed either way.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from contracts.bilingual import split
from contracts.odcs.document import FORMAT, to_document
from contracts.odcs.faults import OdcsRefused
from contracts.odcs.foreign import translate
from contracts.odcs.quality import read_rule
from contracts.odcs.shape import Edition, Entry
from contracts.odcs.text import read_yaml
from contracts.odcs.words import class_of, seconds_of
from contracts.promises import DAY_SECONDS
from contracts.schema import Contract, parse_contract

_KNOWN = {"v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0"}
_SPAN_SECONDS = {"frequency": "frequency_seconds", "latency": "latency_seconds"}
_SPAN_DAYS = {"retention": "retention_days", "quarantine": "quarantine_days"}
MAX_REASONS = 50


@dataclass(frozen=True, slots=True)
class Imported:
    """A contract that was read, and in words what of the document it does not hold."""

    contract: Contract
    notes: tuple[str, ...]


def import_contract(raw: bytes) -> Contract:
    """Read an ODCS file as a contract; raise OdcsRefused, ContractRefused or BadMessage."""
    return read_odcs(raw).contract


def read_odcs(raw: bytes, *, leave_out: bool = False, table: str | None = None) -> Imported:
    """Read an ODCS file; with ``leave_out`` also where rules about records cannot be kept.

    ``table`` names one of several schema objects of a document from elsewhere.
    """
    document = read_yaml(raw)
    if document.get("kind") != "DataContract" or str(document.get("apiVersion")) not in _KNOWN:
        raise OdcsRefused(f"kind is DataContract and apiVersion one of: {', '.join(sorted(_KNOWN))}")
    try:
        extras = _customs(document)
        if extras.get(FORMAT) is None:
            return _foreign(document, leave_out=leave_out, table=table)
        return _ours(document, extras)
    except (LookupError, ArithmeticError, TypeError, ValueError, AttributeError) as error:
        raise OdcsRefused(
            f"a part of the document has another shape than ODCS gives it ({error!s:.80})"
        ) from error


def _foreign(document: Entry, *, leave_out: bool, table: str | None) -> Imported:
    translated = translate(document, table)
    if translated.losses and not leave_out:
        raise OdcsRefused(
            f"{len(translated.losses)} rules about records cannot be kept: {translated.losses[0]}",
            reasons=list(translated.losses[:MAX_REASONS]),
        )
    contract = parse_contract(orjson.dumps(translated.draft))
    return Imported(contract, (*translated.losses, *translated.notes))


def _ours(document: Entry, extras: Entry) -> Imported:
    contract = parse_contract(orjson.dumps(_draft(document, extras)))
    edition: Edition = "3.2.0" if document["apiVersion"] == "v3.2.0" else "3.1.0"
    written = orjson.loads(orjson.dumps(to_document(contract, edition)))
    faults = list(_differences("", written, document))
    if faults:
        raise OdcsRefused(
            f"the document disagrees with its own record schema at {faults[0]}", reasons=faults[:MAX_REASONS]
        )
    return Imported(contract, tuple(_left_out(document, written)))


def _draft(document: Entry, extras: Entry) -> Entry:
    texts = extras.get("texts", {})
    table = document["schema"][0]
    fields = [_field(entry, texts) for entry in table["properties"]]
    for extra in extras.get("patternFields", []):
        fields.insert(extra["position"], extra["field"])
    key = sorted((p["primaryKeyPosition"], p["name"]) for p in table["properties"] if p.get("primaryKey"))
    draft = {
        "contract": extras[FORMAT],
        "id": document["id"],
        "version": document["version"],
        "title": _text(document["name"], texts, "/title"),
        "description": _text(document["description"]["purpose"], texts, "/description"),
        "theme": document["domain"],
        "classification": class_of(extras["classification"]),
        "update_frequency": extras["updateFrequency"],
        "editions": extras["editions"],
        "compatibility": extras["compatibility"],
        "fields": fields,
        "key": extras.get("key", [name for _, name in key]),
        "quality": [rule.model_dump(mode="json") for e in table.get("quality", []) if (rule := read_rule(e))],
        "service": extras.get("service", _service(document)),
        "record": extras["recordSchema"],
        "example": extras["example"],
    }
    return draft | {
        name: extras[name] for name in ("sharing", "purposes", "series", "codes") if name in extras
    }


def _field(entry: Entry, texts: Entry) -> Entry:
    place = f"/fields/{entry['name']}"
    made = {
        "name": entry["name"],
        "title": _text(entry["businessName"], texts, f"{place}/title"),
        "unit": _customs(entry).get("unit"),
        "classification": class_of(entry["classification"]),
    }
    if "description" in entry:
        made["note"] = _text(entry["description"], texts, f"{place}/note")
    return made


def _text(joined: str, texts: Entry, place: str) -> Entry:
    zh, en = split(joined)
    told: Entry = texts.get(place, {"zh": zh, "en": en})
    return told


def _service(document: Entry) -> Entry | None:
    levels = document.get("slaProperties")
    if not levels:
        return None
    made: Entry = {}
    for level in levels:
        name = level["property"]
        if name in _SPAN_SECONDS:
            made[_SPAN_SECONDS[name]] = seconds_of(level)
        elif name in _SPAN_DAYS:
            made[_SPAN_DAYS[name]] = (seconds_of(level) or 0) // DAY_SECONDS
        elif name == "completeness":
            made["completeness_percent"] = level["value"]
    return made


def _customs(entry: Entry) -> Entry:
    return {part["property"]: part.get("value") for part in entry.get("customProperties") or []}


def _differences(place: str, ours: Any, theirs: Any) -> "list[str]":  # Any: parts of a document
    """List where a document lacks, changes or adds to what we would have written, below its first level."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        names = dict.fromkeys([*ours, *(theirs if place else ())])
        return [
            fault
            for name in names
            if (place, name) != ("", "status")
            for fault in _differences(f"{place}/{name}", ours.get(name, _ABSENT), theirs.get(name, _ABSENT))
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [fault for index, (a, b) in pairs for fault in _differences(f"{place}/{index}", a, b)]
    same = ours == theirs and isinstance(ours, bool) == isinstance(theirs, bool)
    return [] if same else [place or "/"]


_ABSENT = object()


def _left_out(document: Entry, written: Entry) -> "list[str]":
    """List what the document adds to what a contract can hold."""
    notes = [
        f"/{name}: is no part of a contract here and was left out" for name in document if name not in written
    ]
    if document.get("status", "active") != "active":
        notes.append(f"/status: {str(document['status'])[:40]!r} was left out")
    return notes
