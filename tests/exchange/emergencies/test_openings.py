"""What an emergency opens: what is done in its name, where the record opted in, and for its time only."""

from datetime import timedelta

import pytest

from audit.log.entry import EntryKind
from contracts.errors import Refused
from contracts.messages import Agreement, ApplicationView, Scope
from exchange.agreements import flow as agreements
from exchange.emergencies import flow, store
from exchange.members.store import current_revocations
from exchange.retention import flow as retention
from nodes.signed import peek_statement
from policies.decision import Decision, Question
from tests.exchange.emergencies.declaring import DAY, WANG, declare, end, events, later, prepared
from tests.exchange.meddling import with_policy
from tests.exchange.signers import Participant
from tests.exchange.trading import DATASET, Alliance, grant_of


def refusal(alliance: Alliance, consumer: Participant, subscription: str) -> list[str]:
    """Ask for a release that is refused; give the codes."""
    with pytest.raises(Refused) as refused:
        alliance.request(consumer, subscription)
    reasons = refused.value.facts["reasons"]
    assert isinstance(reasons, list)
    return [str(reason).partition(":")[0] for reason in reasons]


def test_only_a_declared_emergency_opens_the_data(alliance: Alliance) -> None:
    """Before and after it the purpose is refused; within it the record's conditions are waived."""
    _, consumer, subscription = prepared(alliance)
    before = refusal(alliance, consumer, subscription.subscription)
    found = declare(alliance)
    grant = grant_of(alliance.request(consumer, subscription.subscription))
    later(alliance, DAY)
    after = refusal(alliance, consumer, subscription.subscription)

    assert "no-emergency" in before
    assert grant.purpose == "emergency-response"
    assert grant.expires_at <= found.statement.until
    assert "no-emergency" in after


def test_a_grant_ends_with_the_emergency(alliance: Alliance) -> None:
    """A grant of the last minute lives for that minute."""
    _, consumer, subscription = prepared(alliance)
    found = declare(alliance)
    later(alliance, DAY - timedelta(seconds=60))

    assert grant_of(alliance.request(consumer, subscription.subscription)).expires_at == found.statement.until


def test_an_early_end_revokes_what_is_open(alliance: Alliance) -> None:
    """Open grants go on the revocation list, which providers look at before each answer; done ones do not."""
    _, consumer, subscription = prepared(alliance)
    found = declare(alliance)
    past = grant_of(alliance.request(consumer, subscription.subscription, 1))
    later(alliance, timedelta(hours=1))
    still_open = grant_of(alliance.request(consumer, subscription.subscription, 2))
    end(alliance, found.statement.emergency)
    with alliance.parts.database.read() as session:
        revoked = current_revocations(session)["grant"]
    (entry,) = alliance.entries(EntryKind.EMERGENCY_END)

    assert revoked == [still_open.grant]
    assert past.grant not in revoked
    assert (entry.fields["why"], entry.fields["n"]) == ("ended-by-administrator", 1)
    assert events(alliance)[-1].facts == {
        "emergency": found.statement.emergency,
        "why": "ended-by-administrator",
        "grants": 1,
    }


def test_the_next_emergency_takes_up_no_revoked_grant(alliance: Alliance) -> None:
    """What ended with one emergency is granted anew under another."""
    _, consumer, subscription = prepared(alliance)
    first = declare(alliance)
    one = grant_of(alliance.request(consumer, subscription.subscription))
    again = grant_of(alliance.request(consumer, subscription.subscription))
    end(alliance, first.statement.emergency)
    declare(alliance)
    other = grant_of(alliance.request(consumer, subscription.subscription))

    assert one.grant == again.grant != other.grant


@pytest.mark.parametrize(
    "scope",
    [
        Scope(territories=["420000"]),
        Scope(territories=["510100"]),
        Scope(territories=["510000"], themes=["water"]),
        Scope(territories=["510000"], datasets=["another-dataset"]),
    ],
)
def test_an_emergency_elsewhere_opens_nothing(alliance: Alliance, scope: Scope) -> None:
    """Territory, theme and dataset all have to fit."""
    _, consumer, subscription = prepared(alliance)
    declare(alliance, scope=scope)

    assert "no-emergency" in refusal(alliance, consumer, subscription.subscription)


