"""The ledger keeps the questions behind entries: what was permitted, what was refused, and nothing else."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from audit.log.entry import EntryKind
from contracts.clock import epoch_ms
from contracts.errors import Refused
from contracts.messages import PurposeBinding
from exchange.incidents.model import LOGGED_DENIALS, TooManyDenials
from exchange.policies import ledger
from exchange.policies.ledger import Kept
from exchange.policies.store import Which
from exchange.retention import flow as retention
from policies.decision import Decision, Question
from policies.embedded import EmbeddedEngine
from tests.exchange.policies.office import Office
from tests.exchange.trading import DATASET, START, Alliance, Trade, grant_of
from tests.policies.questions import TRANSFER


def _kept(alliance: Alliance, limit: int = 100) -> list[Kept]:
    with alliance.parts.database.read() as session:
        return ledger.decisions(session, Which(limit=limit))


def test_a_grant_keeps_its_question(trade: Trade) -> None:
    """The decision that a grant names is found with its question, which gives the same answer once more."""
    logged = trade.alliance.request(trade.consumer, trade.subscription)
    grant = grant_of(logged)
    with trade.alliance.parts.database.read() as session:
        kept = ledger.find_decision(session, grant.decision)

    assert kept is not None
    assert (kept.outcome, kept.policy, kept.action) == ("permit", grant.policy, "transfer")
    assert (kept.participant, kept.dataset, kept.purpose) == (trade.consumer.id, DATASET, grant.purpose)
    assert (kept.origin, kept.index) == (trade.alliance.parts.log.origin, logged.index)
    assert list(kept.obligations()) == grant.obligations
    assert any(isinstance(duty, PurposeBinding) for duty in kept.obligations())
    again = EmbeddedEngine(trade.alliance.parts.policy.bundle).decide_now(kept.asked())
    assert (again.outcome, again.revision) == ("permit", kept.revision)


def test_an_application_keeps_its_question(trade: Trade) -> None:
    """A permitted application stands beside its ``application.open`` entry."""
    (kept,) = [one for one in _kept(trade.alliance) if one.action == "apply"]
    (entry,) = trade.alliance.entries(EntryKind.APPLICATION_OPEN)

    assert kept.codes == ["may-apply"]
    assert trade.alliance.entries()[kept.index] == entry


def test_a_denial_keeps_its_question_and_reasons(trade: Trade) -> None:
    """A refusal with an entry of its own is found by the decision that the entry names."""
    with pytest.raises(Refused):
        trade.alliance.apply(trade.consumer, purpose="never-offered")
    entry = trade.alliance.entries(EntryKind.DENY)[-1]
    with trade.alliance.parts.database.read() as session:
        kept = ledger.find_decision(session, str(entry.fields["dec"]))

    assert kept is not None
    assert kept.outcome == "deny"
    assert kept.codes == list(entry.fields["why"])  # type: ignore[arg-type]  # a list of codes
    assert all(reason.zh and reason.en for reason in kept.reasons())
    assert kept.asked().purpose == "never-offered"


def test_what_led_to_nothing_is_not_kept(trade: Trade) -> None:
    """A grant that is given again, and refusals that are only counted, leave no row."""
    trade.alliance.request(trade.consumer, trade.subscription)
    before = len(_kept(trade.alliance))
    trade.alliance.request(trade.consumer, trade.subscription)
    again = len(_kept(trade.alliance))
    for _ in range(LOGGED_DENIALS + 3):
        with pytest.raises((Refused, TooManyDenials)):
            trade.alliance.apply(trade.consumer, purpose="never-offered")

    assert again == before
    assert len(_kept(trade.alliance)) == before + LOGGED_DENIALS


def test_decisions_are_listed_newest_first_and_filtered(trade: Trade) -> None:
    """An auditor asks by participant, dataset, outcome and time."""
    trade.alliance.clock.advance(60)
    since = trade.alliance.clock.now()
    trade.alliance.request(trade.consumer, trade.subscription)
    with trade.alliance.parts.database.read() as session:
        newest = ledger.decisions(session, Which(limit=1))
        late = ledger.decisions(session, Which(since=since))
        none = ledger.decisions(session, Which(participant=trade.provider.id))
        denied = ledger.decisions(session, Which(outcome="deny"))
        other = ledger.decisions(session, Which(dataset="other"))

    assert [one.action for one in newest] == ["transfer"]
    assert late == newest
    assert (none, denied, other) == ([], [], [])


def test_facts_that_cannot_be_written_are_refused_all_the_same(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Odd facts end in a refusal with its entry; there is no question to keep, and none is invented."""
    odd = replace(TRANSFER, purpose="\ud800")  # no such text in UTF-8

    async def decide(_question: Question) -> Decision:
        return EmbeddedEngine(trade.alliance.parts.policy.bundle).decide_now(odd)

    monkeypatch.setattr(trade.alliance.parts.policy, "decide", decide)
    with pytest.raises(Refused):
        trade.alliance.request(trade.consumer, trade.subscription)

    assert trade.alliance.entries(EntryKind.DENY)[-1].fields["why"] == ["pdp.bad-input"]


def test_old_decisions_are_erased(trade: Trade, office: Office) -> None:
    """Erasure takes questions and answers of before the day, and leaves those of after it."""
    trade.alliance.request(trade.consumer, trade.subscription)
    before = len(_kept(trade.alliance))
    trade.alliance.clock.advance(timedelta(days=6 * 366).total_seconds())
    with pytest.raises(Refused):
        trade.alliance.apply(trade.consumer, purpose="never-offered")
    cutoff = (START + timedelta(days=2)).date()
    _, erased = trade.alliance.run(
        retention.erase(trade.alliance.parts, office.person("administrator"), date.fromisoformat(str(cutoff)))
    )

    assert (before, erased.decisions) == (2, 2)
    assert [one.outcome for one in _kept(trade.alliance)] == ["deny"]
    assert _kept(trade.alliance)[0].at_ms == epoch_ms(trade.alliance.clock.now())
