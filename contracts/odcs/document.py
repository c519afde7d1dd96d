"""Write a contract as an ODCS document: native words first, the rest as custom properties.

The latency of the contract is written twice, as ``latency`` (the word of the standard) and as ``freshness``
(the word that tools test). The document names no server, no address and no path.
"""

from typing import Any, get_args

from contracts.bilingual import join, splits
from contracts.messages import Text
from contracts.odcs.quality import field_checks, rule_check
from contracts.odcs.shape import Edition, Entry, custom, field_property, primary_key
from contracts.odcs.text import write_yaml
from contracts.odcs.words import CLASSES, span
from contracts.schema import Contract

EDITIONS: tuple[Edition, ...] = get_args(Edition)
FORMAT = "contract"


def export_contract(contract: Contract, edition: Edition = "3.1.0") -> str:
    """Write a contract as the text of an ODCS file."""
    return write_yaml(to_document(contract, edition))


def to_document(contract: Contract, edition: Edition = "3.1.0") -> dict[str, Any]:  # Any: an ODCS document
    """Write a contract as an ODCS document."""
    document: Entry = {
        "apiVersion": f"v{edition}",
        "kind": "DataContract",
        "id": contract.id,
        "version": contract.version,
        "status": "active",
        "name": join(contract.title),
        "domain": contract.theme,
        "description": {"purpose": join(_prose(contract))},
        "schema": [_schema(contract, edition)],
    }
    levels = _service_levels(contract)
    if levels:
        document["slaProperties"] = levels
    document["customProperties"] = [custom(edition, name, value) for name, value in _extras(contract)]
    return document


def table_name(contract: Contract) -> str:
    """Give the name that a table of this contract's rows has elsewhere."""
    return contract.id.replace("-", "_")


def _prose(contract: Contract) -> Text:
    return Text.model_construct(zh=contract.description.zh, en=contract.description.en)


def _schema(contract: Contract, edition: Edition) -> Entry:
    key = primary_key(contract)
    declared = contract.record.get("properties", {})
    properties = []
    for field in contract.fields:
        if isinstance(declared, dict) and field.name in declared:
            entry = field_property(contract, field, key, edition)
            checks = [*entry.get("quality", []), *field_checks(contract.quality, field.name)]
            properties.append(entry | ({"quality": checks} if checks else {}))
    made: Entry = {
        "name": table_name(contract),
        "logicalType": "object",
        "physicalType": "table",
        "businessName": join(contract.title),
        "properties": properties,
    }
    if contract.quality:
        made["quality"] = [rule_check(rule, edition) for rule in contract.quality]
    return made


def _service_levels(contract: Contract) -> list[Entry]:
    service = contract.service
    if service is None:
        return []
    made: list[Entry] = []
    element = _time_element(contract)
    if service.frequency_seconds is not None:
        made.append({"property": "frequency"} | span(service.frequency_seconds))
    if service.latency_seconds is not None:
        made.append({"property": "latency"} | span(service.latency_seconds) | element)
        made.append({"property": "freshness"} | span(service.latency_seconds) | element)
    if service.completeness_percent is not None:
        made.append({"property": "completeness", "value": service.completeness_percent, "unit": "percent"})
    if service.retention_days is not None:
        made.append({"property": "retention", "value": service.retention_days, "unit": "d"})
    if service.quarantine_days is not None:
        made.append({"property": "quarantine", "value": service.quarantine_days, "unit": "d"})
    return made


def _time_element(contract: Contract) -> Entry:
    if contract.series is None or "." in contract.series.time:
        return {}
    return {"element": f"{table_name(contract)}.{contract.series.time}"}


def _extras(contract: Contract) -> list[tuple[str, object]]:
    """List what ODCS has no word for; what says nothing is left out."""
    made: list[tuple[str, object]] = [
        (FORMAT, contract.contract),
        ("classification", CLASSES[contract.classification]),
        ("updateFrequency", contract.update_frequency),
        ("editions", contract.editions),
        ("compatibility", contract.compatibility.value),
    ]
    if contract.sharing is not None:
        made.append(("sharing", contract.sharing.value))
    if contract.purposes:
        made.append(("purposes", contract.purposes))
    if contract.service is not None and contract.service == type(contract.service)():
        made.append(("service", {}))
    if contract.key != primary_key(contract):
        made.append(("key", contract.key))
    if contract.series is not None:
        made.append(("series", contract.series.model_dump(mode="json", exclude_none=True)))
    if contract.codes:
        made.append(("codes", [code.model_dump(mode="json") for code in contract.codes]))
    texts = _unsplit(contract)
    if texts:
        made.append(("texts", texts))
    patterns = _pattern_fields(contract)
    if patterns:
        made.append(("patternFields", patterns))
    return [*made, ("recordSchema", contract.record), ("example", contract.example)]


def _unsplit(contract: Contract) -> Entry:
    """List the texts that cannot be told apart again once both languages stand in one text."""
    texts = {"/title": contract.title, "/description": _prose(contract)}
    for field in contract.fields:
        texts[f"/fields/{field.name}/title"] = field.title
        if field.note is not None:
            texts[f"/fields/{field.name}/note"] = field.note
    return {place: {"zh": text.zh, "en": text.en} for place, text in texts.items() if not splits(text)}


def _pattern_fields(contract: Contract) -> list[Entry]:
    patterns = contract.record.get("patternProperties", {})
    return [
        {"position": place, "field": field.model_dump(mode="json", exclude_none=True)}
        for place, field in enumerate(contract.fields)
        if isinstance(patterns, dict) and field.name in patterns
    ]
