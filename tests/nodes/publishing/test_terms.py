"""The terms of a dataset: each slip that would leave data open, or shut for good, is found in time."""

from typing import Any, cast

import orjson
import pytest

from contracts import library
from contracts.messages import (
    AggregateOnly,
    BadMessage,
    Condition,
    DatasetRecord,
    Duty,
    Expiry,
    FieldFilter,
    Hours,
    Level,
    Mask,
    MaskHash,
    MaskNull,
    MaskRound,
    MaskTruncate,
    Measure,
    PurposeFields,
    Quota,
    RowFilter,
    Sharing,
    Watermark,
)
from contracts.messages.obligations import MAX_CONDITIONS, MAX_DUTIES, MAX_FILTER_NODES, CompoundFilter
from nodes.publishing.terms import MAX_PURPOSES, TermsUnfit, check_terms, term_faults
from tests.nodes.sharing import CONTRACT, PURPOSE, declaration

BUOY = library.load(CONTRACT)
OPEN = {"sharing": Sharing.CONDITIONAL}
PH_ABOVE = RowFilter(rows=FieldFilter(operator="gt", field="record_number", value=7))
MEAN_PH = AggregateOnly(by=["local_time"], measures=[Measure(field="ph", function="mean")], min_group=5)


def faults(**changes: Any) -> list[str]:
    return [fault.pointer for fault in term_faults(declaration(**(OPEN | changes)), BUOY)]


def duty(obligation: Any, **when: Any) -> Duty:
    return Duty(obligation=obligation, **when)


def test_sound_terms_pass() -> None:
    """Every kind of condition and duty is admitted where it fits."""
    terms = declaration(
        **OPEN,
        purposes=[PURPOSE, "emergency-response"],
        purpose_fields=[PurposeFields(purpose=PURPOSE, fields=["ph", "local_time", "record_number"])],
        conditions=[
            Condition(
                purposes=[PURPOSE],
                territories=["510000"],
                levels=[Level.PROVINCE],
                sectors=["ecology"],
                networks=["10.51.0.0/16", "2001:db8::/32"],
                weekdays=[1, 5],
                hours=Hours(begin=22, end=6),
            )
        ],
        duties=[
            duty(Mask(field="ph", how=MaskRound(digits=0)), levels=[Level.CITY]),
            duty(PH_ABOVE),
            duty(Quota(unit="rows", limit=10, window_seconds=60)),
            duty(Watermark()),
            duty(Expiry(days=30)),
        ],
        emergency=True,
    )

    check_terms(terms, BUOY)


@pytest.mark.parametrize(
    ("pointer", "changes"),
    [
        ("/conditions", {"sharing": Sharing.UNCONDITIONAL, "conditions": [Condition(weekdays=[1])]}),
        ("/sharing", {"sharing": Sharing.UNCONDITIONAL, "classification": 4}),
        ("/emergency", {"sharing": Sharing.NOT_SHARED, "emergency": True}),
        ("/emergency", {"purposes": [PURPOSE], "emergency": True}),
    ],
)
def test_a_contradiction_of_the_sharing_class_is_a_fault(pointer: str, changes: dict[str, Any]) -> None:
    """Unconditional means without conditions, not shared means to nobody, and a waiver needs its purpose."""
    assert faults(**changes) == [pointer]


NAMES = ["n" * 200] * 600


@pytest.mark.parametrize(
    ("pointer", "changes"),
    [
        ("/conditions", {"conditions": [Condition()] * (MAX_CONDITIONS + 1)}),
        ("/duties", {"duties": [duty(Mask(field="none", how=MaskNull()))] * (MAX_DUTIES + 1)}),
        ("/purposes", {"purposes": [f"use-{number}" for number in range(MAX_PURPOSES + 1)]}),
        ("", {"purpose_fields": [PurposeFields(purpose="x-y", fields=NAMES)] * 2}),
    ],
)
def test_terms_beyond_the_limits_are_not_looked_into(pointer: str, changes: dict[str, Any]) -> None:
    """What would keep everybody waiting is refused by its size alone; the faults inside go unread."""
    assert faults(**changes) == [pointer]


