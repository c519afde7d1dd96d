"""ODCS documents that come in: ours must agree with themselves, others are translated or refused."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import library
from contracts.errors import HeadwatersError
from contracts.odcs import OdcsRefused, import_contract, read_odcs, to_document
from contracts.odcs.text import write_yaml
from contracts.schema import parse_contract
from contracts.validation import RowValidator
from tests.contracts.conftest import document as small


def raw(document: dict[str, Any]) -> bytes:
    """Write a document as a file."""
    return write_yaml(document).encode()


def ours() -> dict[str, Any]:
    """Give a document of a shipped contract."""
    return to_document(library.load("ambient-air-hourly"))


def foreign(*properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Make a document as another tool writes it."""
    table = {"name": "orders", "properties": list(properties)} | more.pop("table", {})
    return {"apiVersion": "v3.0.2", "kind": "DataContract", "id": "9f3-orders", "version": "1.2", "status": "active",  # noqa: E501
            "name": "Orders", "schema": [table]} | more  # fmt: skip


def test_a_changed_native_rule_is_refused() -> None:
    """A limit changed in the native words, but not in the record schema, is refused with its place."""
    document = ours()
    document["schema"][0]["properties"][2]["logicalTypeOptions"]["maximum"] = 500

    with pytest.raises(OdcsRefused) as refused:
        import_contract(raw(document))

    assert refused.value.facts["reasons"] == ["/schema/0/properties/2/logicalTypeOptions/maximum"]


def test_an_added_native_rule_is_refused() -> None:
    """A native rule that the record schema does not hold would be lost, so it is refused."""
    document = ours()
    document["schema"][0]["properties"][2]["unique"] = True

    with pytest.raises(OdcsRefused, match="properties/2/unique"):
        import_contract(raw(document))


def test_words_may_be_changed_in_the_document() -> None:
    """A title, a note and a class changed in the document are in the contract that is read."""
    document = ours()
    document["name"] = "空气 / air"
    document["schema"][0]["businessName"] = "空气 / air"

    assert import_contract(raw(document)).title.en == "air"


def test_what_a_contract_cannot_hold_is_listed() -> None:
    """Servers, teams and prices are no part of a contract, and the reader is told that they were left out."""
    document = ours() | {"price": {"priceAmount": 5}, "servers": [{"server": "s", "type": "local"}]}

    notes = read_odcs(raw(document)).notes

    assert [note.partition(":")[0] for note in notes] == ["/price", "/servers"]


def test_a_document_from_elsewhere_becomes_a_contract() -> None:
    """Types, limits, listed values, keys, classes and service levels of another tool's document are kept."""
    contract = import_contract(
        raw(
            foreign(
                {"name": "id", "logicalType": "string", "primaryKey": True, "logicalTypeOptions": {"pattern": r"^\d{6}$"}},  # noqa: E501
                {"name": "amount", "logicalType": "number", "required": True, "logicalTypeOptions": {"minimum": 0}},  # noqa: E501
                {"name": "count", "physicalType": "bigint"},
                {"name": "paid_at", "logicalType": "timestamp", "classification": "restricted"},
                {"name": "day", "logicalType": "date", "logicalTypeOptions": {"format": "yyyy/MM/dd"}},
                {"name": "state", "logicalType": "string", "quality": [
                    {"metric": "invalidValues", "arguments": {"validValues": ["open", "paid"]}, "mustBe": 0},
                    {"metric": "nullValues", "mustBeLessOrEqualTo": 10, "unit": "percent"}]},
                {"name": "place", "logicalType": "object", "properties": [{"name": "x", "logicalType": "integer", "required": True}]},  # noqa: E501
                {"name": "tags", "logicalType": "array", "items": {"logicalType": "string"}},
                slaProperties=[{"property": "latency", "value": 4, "unit": "h"}, {"property": "retention", "value": "P30D"}],  # noqa: E501
            )
        )
    )  # fmt: skip
    judge = RowValidator(contract)
    row = contract.example_row()

    assert (contract.id, contract.version, contract.key) == ("orders", "1.2.0", ["id"])
    assert contract.service is not None
    assert (contract.service.latency_seconds, contract.service.retention_days) == (14_400, 30)
    assert [rule.kind for rule in contract.quality] == ["missing"]
    assert contract.classification == 3
    assert judge.is_valid(row | {"id": "123456", "day": "2026/02/28", "state": "paid", "place": {"x": 1}})
    bad: dict[str, Any]
    for bad in (
        {"id": "12345"},
        {"amount": -1},
        {"state": "x"},
        {"day": "2026-02-28"},
        {"place": {}},
        {"paid_at": "now"},
    ):
        assert not judge.is_valid(row | bad), bad


