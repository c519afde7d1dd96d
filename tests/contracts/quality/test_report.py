"""The report: the same bytes for the same rows, nothing left out, and why a rule was not judged."""

from typing import Any, get_args

import orjson
import polars as pl
import pytest
from pydantic import TypeAdapter

from contracts.canonical import MAX_INTEGER
from contracts.clock import parse_rfc3339
from contracts.promises import DIMENSIONS, QualityRule
from contracts.quality import engine, words
from contracts.quality.finding import Finding, Head, ReportLine, SeriesLine
from contracts.quality.report import plain
from tests.contracts.quality.making import HOURLY, contract, frame, hours, look, rule

LINES: TypeAdapter[Head | SeriesLine | Finding] = TypeAdapter(ReportLine)
AT = parse_rfc3339("2026-06-02T00:00:00+08:00")
RULES = (
    rule("stuck", fields=["x"], records=2, severity="error", event=True),
    rule("complete-series", minimum_percent=100),
    rule("timely", within_seconds=3600),
)
ROWS = pl.concat([hours([5, 5, 1]), hours([2, 2, 2, 9], "b")])


def test_every_kind_of_rule_has_a_judge_words_and_a_dimension() -> None:
    """A kind that is added to the contract cannot be forgotten here."""
    kinds = {get_args(one.model_fields["kind"].annotation)[0] for one in get_args(get_args(QualityRule)[0])}

    assert set(engine._JUDGES) == set(DIMENSIONS) == {kind for kind, _ in words._SENTENCES} == kinds


def test_the_same_rows_give_the_same_bytes() -> None:
    """A second look, at a frame that is cut into other pieces, writes the report byte for byte."""
    first = b"".join(look(ROWS, *RULES, at=AT).lines())

    pieces = pl.concat([ROWS.slice(0, 2), ROWS.slice(2)], rechunk=False)
    assert b"".join(look(pieces, *RULES, at=AT).lines()) == first
    assert look(ROWS, *RULES, at=AT).digest() == look(pieces, *RULES, at=AT).digest()


def test_another_moment_of_release_is_another_report() -> None:
    """The report says when the rows were released, so it cannot be passed off for a later release."""
    later = parse_rfc3339("2026-06-03T00:00:00+08:00")

    assert look(ROWS, *RULES, at=AT).digest() != look(ROWS, *RULES, at=later).digest()


def test_a_report_is_a_head_then_series_then_findings() -> None:
    """Each line reads back as what it was written from, and the counts of the head are those of the lines."""
    report = look(ROWS, *RULES, at=AT)

    head, *rest = [LINES.validate_json(line) for line in report.lines()]

    assert isinstance(head, Head)
    kinds = [one.line for one in rest]
    assert kinds == ["series"] * 2 + ["finding"] * sum(one.findings for one in head.rules)
    findings = [one for one in rest if isinstance(one, Finding)]
    for summary in head.rules:
        of_rule = [one.records for one in findings if one.rule == summary.rule]
        assert (summary.records, summary.findings) == (sum(of_rule), len(of_rule))


def test_only_counts_leave_with_a_release() -> None:
    """The counts name rule, kind, severity and records, and rules that found nothing are not among them."""
    counts = look(hours([5, 5, 1]), *RULES).counts()

    assert [one.model_dump() for one in counts] == [
        {"rule": "stuck", "kind": "stuck", "severity": "error", "records": 2}
    ]


def test_no_finding_is_left_out() -> None:
    """Twenty thousand findings are twenty thousand lines."""
    rows = hours([n % 2 * 100.0 for n in range(700)])
    many = pl.concat([rows.with_columns(station=pl.lit(f"s{n:02d}")) for n in range(30)])

    report = look(many, rule("sentinel", fields=["x"], values=["100"]))

    assert sum(1 for _ in report.findings()) == report.rules[0].findings == 30 * 350