def test_a_record_beyond_the_limits_cannot_be_read() -> None:
    """A record that asks too much is no record, whoever signed it."""
    fields: dict[str, list[object]] = {
        "conditions": [{}] * (MAX_CONDITIONS + 1),
        "duties": [{}] * (MAX_DUTIES + 1),
    }
    with pytest.raises(BadMessage) as refusal:
        DatasetRecord.parse(orjson.dumps(fields))

    told = [str(fault).partition(":")[0] for fault in cast("list[str]", refusal.value.facts["faults"])]
    assert {"/conditions", "/duties"} <= set(told)


@pytest.mark.parametrize(
    ("pointer", "condition"),
    [
        ("/conditions/0", Condition()),
        ("/conditions/0", Condition(purposes=[PURPOSE])),
        ("/conditions/0/networks/0", Condition(networks=["10.51.0.1/16"])),
        ("/conditions/0/networks/0", Condition(networks=["10.51.0.0/255.255.0.0"])),
        ("/conditions/0/networks/0", Condition(networks=["10.51.0.7"])),
        ("/conditions/0/networks/0", Condition(networks=["010.51.0.0/16"])),
        ("/conditions/0/networks/0", Condition(networks=["::ffff:10.51.0.0/112"])),
        ("/conditions/0/networks/0", Condition(networks=["::ffff:a33:0/112"])),
        ("/conditions/0/networks/0", Condition(networks=["::ffff:0:0:0/96"])),
        ("/conditions/0/networks/0", Condition(networks=["fe80::%eth0/64"])),
        ("/conditions/0/networks/1", Condition(networks=["10.0.0.0/8", "office"])),
        ("/conditions/0/territories/0", Condition(territories=["000000"])),
        ("/conditions/0/hours", Condition(hours=Hours(begin=8, end=8))),
    ],
)
def test_a_condition_that_cannot_mean_what_it_says_is_a_fault(pointer: str, condition: Condition) -> None:
    """A network has one spelling, hours have a length, and a condition limits something."""
    assert faults(conditions=[condition]) == [pointer]


@pytest.mark.parametrize(
    ("pointer", "changes"),
    [
        ("/conditions/0/purposes", {"conditions": [Condition(purposes=["flod-control"], weekdays=[1])]}),
        ("/duties/0/purposes", {"duties": [duty(Watermark(), purposes=["flod-control"])]}),
        (
            "/purpose_fields/0/purpose",
            {"purpose_fields": [PurposeFields(purpose="flod-control", fields=["ph"])]},
        ),
        (
            "/purpose_fields",
            {
                "purpose_fields": [
                    PurposeFields(purpose=PURPOSE, fields=["ph"]),
                    PurposeFields(purpose=PURPOSE, fields=["temperature"]),
                ]
            },
        ),
    ],
)
def test_a_rule_for_a_purpose_that_is_not_offered_is_a_fault(pointer: str, changes: dict[str, Any]) -> None:
    """A slip in a purpose's name would leave the purpose that was meant without its rule."""
    assert faults(purposes=[PURPOSE], **changes) == [pointer]


@pytest.mark.parametrize(
    ("pointer", "obligation"),
    [
        ("/duties/0/obligation", Mask(field="phh", how=MaskNull())),
        ("/duties/0/obligation", Mask(field="ph", how=MaskTruncate(characters=2))),
        ("/duties/0/obligation", Mask(field="record_number", how=MaskRound(digits=1))),
        ("/duties/0/obligation", RowFilter(rows=FieldFilter(operator="eq", field="ph", value="seven"))),
        ("/duties/0/obligation", RowFilter(rows=FieldFilter(operator="eq", field="phh", value=7))),
        (
            "/duties/0/obligation",
            AggregateOnly(by=["ph"], measures=[Measure(field="local_time", function="mean")], min_group=5),
        ),
        (
            "/duties/0/obligation/recipient",
            Mask(field="local_time", how=MaskHash(recipient="p-222222222222")),
        ),
        ("/duties/0/obligation/recipient", Watermark(recipient="p-222222222222")),
    ],
)
def test_a_duty_that_does_not_fit_the_contract_is_a_fault(pointer: str, obligation: Any) -> None:
    """Fields exist, masks fit their types, values fit their fields, and only a decision names a recipient."""
    assert faults(duties=[duty(obligation)]) == [pointer]


