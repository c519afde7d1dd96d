"""A file with a shipped contract's fields is recognised as that contract's and no other's."""

from pathlib import Path

import pytest

from contracts import library
from contracts.schema import Contract
from nodes.sources.source import recognise


@pytest.mark.parametrize("name", library.names())
def test_an_example_is_recognised_as_its_own(name: str, tmp_path: Path) -> None:
    """The columns of each example lead to its contract, though two dozen contracts are asked."""
    path = tmp_path / "rows.ndjson"
    path.write_text(library.load(name).example + "\n", encoding="utf-8")
    found = recognise(path)

    assert found is not None
    assert found.contract.id == name


def test_no_two_contracts_understand_the_same_columns() -> None:
    """The fields that one contract requires are never all known to another."""
    contracts = library.shipped_contracts()
    required = {one.id: _required(one) for one in contracts}
    pairs = [
        (one.id, other.id)
        for one in contracts
        for other in contracts
        if one is not other
        and required[other.id] <= required[one.id]
        and all(other.kind(name) is not None for name in required[one.id])
    ]

    assert pairs == []


def _required(contract: Contract) -> set[str]:
    names = contract.record["required"]
    assert isinstance(names, list)
    return set(map(str, names))
