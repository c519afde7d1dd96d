"""The evidence of a receipt accounts for every obligation and adds up, or the data is not taken."""

from typing import Any

import pytest

from contracts.messages import (
    AggregateOnly,
    Discharged,
    Expiry,
    FieldFilter,
    Mask,
    MaskNull,
    Measure,
    Obligation,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Watermark,
)
from nodes.receiving.evidence import evidence_faults

PUBLISHED = 40
BOUND = PurposeBinding(purpose="flood-control")
FILTER = RowFilter(rows=FieldFilter(operator="gt", field="ph", value=7))
FIGURES = AggregateOnly(by=["local_time"], measures=[Measure(field="ph", function="mean")], min_group=5)
ALL: list[Obligation] = [
    Redact(fields=["salinity", "chlorophyll"]),
    Mask(field="turbidity", how=MaskNull()),
    FILTER,
    Quota(unit="rows", limit=100, window_seconds=60),
    Rate(fetches=3, window_seconds=60),
    Watermark(recipient="p-222222222222"),
    BOUND,
    Expiry(days=30),
]
GOOD = [
    Discharged(kind="redact", columns=["chlorophyll", "salinity"]),
    Discharged(kind="mask", columns=["turbidity"]),
    Discharged(kind="row-filter", columns=["ph"], rows_in=40, rows_out=12),
    Discharged(kind="quota", used=100),
    Discharged(kind="rate", used=1),
    Discharged(kind="watermark", token="ab" * 32),
    Discharged(kind="purpose-binding"),
    Discharged(kind="expiry"),
]


def faults(duties: list[Obligation], discharged: list[Discharged], rows: int) -> list[str]:
    return list(evidence_faults(duties, discharged, rows=rows, published=PUBLISHED))


def test_full_evidence_is_taken() -> None:
    """One item for each obligation, in order, with the numbers of the manifest."""
    assert faults(ALL, GOOD, 12) == []


@pytest.mark.parametrize("at", range(len(GOOD)))
def test_an_obligation_left_out_is_a_fault(at: int) -> None:
    """A receipt that lacks the evidence of any obligation is refused."""
    assert faults(ALL, GOOD[:at] + GOOD[at + 1 :], 12)


@pytest.mark.parametrize(
    ("at", "changes"),
    [
        (0, {"columns": ["chlorophyll"]}),
        (0, {"columns": ["chlorophyll", "salinity", "w01018"]}),
        (1, {"columns": []}),
        (1, {"rows_in": 40}),
        (2, {"rows_in": 41}),
        (2, {"rows_out": 13}),
        (2, {"rows_out": None}),
        (2, {"columns": []}),
        (3, {"used": 101}),
        (3, {"used": None}),
        (4, {"used": 4}),
        (4, {"used": None}),
        (5, {"token": None}),
        (6, {"token": "x"}),
        (7, {"used": 1}),
    ],
)
def test_evidence_that_does_not_add_up_is_a_fault(at: int, changes: dict[str, Any]) -> None:
    """Other columns, other numbers, a limit that is passed, a mark that is not there."""
    spoilt = [one.model_copy(update=changes) if n == at else one for n, one in enumerate(GOOD)]

    assert faults(ALL, spoilt, 12)


def test_rows_are_dropped_by_a_filter_or_an_aggregate_only() -> None:
    """Without either the view has the release's rows; with a filter at most as many."""
    bound = [Discharged(kind="purpose-binding")]

    assert faults([BOUND], bound, PUBLISHED) == []
    assert faults([BOUND], bound, PUBLISHED - 1)
    more = Discharged(kind="row-filter", columns=["ph"], rows_in=40, rows_out=41)
    assert faults([FILTER, BOUND], [more, *bound], 41)


@pytest.mark.parametrize(
    ("duties", "numbers", "groups", "good"),
    [
        ([FIGURES], [(40, 8)], 8, True),
        ([FIGURES], [(40, 9)], 9, False),
        ([FIGURES], [(None, 8)], 8, False),
        ([FILTER, FIGURES], [(40, None), (None, 8)], 8, True),
        ([FILTER, FIGURES], [(40, 30), (30, 6)], 6, False),
    ],
)
def test_figures_need_enough_rows(
    duties: list[Obligation], numbers: list[tuple[Any, Any]], groups: int, good: bool
) -> None:
    """So many groups of at least five rows need the rows; how many a filter left between is not told."""
    columns = {"row-filter": ["ph"], "aggregate-only": ["local_time"]}
    discharged = [
        Discharged(kind=duty.kind, columns=columns[duty.kind], rows_in=into, rows_out=out)
        for duty, (into, out) in zip(duties, numbers, strict=True)
    ]

    assert (faults(duties, discharged, groups) == []) is good
