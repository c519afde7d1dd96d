"""An obligation takes the place of another only when it demands at least as much."""

import pytest

from contracts.messages import (
    AggregateOnly,
    CompoundFilter,
    Expiry,
    FieldFilter,
    Mask,
    MaskHash,
    MaskNull,
    MaskRound,
    Measure,
    Obligation,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Watermark,
)
from contracts.strictness import is_met

NORTH = FieldFilter(operator="eq", field="area", value="north")
RECENT = FieldFilter(operator="gte", field="year", value=2020)
BOTH = CompoundFilter(operator="and", value=[NORTH, RECENT])
EITHER = CompoundFilter(operator="or", value=[NORTH, RECENT])
ROUND = Mask(field="wind", how=MaskRound(digits=1))
NULL = Mask(field="wind", how=MaskNull())
MEAN = Measure(field="wind", function="mean")
SUM = Measure(field="wind", function="sum")


@pytest.mark.parametrize(
    ("asked", "stricter"),
    [
        (ROUND, NULL),
        (ROUND, Redact(fields=["station", "wind"])),
        (Redact(fields=["wind"]), Redact(fields=["station", "wind"])),
        (RowFilter(rows=NORTH), RowFilter(rows=BOTH)),
        (RowFilter(rows=BOTH), RowFilter(rows=CompoundFilter(operator="and", value=[RECENT, NORTH, EITHER]))),
        (
            AggregateOnly(by=["area", "year"], measures=[MEAN, SUM], min_group=5),
            AggregateOnly(by=["year", "area"], measures=[MEAN], min_group=9),
        ),
        (
            Quota(unit="rows", limit=10, window_seconds=60),
            Quota(unit="rows", limit=9, window_seconds=60),
        ),
        (Quota(unit="rows", limit=9, window_seconds=60), Quota(unit="rows", limit=9, window_seconds=600)),
        (Rate(fetches=10, window_seconds=60), Rate(fetches=9, window_seconds=60)),
        (Watermark(), Watermark(recipient="p-aaaaaaaaaaaa")),
        (
            Mask(field="wind", how=MaskHash()),
            Mask(field="wind", how=MaskHash(recipient="p-aaaaaaaaaaaa")),
        ),
        (Expiry(days=30), Expiry(days=29)),
    ],
)
def test_what_is_stricter_meets_what_is_asked(asked: Obligation, stricter: Obligation) -> None:
    """A stricter obligation takes the place of a milder one, and never the other way round."""
    assert is_met(asked, [stricter])
    assert not is_met(stricter, [asked])


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        (ROUND, Mask(field="wind", how=MaskRound(digits=0))),
        (ROUND, Mask(field="station", how=MaskNull())),
        (RowFilter(rows=NORTH), RowFilter(rows=EITHER)),
        (
            AggregateOnly(by=["area", "year"], measures=[MEAN], min_group=5),
            AggregateOnly(by=["area"], measures=[MEAN], min_group=5),
        ),
        (Quota(unit="rows", limit=9, window_seconds=60), Quota(unit="bytes", limit=9, window_seconds=60)),
        (Watermark(recipient="p-aaaaaaaaaaaa"), Watermark(recipient="p-bbbbbbbbbbbb")),
        (PurposeBinding(purpose="forecast"), PurposeBinding(purpose="research")),
        (Rate(fetches=9, window_seconds=60), Quota(unit="releases", limit=9, window_seconds=60)),
    ],
)
def test_what_cannot_be_compared_meets_nothing(asked: Obligation, other: Obligation) -> None:
    """In doubt what is asked for is missing, in both directions."""
    assert not is_met(asked, [other])
    assert not is_met(other, [asked])


def test_filters_that_come_apart_meet_one_that_joins_them() -> None:
    """What several filters demand together counts together."""
    assert is_met(RowFilter(rows=BOTH), [RowFilter(rows=NORTH), RowFilter(rows=RECENT)])
    assert not is_met(RowFilter(rows=BOTH), [RowFilter(rows=NORTH)])


def test_nothing_meets_nothing() -> None:
    """An obligation that is not there is not met."""
    assert not is_met(PurposeBinding(purpose="research"), [])
    assert is_met(PurposeBinding(purpose="research"), [PurposeBinding(purpose="research")])
