"""A finding: some records of one series that one quality rule points at; and what a rule found in all.

A finding is an episode: records that follow one another in their series are one finding, however many they
are. It names its records by row number and holds the most extreme value as decimal text, so a whole report
stays with who holds the rows; only ``FindingCount`` leaves with the release.
"""

from typing import Annotated, Literal

from pydantic import Field

from contracts.messages import ContractRef, Digest, FindingCount, Short, Text, Wire
from contracts.promises import Dimension, FieldName, RuleId
from contracts.promises import Severity as RuleSeverity
from contracts.schema import Prose

SHOWN_ROWS = 10

Count = Annotated[int, Field(ge=0)]


class Finding(Wire):
    """One episode.

    ``series`` holds the key cells of the series in the order of ``Series.by``; ``first`` and ``last`` are the
    times of its first and last record, null where the contract has no series. ``records`` counts the records,
    or those that are missing; ``expected`` counts those that were looked for, where a share was judged.
    ``rows`` names the first ten rows, counted from 1. ``aspect`` tells the ways apart in which one rule can
    be broken.
    """

    line: Literal["finding"]
    rule: RuleId
    kind: Short
    severity: RuleSeverity
    dimension: Dimension
    aspect: Short | None
    series: list[str | None]
    fields: list[FieldName]
    first: Short | None
    last: Short | None
    records: Count
    expected: Count | None
    value: str | None
    rows: list[int]
    detail: Prose


class RuleSummary(Wire):
    """What one rule found: records, findings, and in how many series."""

    rule: RuleId
    title: Text
    kind: Short
    severity: RuleSeverity
    dimension: Dimension
    event: bool
    records: Count
    findings: Count
    series: Count

    def count(self) -> FindingCount:
        """Give what leaves with a release."""
        return FindingCount(
            rule=self.rule, kind=self.kind, severity=self.severity.value, records=self.records
        )


class Unjudged(Wire):
    """A rule, or a part of one, that could not be judged, and why."""

    rule: RuleId
    reason: Text


class SeriesLine(Wire):
    """How complete one series is between the first and the last time of the release."""

    line: Literal["series"]
    series: list[str | None]
    first: Short
    last: Short
    records: Count
    expected: Count
    present: Count


class Head(Wire):
    """What a report is about and what it found in all.

    ``expected`` and ``present`` count records over all series, null where the contract names no step.
    ``until`` is the time of the newest record. ``untimed`` rows have no time that can be read.
    """

    line: Literal["report"]
    report: Literal[1]
    contract: ContractRef
    artifact: Digest | None
    at: Short | None
    rows: Count
    untimed: Count
    series: Count
    first: Short | None
    until: Short | None
    expected: Count | None
    present: Count | None
    rules: list[RuleSummary]
    unjudged: list[Unjudged]


ReportLine = Annotated[Head | SeriesLine | Finding, Field(discriminator="line")]
"""One line of a report."""
