"""Each kind of rule: what it finds, what it leaves alone, and how episodes are drawn together."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clock import parse_rfc3339
from contracts.quality.finding import Finding
from tests.contracts.quality.making import found, frame, hours, look, rule

VALUES = st.lists(st.sampled_from([None, 1.0, 2.0, 3.5]), min_size=1, max_size=60)


def _brief(findings: list[Finding]) -> list[tuple[list[int], int, str | None]]:
    return [(one.rows, one.records, one.value) for one in findings]


def test_a_run_of_one_value_is_stuck_and_a_null_ends_it() -> None:
    """Three records in a row are found; two, and two beside a null, are not."""
    rows = hours([5, 5, 5, 1, 5, 5, None, 5, 5])

    assert _brief(found(rows, rule("stuck", fields=["x"], records=3))) == [([1, 2, 3], 3, "5")]


@given(VALUES, VALUES)
def test_stuck_runs_are_those_of_a_plain_loop(one: list[float | None], other: list[float | None]) -> None:
    """Two stations, their rows shuffled together, give the runs that a loop over each finds."""
    rows = pl.concat([hours(one), hours(other, "b")]).sort("at", "station")

    findings = found(rows, rule("stuck", fields=["x"], records=2))

    runs = []
    for station, values in (("a", one), ("b", other)):
        length = 0
        for at, value in enumerate(values):
            length = length + 1 if at and value is not None and value == values[at - 1] else 1
            ends = at + 1 == len(values) or values[at + 1] != value
            if value is not None and ends and length > 1:
                runs.append((station, length))
    assert [(finding.series[0], finding.records) for finding in findings] == runs


def test_a_sentinel_is_found_and_a_neighbouring_value_is_not() -> None:
    """Records that hold the number are one episode while they follow one another with the same number."""
    rows = hours([999, 999, 998.9, -9999, 999, None])

    findings = found(rows, rule("sentinel", fields=["x"], values=["999", "-9999"]))

    assert _brief(findings) == [([1, 2], 2, "999"), ([4], 1, "-9999"), ([5], 1, "999")]


@given(st.lists(st.tuples(VALUES.map(lambda v: v[0]), VALUES.map(lambda v: v[0])), min_size=1, max_size=40))
def test_order_is_judged_where_both_values_are_there(pairs: list[tuple[float | None, float | None]]) -> None:
    """The records found are those that a loop finds, however they are drawn together."""
    rows = hours([x for x, _ in pairs]).with_columns(y=pl.Series([y for _, y in pairs], dtype=pl.Float64))

    findings = found(rows, rule("ordered", lesser="x", greater="y"))

    expected = sum(x is not None and y is not None and x > y for x, y in pairs)
    assert sum(one.records for one in findings) == expected


def test_a_binary_fraction_is_no_excess() -> None:
    """0.1 + 0.2 is not above 0.3, and a tolerance is kept."""
    rows = frame(at=["2026-06-01T00:00", "2026-06-01T01:00"], x=[0.1 + 0.2, 0.5], y=[0.3, 0.3])

    assert found(rows, rule("ordered", lesser="x", greater="y", tolerance="0.2")) == []
    assert _brief(found(rows, rule("ordered", lesser="x", greater="y"))) == [([2], 1, "0.2")]


def test_plausible_bounds_tell_below_from_above() -> None:
    """The bounds themselves are plausible, and the most extreme value is shown."""
    rows = hours([0, 100, 101, 140, -1, 50])

    findings = found(rows, rule("plausible", field="x", minimum="0", maximum="100"))

    shown = [(one.aspect, one.rows, one.value) for one in findings]
    assert shown == [("below", [5], "-1"), ("above", [3, 4], "140")]


def test_a_jump_is_measured_from_the_record_before_that_has_a_value() -> None:
    """Another series' last value is none, and a pause longer than asked for hides a jump."""
    rows = pl.concat([hours([10, None, 50, 51]), hours([500, 10], "b")])

    far = found(rows, rule("jump", field="x", more_than="30"))
    near = found(rows, rule("jump", field="x", more_than="30", within_seconds=3600))

    assert [(one.series, one.value) for one in far] == [(["a"], "40"), (["b"], "490")]
    assert [(one.series, one.value) for one in near] == [(["b"], "490")]