def test_an_emergency_makes_no_other_purpose_easier(alliance: Alliance) -> None:
    """Under any other purpose the question carries no emergency, and the conditions hold."""
    _, consumer, _ = prepared(alliance)
    view = alliance.apply(consumer, DATASET, purpose="joint-control")
    subscription = alliance.subscribe(consumer, view.agreement)
    declare(alliance)

    assert refusal(alliance, consumer, subscription.subscription) == ["network-not-allowed"]


def test_whoever_did_not_opt_in_keeps_the_conditions(alliance: Alliance) -> None:
    """The emergency is a fact for the dataset, and its record waives nothing."""
    _, consumer, subscription = prepared(alliance, emergency=False)
    declare(alliance)

    assert refusal(alliance, consumer, subscription.subscription) == ["network-not-allowed"]


def test_what_is_agreed_in_an_emergency_ends_with_it(alliance: Alliance) -> None:
    """Terms that a provider signs at once do not outlast the emergency; those made ahead do."""
    _, consumer, _ = prepared(alliance)
    other = alliance.join()
    (ahead,) = agreements.applications(alliance.parts, consumer.caller)
    found = declare(alliance)
    within = alliance.apply(other, DATASET, purpose="emergency-response")

    assert terms_of(within).expires_at == found.statement.until
    assert terms_of(ahead).expires_at == alliance.clock.now() + timedelta(days=30)


def test_without_opting_in_terms_last_as_long_as_was_asked(alliance: Alliance) -> None:
    """A provider that is asked first agrees to what it likes."""
    prepared(alliance, emergency=False, conditions=[])
    other = alliance.join()
    declare(alliance)
    within = alliance.apply(other, DATASET, purpose="emergency-response")

    assert terms_of(within).expires_at == alliance.clock.now() + timedelta(days=30)


def terms_of(view: ApplicationView) -> Agreement:
    """Read the terms that both sides signed."""
    assert view.agreement_envelope is not None
    return peek_statement(view.agreement_envelope, Agreement).statement


def test_the_one_that_lasts_longest_counts(alliance: Alliance) -> None:
    """Of two emergencies over one dataset the grant is noted under the longer one."""
    _, consumer, subscription = prepared(alliance)
    declare(alliance)
    longer = declare(alliance, life=2 * DAY)
    grant = grant_of(alliance.request(consumer, subscription.subscription))
    with alliance.parts.database.read() as session:
        under = store.emergency_of_grant(session, grant.grant)

    assert under == longer.statement.emergency


def test_what_was_granted_under_it_goes_with_the_other_evidence(alliance: Alliance) -> None:
    """After its time nobody can tell any more which dataset went to whom in an emergency."""
    _, consumer, subscription = prepared(alliance)
    name = declare(alliance).statement.emergency
    alliance.request(consumer, subscription.subscription)
    before = len(flow.shown(alliance.parts, name).uses)
    later(alliance, timedelta(days=6 * 366))
    day = alliance.clock.now().date() - timedelta(days=5 * 366 + 1)
    _, erased = alliance.run(retention.erase(alliance.parts, WANG, day))

    assert (before, erased.emergency_uses) == (1, 1)
    assert flow.shown(alliance.parts, name).uses == ()


def test_the_fact_is_read_again_at_commit(alliance: Alliance) -> None:
    """An emergency that ends while the policy decides leads to a refusal and to no grant."""
    _, consumer, subscription = prepared(alliance)
    name = declare(alliance).statement.emergency
    engine = Interrupted(alliance, name)
    alliance.parts = with_policy(alliance.parts, engine)

    assert "no-emergency" in refusal(alliance, consumer, subscription.subscription)
    assert engine.seen == [name, None]
    assert alliance.entries(EntryKind.GRANT) == []


class Interrupted:
    """The engine, but the emergency ends while it decides for the first time."""

    def __init__(self, alliance: Alliance, emergency: str) -> None:
        self._parts, self._emergency = alliance.parts, emergency
        self.seen: list[str | None] = []

    @property
    def digest(self) -> str:
        """Name the policy in force."""
        return self._parts.policy.digest

    async def decide(self, question: Question) -> Decision:
        """Decide, and end the emergency meanwhile."""
        self.seen.append(None if question.emergency is None else question.emergency.emergency)
        if len(self.seen) == 1:
            await flow.end(self._parts, WANG, self._emergency, "the intakes are clean")
        return await self._parts.policy.decide(question)

    def close(self) -> None:
        """Close the engine."""
        self._parts.policy.close()
