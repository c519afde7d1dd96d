"""A contract goes out as ODCS and comes back as the same contract."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import library
from contracts.bilingual import join, split, splits
from contracts.messages import Text
from contracts.odcs import EDITIONS, Edition, export_contract, read_odcs, to_document
from contracts.odcs.words import seconds_of, span
from contracts.schema import Contract, parse_contract
from tests.contracts.conftest import document

SHORT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
WORDS = st.builds(lambda zh, en: {"zh": zh, "en": en}, SHORT, SHORT) | st.sampled_from(
    [
        {"zh": "a / b", "en": "c"},
        {"zh": "a", "en": "a"},
        {"zh": "a / b", "en": "a / b"},
        {"zh": " / ", "en": "x"},
    ]
)
RULES: list[dict[str, Any]] = [
    {"id": "rule-1", "kind": "missing", "fields": ["level", "keeper"], "maximum_percent": 5},
    {"id": "rule-2", "kind": "duplicate", "fields": ["code"], "severity": "error"},
    {"id": "rule-3", "kind": "stuck", "fields": ["level"], "records": 6, "event": True},
    {"id": "rule-4", "kind": "plausible", "field": "level", "minimum": "-0.5"},
    {"id": "rule-5", "kind": "timely", "within_seconds": 90},
]
SERVICE = st.fixed_dictionaries(
    {},
    optional={
        "frequency_seconds": st.integers(1, 10**6),
        "latency_seconds": st.integers(1, 10**6),
        "completeness_percent": st.integers(0, 100),
        "retention_days": st.integers(1, 3000),
        "quarantine_days": st.integers(1, 400),
    },
)


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """Draw a contract with any mixture of promises."""
    made = document(title=draw(WORDS), description=draw(WORDS), classification=draw(st.integers(2, 4)))
    for field in made["fields"]:
        field["title"] = draw(WORDS)
        field["note"] = draw(st.none() | WORDS)
        field["unit"] = draw(st.none() | SHORT)
    rules = draw(st.lists(st.sampled_from(RULES), unique_by=lambda rule: str(rule["id"])))
    made["quality"] = [rule | {"title": draw(WORDS)} for rule in rules]
    made["key"] = draw(st.sampled_from([[], ["code"], ["keeper"], ["level", "code"]]))
    made["service"] = draw(st.none() | SERVICE)
    made["sharing"] = draw(st.sampled_from([None, "unconditional", "conditional", "not-shared"]))
    made["purposes"] = draw(st.sampled_from([[], ["flood-watch"]]))
    made["compatibility"] = draw(st.sampled_from(["backward", "none", "full-transitive"]))
    made["series"] = draw(st.sampled_from([None, {"time": "code", "by": ["keeper"], "zone": "+08:00"}]))
    return parse_contract(orjson.dumps(made))


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("name", library.names())
def test_every_shipped_contract_comes_back_equal(name: str, edition: Edition) -> None:
    """A shipped contract, written as ODCS and read again, has the same digest and loses nothing."""
    contract = library.load(name)

    read = read_odcs(export_contract(contract, edition).encode())

    assert (read.contract, read.contract.digest, read.notes) == (contract, contract.digest, ())


@settings(max_examples=60, deadline=None)
@given(contracts(), st.sampled_from(EDITIONS))
def test_any_contract_comes_back_equal(contract: Contract, edition: Edition) -> None:
    """Whatever a contract promises and however its words are written, the way there and back changes nothing."""  # noqa: E501
    assert read_odcs(export_contract(contract, edition).encode()).contract.digest == contract.digest


def test_latency_is_written_as_freshness_too() -> None:
    """The latency stands under both names, with the time field as its element, as tools test freshness alone."""  # noqa: E501
    contract = library.load("surface-water-auto")
    assert contract.service is not None
    levels = {level["property"]: level for level in to_document(contract)["slaProperties"]}

    assert levels["freshness"] == levels["latency"] | {"property": "freshness"}
    assert (
        levels["latency"]["element"]
        == f"surface_water_auto.{contract.series.time if contract.series else ''}"
    )
    assert seconds_of(levels["latency"]) == contract.service.latency_seconds


def test_listed_values_are_native_in_both_editions() -> None:
    """Listed values are ``enum`` in 3.2 and the library check invalidValues in 3.1, which had no enum."""
    contract = library.load("forest-parcel")
    found = {
        edition: next(
            p for p in to_document(contract, edition)["schema"][0]["properties"] if p["name"] == "origin"
        )
        for edition in EDITIONS
    }

    assert found["3.2.0"]["enum"] == [{"value": "natural"}, {"value": "planted"}]
    assert found["3.1.0"]["quality"][0]["arguments"] == {"validValues": ["natural", "planted"]}


def test_no_address_leaves_with_a_contract() -> None:
    """An exported document names no server."""
    assert "servers" not in to_document(library.load("ambient-air-hourly"))


@given(SHORT, SHORT)
def test_two_languages_in_one_text(zh: str, en: str) -> None:
    """Where a joined text splits, it splits into what was joined."""
    text = Text(zh=zh, en=en)

    assert not splits(text) or split(join(text)) == (zh, en)


@given(st.integers(1, 10**9))
def test_a_length_of_time_comes_back(seconds: int) -> None:
    """Seconds, written in the largest unit that holds them, read as the same seconds."""
    assert seconds_of(span(seconds)) == seconds