def test_a_repeat_is_found_and_a_null_repeats_nothing() -> None:
    """The first of equal records is not among the repeats."""
    rows = frame(
        station=["a", "a", "b", "a", None, None],
        at=["2026-06-01T00:00"] * 2 + ["2026-06-01T00:00", "2026-06-01T01:00"] + ["2026-06-01T00:00"] * 2,
    )

    assert _brief(found(rows, rule("duplicate", fields=["station", "at"]))) == [([2], 1, None)]


def test_a_clock_that_goes_back_in_the_file_is_found() -> None:
    """The row whose time is before that of the row above it, in its own series only."""
    rows = pl.concat([hours([1, 2, 3]), hours([1], "b"), hours([4, 5])])

    findings = found(rows, rule("clock-shift"))

    assert [(one.aspect, one.rows, one.value) for one in findings] == [("back", [5], "7200")]


def test_a_clock_that_leaves_its_grid_is_found() -> None:
    """Most records of the series stand on the full hour; then the clock is seven minutes late."""
    times = ["00:00", "01:00", "02:00", "03:07", "04:07"]
    rows = frame(station=["a"] * 5, at=[f"2026-06-01T{time}" for time in times])

    findings = found(rows, rule("clock-shift"))

    assert [(one.aspect, one.rows, one.value) for one in findings] == [("grid", [4, 5], "420")]


def test_a_record_after_the_release_is_found() -> None:
    """A clock that runs ahead shows when the rows are released."""
    at = parse_rfc3339("2026-06-01T01:30:00+08:00")

    findings = found(hours([1, 2, 3]), rule("clock-shift"), at=at)

    assert [(one.aspect, one.rows, one.value) for one in findings] == [("ahead", [3], "1800")]


def test_late_records_are_found() -> None:
    """A record is late by what lies between its time and the release."""
    at = parse_rfc3339("2026-06-01T03:00:00+08:00")

    assert _brief(found(hours([1, 2, 3]), rule("timely", within_seconds=7200), at=at)) == [([1], 1, "10800")]


def test_a_share_of_null_is_judged_for_each_series() -> None:
    """One station misses half, the other a quarter, and a quarter is allowed."""
    rows = pl.concat([hours([1, None, 2, None]), hours([1, 2, 3, None], "b")])

    (one,) = found(rows, rule("missing", fields=["x"], maximum_percent=25))

    assert (one.series, one.records, one.expected, one.rows) == (["a"], 2, 4, [2, 4])


def test_a_day_with_too_few_records_is_found_and_neighbouring_days_are_one_finding() -> None:
    """Days one and two are short, day three is whole; the last hour of the release ends the last day."""
    day = [f"{hour:02d}" for hour in range(24)]
    times = [f"2026-06-01T{hour}:00" for hour in day[:20]] + [f"2026-06-02T{hour}:00" for hour in day[2:8]]
    times += [f"2026-06-03T{hour}:00" for hour in day]
    rows = frame(station=["a"] * len(times), at=times)

    (one,) = found(rows, rule("complete-series", minimum_percent=90))

    assert (one.records, one.expected) == (4 + 18, 48)
    assert (one.first, one.last) == ("2026-06-01T00:00:00+08:00", "2026-06-02T23:00:00+08:00")


def test_a_station_that_falls_silent_is_silent_to_the_end() -> None:
    """The release ends with the last record of any series."""
    rows = pl.concat([hours([1.0] * 48), hours([1.0] * 24, "b")])

    (one,) = found(rows, rule("complete-series", minimum_percent=75))

    assert (one.series, one.records) == (["b"], 24)
    assert [(line.series, line.present, line.expected) for line in look(rows).series()] == [
        (["a"], 48, 48),
        (["b"], 24, 48),
    ]


