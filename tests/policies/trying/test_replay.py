"""A replay counts what would come out otherwise, and calls anything that shows more by its name."""

import pytest

from contracts.messages import Expiry, Mask, MaskNull, MaskRound, Obligation
from policies.decision import Decision, Question
from policies.reasons import explain
from policies.trying.replay import SAMPLES, difference_between, is_weaker, replay
from tests.policies.questions import APPLY

ROUND = Mask(field="wind", how=MaskRound(digits=1))
NULL = Mask(field="wind", how=MaskNull())
LASTS = Expiry(days=30)


def _decision(*duties: Obligation, codes: tuple[str, ...] = ("may-apply",), allowed: bool = True) -> Decision:
    return Decision(
        allowed=allowed,
        outcome="permit" if allowed else "deny",
        reasons=tuple(explain(code) for code in codes),
        obligations=duties,
        policy_digest="sha256:" + "0" * 64,
        decision_id="c-aaaaaaaaaaaa",
        engine="test",
        revision="",
        valid_until_ms=0,
    )


REFUSED = _decision(codes=("action-unknown",), allowed=False)


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (_decision(NULL), _decision(NULL), None),
        (REFUSED, REFUSED, None),
        (REFUSED, _decision(), "permitted"),
        (_decision(), REFUSED, "refused"),
        (_decision(NULL), _decision(), "weakened"),
        (_decision(), _decision(NULL), "tightened"),
        (REFUSED, _decision(codes=("facts-incomplete",), allowed=False), "reasons"),
        (_decision(), _decision(codes=("may-apply", "may-apply")), "reasons"),
    ],
)
def test_each_difference_has_its_name(before: Decision, after: Decision, difference: str | None) -> None:
    """Outcomes come first, then what is demanded, then why."""
    assert difference_between(before, after) == difference


def test_one_obligation_that_is_lost_is_a_weakening() -> None:
    """Each obligation of before is asked of all those of after; more of them are no weakening."""
    assert is_weaker((ROUND, LASTS), (LASTS, NULL)) is False
    assert is_weaker((ROUND, LASTS), (NULL,)) is True


def test_a_report_counts_and_shows_a_few() -> None:
    """Each difference is counted whole; the samples name decision, dataset, purpose and both answers."""
    asked = [(f"c-{number}", APPLY) for number in range(SAMPLES + 5)]
    report = replay(lambda _: REFUSED, lambda _: _decision(), asked)
    document = report.document()

    assert (report.asked, report.same, report.widens) == (SAMPLES + 5, 0, True)
    assert document["permitted"] == SAMPLES + 5
    assert len(report.samples) == SAMPLES
    assert report.samples[0].document() == {
        "decision": "c-0",
        "difference": "permitted",
        "dataset": APPLY.dataset.dataset,
        "purpose": APPLY.purpose,
        "before": ["action-unknown"],
        "after": ["may-apply"],
    }


@pytest.mark.parametrize(
    ("after", "widens"),
    [(_decision(NULL), False), (_decision(), True), (REFUSED, False)],
)
def test_showing_more_widens_as_permitting_more_does(after: Decision, *, widens: bool) -> None:
    """A permit that hides less is as much a widening as a permit that was none."""

    def before(_question: Question) -> Decision:
        return _decision(NULL)

    assert replay(before, lambda _: after, [("c-1", APPLY)]).widens is widens
