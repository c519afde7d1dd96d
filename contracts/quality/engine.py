"""Examine rows that keep their contract by the contract's quality rules.

A row stays whatever is found about it: only wrong types, formats and hard ranges keep a row out of a release.
The same contract, rows and moment give the same report, byte for byte, at the provider and at whoever
received the rows; so a finding can be argued about. One column of all rows is in memory at a time.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from contracts.promises import QualityRule
from contracts.quality import completeness, following, recomputing, single
from contracts.quality.episodes import Found
from contracts.quality.finding import Unjudged
from contracts.quality.ground import Ground, NotJudged
from contracts.quality.report import Outcome, Report
from contracts.quality.rows import Rows
from contracts.schema import Contract

Judge = Callable[[Any, Ground], Iterator[Found]]  # Any: each judge takes the rule of its kind


def examine(
    contract: Contract, rows: Rows, at: datetime | None = None, *, artifact: str | None = None
) -> Report:
    """Judge ``rows`` by every quality rule of ``contract``.

    ``at`` is the moment of release, by which timeliness is judged; ``artifact`` is the digest of the file
    that holds the rows.
    """
    ground = Ground(contract, rows, at)
    return Report(ground, tuple(_outcome(rule, ground) for rule in contract.quality), artifact)


def _outcome(rule: QualityRule, ground: Ground) -> Outcome:
    found: list[Found] = []
    unjudged: dict[str, Unjudged] = {}
    for judge in _JUDGES[rule.kind]:
        try:
            found.extend(each for each in judge(rule, ground) if len(each.episodes))
        except NotJudged as reason:
            unjudged[reason.reason.en] = Unjudged(rule=rule.id, reason=reason.reason)
    return Outcome(rule, tuple(found), tuple(unjudged.values()))


_JUDGES: dict[str, tuple[Judge, ...]] = {
    "complete-series": (completeness.complete_series,),
    "timely": (following.timely,),
    "stuck": (following.stuck,),
    "sentinel": (single.sentinel,),
    "ordered": (single.ordered,),
    "plausible": (single.plausible,),
    "jump": (following.jump,),
    "duplicate": (following.duplicate,),
    "clock-shift": (following.going_back, following.off_grid, following.ahead),
    "missing": (single.missing,),
    "known-code": (single.known_code,),
    "copied": (single.copied,),
    "recomputed": (recomputing.recomputed,),
}