LOSSES = [
    ({"logicalType": "string", "logicalTypeOptions": {"pattern": "abc"}}, "not anchored"),
    ({"logicalType": "string", "logicalTypeOptions": {"format": "email"}}, "the format 'email'"),
    ({"logicalType": "number", "logicalTypeOptions": {"minimum": 0.5}}, "no whole number"),
    ({"logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.01}}, "multipleOf"),
    ({"logicalType": "date", "logicalTypeOptions": {"minimum": "2020-01-01"}}, "the minimum of a date"),
    ({"logicalType": "timestamp", "logicalTypeOptions": {"format": "EEE, d"}}, "the form"),
    ({"logicalType": "array", "logicalTypeOptions": {"uniqueItems": True}}, "uniqueItems"),
]


@pytest.mark.parametrize(("entry", "words"), LOSSES)
def test_a_rule_that_cannot_be_kept_is_refused(entry: dict[str, Any], words: str) -> None:
    """What would loosen a record if it were dropped is refused, and dropped only when a person agrees."""
    document = raw(foreign(entry | {"name": "x"}))

    with pytest.raises(OdcsRefused, match=words):
        read_odcs(document)
    assert words in read_odcs(document, leave_out=True).notes[0]


def test_sql_of_a_stranger_is_never_taken_over() -> None:
    """A quality rule in SQL is named in the notes, and not a word of it stands in the contract."""
    rule = {"type": "sql", "name": "no negatives", "query": "DROP TABLE orders", "mustBe": 0}
    read = read_odcs(raw(foreign({"name": "x", "logicalType": "string"}, table={"quality": [rule]})))

    assert "DROP" not in read.contract.model_dump_json()
    assert any("sql check" in note for note in read.notes)


def test_one_of_several_tables_is_named() -> None:
    """Where a document has several schema objects, the reader asks which."""
    tables = [
        {"name": name, "properties": [{"name": name, "logicalType": "string"}]} for name in ("one", "two")
    ]
    document = raw(foreign(schema=tables))

    with pytest.raises(OdcsRefused, match="one of: one, two"):
        read_odcs(document)
    assert read_odcs(document, table="two").contract.declared() == ["two"]


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "DataContract", "apiVersion": "v2.2.0", "id": "x"},
        {"kind": "Other", "apiVersion": "v3.1.0"},
        foreign({"name": "x"}),
        foreign({"name": "x", "logicalType": "vector"}),
        foreign({"logicalType": "string"}),
        foreign() | {"schema": [3]},
        foreign() | {"schema": []},
    ],
)
def test_other_documents_are_refused(document: dict[str, Any]) -> None:
    """Another version, another kind, a type that nobody knows and a shape that is not ODCS are refused."""
    with pytest.raises(OdcsRefused):
        read_odcs(raw(document))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_document_is_refused_or_read(data: st.DataObject) -> None:
    """Whatever part of a document is replaced by anything, the answer is a contract or a refusal."""
    document: Any = to_document(parse_contract(orjson.dumps(small())))
    place = document
    for _ in range(data.draw(st.integers(0, 4))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key]:
            break
        place = place[key]
    key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else list(range(len(place)))))
    place[key] = data.draw(st.sampled_from([None, 0, "x", [], {}, [None], {"x": 1}, True, 1.5]))

    code = "read"
    try:
        read_odcs(raw(document))
    except HeadwatersError as refused:
        code = refused.code

    assert code in {
        "read",
        "odcs-refused",
        "contract-refused",
        "bad-message",
        "not-canonical",
        "no-sample",
    }