@pytest.mark.parametrize(
    ("judged", "series", "reason"),
    [
        (rule("complete-series", minimum_percent=1), None, "names no series"),
        (rule("complete-series", minimum_percent=1), {"time": "at", "by": []}, "names no step"),
        (rule("timely", within_seconds=1), {"time": "at", "by": []}, "zone of the records' times"),
        (rule("jump", field="x", more_than="1", within_seconds=1), None, "names no series"),
        (rule("clock-shift"), {**HOURLY, "step_seconds": 86_400 * 7}, "does not divide a day"),
        (rule("ordered", lesser="x", greater="code"), HOURLY, "does not hold numbers"),
        (rule("known-code", field="code"), HOURLY, "names no code list"),
    ],
)
def test_a_rule_that_cannot_be_judged_says_why(
    judged: dict[str, Any], series: dict[str, Any] | None, reason: str
) -> None:
    """It is no finding and no silence."""
    report = look(ROWS, judged, series=series, at=AT)

    assert report.counts() == []
    assert [reason in one.reason.en for one in report.unjudged] == [True]


def test_an_edition_that_is_not_here_condemns_no_code() -> None:
    """A code list that this installation lacks leaves the rule unjudged."""
    codes = [
        {"list_id": "gbt-2260", "edition": "1999", "title": {"zh": "区划", "en": "areas"}, "fields": ["code"]}
    ]

    report = look(hours([1]), rule("known-code", field="code"), codes=codes)

    assert "does not hold the edition" in report.unjudged[0].reason.en


def test_a_hidden_field_leaves_its_rules_unjudged() -> None:
    """In a view without a column, rules on it are named, and the others judged."""
    rules = (rule("stuck", fields=["x"], records=2), rule("duplicate", fields=["station", "at"]))

    report = look(pl.concat([ROWS, ROWS]).drop("x"), *rules)

    assert [one.rule for one in report.unjudged] == ["stuck"]
    assert [one.rule for one in report.counts()] == ["duplicate"]


def test_rows_without_a_time_are_counted_and_still_judged() -> None:
    """A time that cannot be read takes a row out of its series, not out of the other rules."""
    rows = frame(station=["a"] * 3, at=["2026-06-01T00:00", "D-0/3/90", None], x=[1, 999, 999])

    report = look(rows, rule("sentinel", fields=["x"], values=["999"]))

    assert (report.head.untimed, report.head.present) == (2, 1)
    assert [(one.records, one.first) for one in report.findings()] == [(2, None)]


def test_times_that_lie_ages_apart_stop_nothing() -> None:
    """A mistyped year makes days past counting; the rule says so, and what is counted can be signed."""
    rows = frame(station=["a", "a"], at=["0001-02-03T00:00", "9998-02-03T00:00"], x=[1, 2])
    series = {**HOURLY, "step_seconds": 1}

    report = look(rows, rule("complete-series", minimum_percent=50), series=series)

    assert "too far apart" in report.unjudged[0].reason.en
    assert report.head.expected is not None
    assert report.head.expected <= MAX_INTEGER


def test_a_field_of_any_name_can_be_told() -> None:
    """Long names are cut in the words, and braces in them are only characters."""
    told = words.describe(
        contract(rule("stuck", fields=["x"], records=2)).quality[0],
        ("{records}" * 20, "b", "c", "d"),
        None,
        records=1,
        expected=None,
        value="{names}" * 50,
    )

    assert told.en.startswith("{records}{records}")
    assert "1 record " in told.en


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None), (999.0, "999"), (1e-07, "0.0000001"), (1e21, "1" + "0" * 21), (-0.5, "-0.5"),
        (True, "true"), ("x", "x"), (10, "10"),
    ],
)  # fmt: skip
def test_values_are_plain_decimal_text(value: Any, text: str | None) -> None:
    """No exponent, no fraction that says nothing."""
    assert plain(value) == text


def test_report_lines_have_sorted_keys_and_no_fractions() -> None:
    """What is digested has one spelling."""
    for line in look(ROWS, *RULES, at=AT).lines():
        assert line == orjson.dumps(orjson.loads(line), option=orjson.OPT_SORT_KEYS) + b"\n"
        assert b"." not in line.replace(b".000Z", b"").replace(b"1.0.0", b"")
