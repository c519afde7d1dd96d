"""What was found about the rows of one release, and the report's bytes.

A report is NDJSON: a head, then a line for each series with its completeness, then a line for each finding in
the order of rules, fields, series and time. Keys are sorted and there are no fractions, so the same findings
are the same bytes, and the report's digest binds it to the signed manifest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from hashlib import sha256

import orjson
import polars as pl

from contracts.canonical import MAX_INTEGER
from contracts.clock import rfc3339
from contracts.messages import FindingCount, Wire, utc
from contracts.promises import DIMENSIONS, QualityRule
from contracts.quality.completeness import Grid, presence
from contracts.quality.episodes import Found
from contracts.quality.finding import Finding, Head, RuleSummary, SeriesLine, Unjudged
from contracts.quality.ground import Ground, NotJudged
from contracts.quality.moments import SECOND
from contracts.quality.words import describe


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule found, and why it could not be judged where it could not."""

    rule: QualityRule
    found: tuple[Found, ...]
    unjudged: tuple[Unjudged, ...]

    def summary(self) -> RuleSummary:
        """Add up the findings."""
        rule, frames = self.rule, [found.episodes for found in self.found]
        return RuleSummary(
            rule=rule.id,
            title=rule.title,
            kind=rule.kind,
            severity=rule.severity,
            dimension=DIMENSIONS[rule.kind],
            event=rule.event,
            records=sum(int(frame["records"].sum()) for frame in frames),
            findings=sum(map(len, frames)),
            series=len(set().union(*(frame["code"].unique().to_list() for frame in frames))),
        )


@dataclass(frozen=True)
class Report:
    """The findings of one release; they are held as columns and written out one by one."""

    ground: Ground
    outcomes: tuple[Outcome, ...]
    artifact: str | None = None

    @cached_property
    def rules(self) -> tuple[RuleSummary, ...]:
        """Give what each rule found, in the order of the contract."""
        return tuple(outcome.summary() for outcome in self.outcomes)

    @property
    def unjudged(self) -> tuple[Unjudged, ...]:
        """Give the rules that could not be judged, wholly or in part."""
        return tuple(one for outcome in self.outcomes for one in outcome.unjudged)

    def counts(self) -> list[FindingCount]:
        """Give what leaves with the release: of each rule that found something, how many records."""
        return [rule.count() for rule in self.rules if rule.records]

    @cached_property
    def head(self) -> Head:
        """Give the figures of the whole release."""
        ground, filled = self.ground, self._presence
        grid, lines = filled if filled is not None else (None, None)
        first, until = self._span()
        expected, present = None, None
        # What a canonical message cannot hold is no count of records: some time lies ages from the others.
        if grid is not None and lines is not None and grid.slots * len(lines) <= MAX_INTEGER:
            expected, present = grid.slots * len(lines), int(lines["present"].sum())
        return Head(
            line="report",
            report=1,
            contract=ground.contract.ref(),
            artifact=self.artifact,
            at=None if ground.at is None else rfc3339(utc(ground.at)),
            rows=ground.rows.count,
            untimed=self._untimed(),
            series=0 if lines is None else len(lines),
            first=first,
            until=until,
            expected=expected,
            present=present,
            rules=list(self.rules),
            unjudged=list(self.unjudged),
        )

    @property
    def latency_seconds(self) -> int | None:
        """Give what passed from the end of the newest record's period to the release; None if unknown."""
        ground = self.ground
        try:
            newest = ground.times.to_frame("at").select(pl.col("at").max()).item()
            released = ground.released_ms
        except NotJudged:
            return None
        step = ground.series.step_seconds or 0
        return int(released - newest) // SECOND - step

    def series(self) -> Iterator[SeriesLine]:
        """Give the completeness of each series."""
        if self._presence is None:
            return
        grid, lines = self._presence
        sequenced = self.ground.sequenced
        for line in lines.iter_rows(named=True):
            yield SeriesLine(
                line="series",
                series=list(sequenced.key(line["code"])),
                first=sequenced.shown.text(line["first"]),
                last=sequenced.shown.text(line["last"]),
                records=line["records"],
                expected=grid.slots,
                present=line["present"],
            )

    def findings(self) -> Iterator[Finding]:
        """Give every finding; none is left out."""
        for outcome in self.outcomes:
            for found in outcome.found:
                yield from self._written(outcome.rule, found)

    def lines(self) -> Iterator[bytes]:
        """Give the report's bytes, line by line."""
        for part in (iter([self.head]), self.series(), self.findings()):
            for line in part:
                yield _spelled(line)

    def digest(self) -> str:
        """Name the report by the digest of its bytes."""
        hasher = sha256()
        for line in self.lines():
            hasher.update(line)
        return f"sha256:{hasher.hexdigest()}"

    @cached_property
    def _presence(self) -> tuple[Grid, pl.DataFrame] | None:
        try:
            return presence(self.ground)
        except NotJudged:
            return None

    def _span(self) -> tuple[str | None, str | None]:
        try:
            times = self.ground.times
        except NotJudged:
            return None, None
        text = self.ground.sequenced.shown.text
        first, last = times.to_frame("at").select(first=pl.col("at").min(), last=pl.col("at").max()).row(0)
        return text(first), text(last)

    def _untimed(self) -> int:
        try:
            return self.ground.sequenced.untimed if self.ground.contract.series is not None else 0
        except NotJudged:
            return 0

    def _written(self, rule: QualityRule, found: Found) -> Iterator[Finding]:
        sequenced, timed = self.ground.sequenced, self.ground.contract.series is not None
        for row in found.episodes.iter_rows(named=True):
            value = plain(row["value"])
            yield Finding(
                line="finding",
                rule=rule.id,
                kind=rule.kind,
                severity=rule.severity,
                dimension=DIMENSIONS[rule.kind],
                aspect=found.aspect,
                series=list(sequenced.key(row["code"])) if timed else [],
                fields=list(found.fields),
                first=None if row["first"] is None else sequenced.shown.text(row["first"]),
                last=None if row["last"] is None else sequenced.shown.text(row["last"]),
                records=row["records"],
                expected=row["expected"],
                value=value,
                rows=row["rows"],
                detail=describe(
                    rule,
                    found.fields,
                    found.aspect,
                    records=row["records"],
                    expected=row["expected"],
                    value=value,
                ),
            )


def plain(value: float | str | bool | None) -> str | None:  # a cell of any column
    """Write a cell as text, and a number without exponent and without a fraction that says nothing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _spelled(line: Wire) -> bytes:
    return orjson.dumps(line.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
