"""Try a file against a contract before anything is published; nothing is written."""

from pathlib import Path
from typing import TypedDict

from contracts import library
from contracts.schema import Contract, parse_contract
from contracts.validation import RowValidator
from nodes.sources.batch import judge
from nodes.sources.source import open_source

SHOWN_VIOLATIONS = 200


class Fault(TypedDict):
    """One broken rule of one row."""

    row: int
    pointer: str
    rule: str
    value: str | None
    zh: str
    en: str


class Report(TypedDict):
    """How a file fares; ``violations`` holds the first 200, the counts hold all."""

    contract: str
    rows: int
    accepted: int
    rejected: int
    violations: list[Fault]


def check_file(contract: str, path: Path) -> Report:
    """Judge every row of ``path`` under a library contract, or under the contract in a ``.json`` file."""
    named = _contract(contract)
    source = open_source(path, named)
    validator = RowValidator(named)
    report = Report(contract=named.id, rows=0, accepted=0, rejected=0, violations=[])
    for batch in source.batches():
        frame, rejected = judge(batch, validator)
        report["accepted"] += len(frame)
        report["rejected"] += len(rejected)
        room = SHOWN_VIOLATIONS - len(report["violations"])
        faults = (
            Fault(
                row=bad.row_number,
                pointer=fault.pointer,
                rule=fault.rule,
                value=fault.value,
                zh=fault.message.zh,
                en=fault.message.en,
            )
            for bad, _ in rejected
            for fault in bad.violations
        )
        report["violations"] += [fault for fault, _ in zip(faults, range(room), strict=False)]
    report["rows"] = report["accepted"] + report["rejected"]
    return report


def _contract(contract: str) -> Contract:
    if contract.endswith(".json"):
        return parse_contract(Path(contract).read_bytes())
    return library.load(contract)