def test_two_aggregates_for_one_use_are_a_fault() -> None:
    """They would end every request in a denial; for different purposes both may stand."""
    other = MEAN_PH.model_copy(update={"min_group": 9})

    assert faults(duties=[duty(MEAN_PH), duty(other, levels=[Level.CITY])]) == ["/duties/1"]
    assert (
        faults(
            purposes=["a-use", "b-use"],
            duties=[duty(MEAN_PH, purposes=["a-use"]), duty(other, purposes=["b-use"])],
        )
        == []
    )


def test_the_same_aggregate_twice_is_one() -> None:
    """What two rules ask alike is asked once."""
    assert faults(duties=[duty(MEAN_PH), duty(MEAN_PH, levels=[Level.CITY])]) == []


def test_figures_of_what_is_hidden_are_a_fault() -> None:
    """An aggregate may name neither a masked field nor one that the purpose does not see."""
    masked = duty(Mask(field="ph", how=MaskNull()))
    narrow = [PurposeFields(purpose=PURPOSE, fields=["local_time"])]

    assert faults(duties=[masked, duty(MEAN_PH)]) == ["/duties/1"]
    assert faults(duties=[duty(MEAN_PH), masked]) == ["/duties/1"]
    assert faults(purposes=[PURPOSE], purpose_fields=narrow, duties=[duty(MEAN_PH)]) == [
        "/duties/0/obligation"
    ]


def test_row_filters_that_grow_too_large_together_are_a_fault() -> None:
    """All that hold for a purpose are joined to one filter, which has the bounds of one."""
    wide = RowFilter(
        rows=CompoundFilter(
            operator="or",
            value=[FieldFilter(operator="eq", field="record_number", value=n) for n in range(40)],
        )
    )

    assert faults(duties=[duty(wide)]) == []
    assert faults(duties=[duty(wide), duty(wide)]) == ["/duties"]
    assert (
        faults(
            purposes=["a-use", "b-use"],
            duties=[duty(wide, purposes=["a-use"]), duty(wide, purposes=["b-use"])],
        )
        == []
    )


def test_one_row_filter_of_the_largest_size_passes() -> None:
    """A filter that is joined with nothing has the bounds of its own."""
    parts = [FieldFilter(operator="eq", field="record_number", value=n) for n in range(MAX_FILTER_NODES - 1)]
    largest = RowFilter(rows=CompoundFilter(operator="or", value=list(parts)))

    assert faults(duties=[duty(largest)]) == []


def test_every_fault_is_named_at_once() -> None:
    """Whoever mends a record sees all that stands against it, with the place of each."""
    terms = declaration(**OPEN, conditions=[Condition()], duties=[duty(Mask(field="phh", how=MaskNull()))])

    with pytest.raises(TermsUnfit) as raised:
        check_terms(terms, BUOY)

    named = raised.value.facts["faults"]
    assert isinstance(named, list)
    assert [text.partition(":")[0] for text in named] == ["/conditions/0", "/duties/0/obligation"]


BOUND = BUOY.model_copy(update={"sharing": Sharing.CONDITIONAL, "purposes": [PURPOSE, "joint-warning"]})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sharing": Sharing.CONDITIONAL, "purposes": [PURPOSE]}, []),
        ({"sharing": Sharing.NOT_SHARED, "purposes": [PURPOSE]}, []),
        ({"sharing": Sharing.UNCONDITIONAL, "purposes": [PURPOSE]}, ["/sharing"]),
        ({"sharing": Sharing.CONDITIONAL, "purposes": []}, ["/purposes"]),
        ({"sharing": Sharing.CONDITIONAL, "purposes": [PURPOSE, "credit-review"]}, ["/purposes"]),
    ],
)
def test_a_dataset_is_shared_no_wider_than_its_contract_allows(
    changes: dict[str, Any], expected: list[str]
) -> None:
    """A contract's sharing class and purposes bound every dataset under it; a dataset may be stricter."""
    found = [fault.pointer for fault in term_faults(declaration(**changes), BOUND)]

    assert found == expected