def test_a_record_without_a_value_does_not_count_for_its_field() -> None:
    """All records are there; the value of one field is not, in two of the hours."""
    rows = hours([1, None, None, 4])

    assert found(rows, rule("complete-series", minimum_percent=100)) == []
    (one,) = found(rows, rule("complete-series", minimum_percent=100, per="hour", fields=["x"]))
    assert (one.fields, one.records, one.first) == (["x"], 2, "2026-06-01T01:00:00+08:00")


@given(st.sets(st.integers(0, 71), min_size=1), st.integers(1, 100))
def test_completeness_is_that_of_a_plain_count(there: set[int], least: int) -> None:
    """For any hours of three days, the missing ones of the short days are counted."""
    rows = frame(at=[f"2026-06-{1 + hour // 24:02d}T{hour % 24:02d}:00" for hour in sorted(there)])

    findings = found(rows, rule("complete-series", minimum_percent=least))

    missing = 0
    for day in range(3):
        looked_for = set(range(max(day * 24, min(there)), min(day * 24 + 24, max(there) + 1)))
        if looked_for and len(looked_for & there) * 100 < least * len(looked_for):
            missing += len(looked_for - there)
    assert sum(one.records for one in findings) == missing


def test_jitter_of_a_clock_misses_nothing() -> None:
    """Times a few seconds beside the full hour stand for their hour."""
    rows = frame(station=["a"] * 3, at=["2026-06-01T00:00:03", "2026-06-01T00:59:58", "2026-06-01T02:00:01"])

    assert look(rows).head.present == look(rows).head.expected == 3


def test_a_code_that_its_edition_does_not_have_is_found() -> None:
    """Codes are looked up in the edition that the contract names."""
    codes = [
        {
            "list_id": "gb-3838-class",
            "edition": "2002",
            "title": {"zh": "类", "en": "class"},
            "fields": ["code"],
        }
    ]
    rows = frame(at=["2026-06-01T00:00"] * 3, code=["no-such-class", None, "no-such-class"])

    findings = found(rows, rule("known-code", field="code"), codes=codes)

    assert [(one.rows, one.value) for one in findings] == [([1], "no-such-class"), ([3], "no-such-class")]


def test_a_copied_column_is_found_where_enough_records_are_equal() -> None:
    """Station b has one differing pair, station c too few pairs."""
    rows = pl.concat([hours([1, 2, None, 4]), hours([1, 2, 3, 4], "b"), hours([1, 2], "c")])
    rows = rows.with_columns(y=pl.when(pl.col("station") == "b").then(1.0).otherwise(pl.col("x")))

    (one,) = found(rows, rule("copied", fields=["x", "y"], records=3))

    assert (one.series, one.fields, one.records) == (["a"], ["x", "y"], 3)


def test_the_order_of_the_file_changes_no_series() -> None:
    """Rows in any order give the same findings, apart from the row numbers and the clock that goes back."""
    rows = pl.concat([hours([5, 5, 5, 40, None]), hours([7, 7, 1], "b")])
    rules = (
        rule("stuck", fields=["x"], records=2),
        rule("jump", field="x", more_than="5"),
        rule("missing", fields=["x"], maximum_percent=10),
    )

    forward, backward = found(rows, *rules), found(rows.reverse(), *rules)

    assert [one.model_copy(update={"rows": []}) for one in forward] == [
        one.model_copy(update={"rows": []}) for one in backward
    ]


@pytest.mark.parametrize("count", [0, 1])
def test_no_rows_and_one_row_are_examined(count: int) -> None:
    """A release of one record, or a view that a filter left empty, has a report."""
    rows = hours([1.0]).head(count)
    every = [
        rule("stuck", fields=["x"], records=2),
        rule("complete-series", minimum_percent=100),
        rule("duplicate", fields=["station", "at"]),
        rule("clock-shift"),
        rule("missing", fields=["x"], maximum_percent=0),
    ]

    report = look(rows, *every)

    assert report.head.rows == count
    assert report.counts() == []
