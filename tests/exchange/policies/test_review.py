"""Who could see a dataset and why, and what was decided: reviews by people, which leave no trace."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.clock import FrozenClock, epoch_ms
from contracts.messages import (
    Condition,
    Duty,
    Hours,
    Level,
    Mask,
    MaskNull,
    MemberStatus,
    PurposeFields,
    ReceiptRole,
    Sharing,
    TransferRequest,
)
from exchange.agreements.facts import gather_application
from exchange.home import init
from exchange.policies.cases import ANY_PURPOSE, cases, ground_about
from exchange.policies.review import SLICE, judge
from exchange.transfers.facts import gather_transfer
from exchange.transfers.store import NO_USAGE, usage_about, usage_of
from policies.facts import ApplicationFacts
from tests.exchange.policies.askers import as_node, as_person, question
from tests.exchange.trading import DATASET, START, Alliance, Trade, trade_in
from tests.postgresql import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]

WHO_CAN, DECISIONS = "/operator/policy/who-can", "/operator/policy/decisions"


def review(alliance: Alliance, action: str, **query: Any) -> dict[str, dict[str, Any]]:
    """Ask as an auditor who could use the dataset; rows by participant and purpose."""
    answer = as_person(alliance, "auditor").get(WHO_CAN, dataset=DATASET, action=action, **query)
    assert answer.status_code == 200, answer.text
    return {f"{row['participant']} {row['purpose']}": row for row in answer.json()["rows"]}


def test_everybody_is_asked_about_for_every_purpose(alliance: Alliance) -> None:
    """Each member but the provider has a row a purpose, with its reasons in both languages."""
    provider, bank = alliance.join(), alliance.join(sector="finance")
    province = alliance.join()
    alliance.declare(
        provider,
        purposes=["joint-control", "green-credit"],
        purpose_fields=[PurposeFields(purpose="green-credit", fields=["humidity"])],
    )

    rows = review(alliance, "apply")

    outcomes = {name: row["outcome"] for name, row in rows.items()}
    assert outcomes == {
        f"{bank.id} green-credit": "permit",
        f"{bank.id} joint-control": "deny",
        f"{province.id} green-credit": "permit",
        f"{province.id} joint-control": "permit",
    }
    [reason] = rows[f"{bank.id} joint-control"]["reasons"]
    assert reason["code"] == "sector-not-named"
    assert reason["zh"]
    assert reason["en"]


def test_a_review_says_what_would_be_hidden(alliance: Alliance) -> None:
    """Dropped and masked fields stand in the row of the one from whom they are hidden."""
    provider, county = alliance.join(), alliance.join(level=Level.COUNTY)
    province = alliance.join()
    alliance.declare(
        provider, duties=[Duty(levels=[Level.COUNTY], obligation=Mask(field="humidity", how=MaskNull()))]
    )

    rows = review(alliance, "apply")

    assert rows[f"{county.id} joint-control"]["hidden"]["masked"] == ["humidity:null"]
    assert rows[f"{province.id} joint-control"]["hidden"]["masked"] == []
    kinds = [duty["kind"] for duty in rows[f"{county.id} joint-control"]["obligations"]]
    assert kinds == ["mask", "purpose-binding"]


def test_who_receives_now_stands_under_an_agreement(trade: Trade) -> None:
    """Only participants with an agreement in force can receive, each under the one that is named."""
    trade.alliance.join()

    rows = review(trade.alliance, "transfer")

    assert list(rows) == [f"{trade.consumer.id} joint-control"]
    [row] = rows.values()
    assert (row["outcome"], row["agreement"]) == ("permit", trade.agreement)


def test_an_agreement_that_is_over_carries_nobody(trade: Trade) -> None:
    """An agreement past its time is not in the review; at an earlier moment, supposed, it is."""
    trade.alliance.clock.advance(31 * 86400)

    assert review(trade.alliance, "transfer") == {}
    assert len(review(trade.alliance, "transfer", at=epoch_ms(START + timedelta(days=1)))) == 1


def test_who_may_not_act_is_told_why_and_who_never_came_is_left_out(alliance: Alliance) -> None:
    """A suspended member has a row with its status; invited and revoked ones have none."""
    provider, suspended, revoked = alliance.join(), alliance.join(), alliance.join()
    alliance.declare(provider)
    alliance.set_status(suspended, MemberStatus.SUSPENDED)
    alliance.set_status(revoked, MemberStatus.REVOKED)

    [row] = review(alliance, "apply").values()

    assert (row["participant"], row["status"], row["outcome"]) == (suspended.id, "suspended", "deny")
    assert [reason["code"] for reason in row["reasons"]] == ["consumer-not-active"]


def test_a_moment_and_an_address_can_be_supposed(alliance: Alliance) -> None:
    """Conditions on hours and networks are judged at the supposed moment, from the supposed address."""
    provider, consumer = alliance.join(), alliance.join()
    alliance.declare(
        provider, conditions=[Condition(hours=Hours(begin=8, end=10), networks=["10.51.0.0/16"])]
    )
    alliance.publish(provider)
    alliance.agreed(consumer)
    late = epoch_ms(START + timedelta(hours=2))

    def denials(**query: Any) -> list[str]:
        [row] = review(alliance, "transfer", **query).values()
        return [reason["code"] for reason in row["reasons"] if row["outcome"] == "deny"]

    assert denials(address="10.51.3.4") == []
    assert denials(address="10.52.3.4") == ["network-not-allowed"]
    assert denials(address="10.51.3.4", at=late) == ["hour-not-allowed"]
    assert denials() == ["network-not-allowed"]


def test_a_record_that_names_no_purpose_is_asked_for_any(alliance: Alliance) -> None:
    """Where every purpose is open, the review asks once, for any."""
    provider = alliance.join()
    alliance.join()
    alliance.declare(provider, purposes=[])

    [row] = review(alliance, "apply").values()

    assert (row["purpose"], row["outcome"]) == (ANY_PURPOSE, "permit")


def test_the_questions_of_a_review_are_those_of_the_acts(trade: Trade) -> None:
    """A review puts the very facts that the application and the transfer themselves would put."""
    parts, consumer = trade.alliance.parts, trade.consumer.id
    application = trade.alliance.application(trade.consumer)
    now = trade.alliance.clock.now()
    with parts.database.read() as session:
        ground = ground_about(session, now, DATASET, participant=consumer)
        request = TransferRequest(subscription=trade.subscription, release=2)
        transfer = gather_transfer(session, now, consumer=consumer, request=request).question
        apply = gather_application(session, now, application=application).question

    [reviewed] = cases(ground, "transfer")
    [applied] = cases(ground, "apply")

    assert reviewed.question == transfer
    until = ApplicationFacts(epoch_ms(application.until))
    assert replace(applied.question, application=until) == apply


def test_usage_is_counted_as_a_transfer_counts_it(trade: Trade) -> None:
    """Open grants and owed receipts over all subscriptions are those of each one alone."""
    assert_same_usage(trade)


@pytest.mark.real
def test_usage_is_counted_alike_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    """PostgreSQL counts as SQLite does."""
    home = tmp_path / "pg"
    init(
        home,
        origin="alliance.example/pg",
        public_url="http://127.0.0.1:8420",
        database_url=postgresql_url,
        clock=FrozenClock(START),
    )
    alliance = Alliance(home, FrozenClock(START))
    try:
        assert_same_usage(trade_in(alliance))
        assert review(alliance, "transfer")
    finally:
        alliance.close()


def assert_same_usage(trade: Trade) -> None:
    """Take a trade through an open grant, an owed receipt and a settled one, and count each time."""
    alliance = trade.alliance
    idle = alliance.agreed(alliance.join())

    def counted() -> tuple[int, int]:
        now = alliance.clock.now()
        with alliance.parts.database.read() as session:
            about = usage_about(session, DATASET, now)
            assert about.get(idle.subscription, NO_USAGE) == usage_of(session, idle.subscription, 9, now)
            found = about.get(trade.subscription, NO_USAGE)
            assert found == usage_of(session, trade.subscription, 9, now)
        return found.open_grants, found.owed_receipts

    nothing = counted()
    logged = alliance.request(trade.consumer, trade.subscription)
    alliance.deliver(trade.provider, logged, alliance.receipt(trade.provider, ReceiptRole.PROVIDER, logged))
    one_open = counted()
    alliance.clock.advance(7200)
    one_owed = counted()
    again = alliance.request(trade.consumer, trade.subscription)
    both = [
        alliance.receipt(node, role, again)
        for node, role in ((trade.provider, ReceiptRole.PROVIDER), (trade.consumer, ReceiptRole.CONSUMER))
    ]
    alliance.deliver(trade.consumer, again, *both)

    assert (nothing, one_open, one_owed, counted()) == ((0, 0), (1, 0), (0, 1), (0, 0))


def test_pages_of_a_review_follow_each_other(alliance: Alliance) -> None:
    """Pages of two rows hold together what one page of all holds, and a token fits its own review only."""
    provider = alliance.join()
    alliance.declare(provider)
    for _ in range(5):
        alliance.join()
    auditor = as_person(alliance, "auditor")
    query = {"dataset": DATASET, "action": "apply", "limit": 2}

    pages = [auditor.get(WHO_CAN, **query).json()]
    while pages[-1]["next"]:
        pages.append(auditor.get(WHO_CAN, **query, page=pages[-1]["next"]).json())
    foreign = auditor.get(WHO_CAN, **{**query, "action": "transfer"}, page=pages[0]["next"])

    assert [len(page["rows"]) for page in pages] == [2, 2, 1]
    names = [row["participant"] for page in pages for row in page["rows"]]
    assert names == sorted(set(names))
    assert (foreign.status_code, foreign.json()["code"]) == (400, "page-unknown")


def test_a_review_lets_others_be_served(alliance: Alliance) -> None:
    """After each slice of decisions the event loop turns, so a request beside a review is served."""
    provider = alliance.join()
    alliance.declare(provider)
    alliance.join()
    with alliance.parts.database.read() as session:
        [case] = cases(ground_about(session, START, DATASET), "apply")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def run() -> int:
        beside = asyncio.create_task(others())
        judged = [one async for one in judge(alliance.parts, [case] * (5 * SLICE))]
        beside.cancel()
        return len(judged)

    assert alliance.run(run()) == 5 * SLICE
    assert turns >= 5


def test_a_review_of_an_engine_that_cannot_decide_says_so(alliance: Alliance) -> None:
    """Where the engine is closed every row is undecided, with the fault as its reason, and none a permit."""
    provider = alliance.join()
    alliance.declare(provider)
    alliance.join()
    alliance.parts.policy.close()

    [row] = review(alliance, "apply").values()

    assert (row["outcome"], row["reasons"][0]["code"]) == ("indeterminate", "pdp:closed")


@pytest.mark.parametrize("path", [WHO_CAN, DECISIONS, f"{DECISIONS}/c-aaaaaaaaaaaa"])
def test_reviews_are_for_auditors_and_administrators(alliance: Alliance, path: str) -> None:
    """Operators and nodes are refused; an administrator gets an answer."""
    node = alliance.join()
    alliance.declare(alliance.join())
    query = {"dataset": DATASET, "action": "apply"} if path == WHO_CAN else {}

    refused = [
        asker.get(path, **query).status_code
        for asker in (as_person(alliance, "operator"), as_node(alliance, node))
    ]
    assert refused == [403, 403]
    assert as_person(alliance, "administrator").get(path, **query).status_code in {200, 404}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"dataset": "no-such-dataset", "action": "apply"}, 404),
        ({"dataset": "NOT A NAME", "action": "apply"}, 400),
        ({"dataset": DATASET, "action": "delete"}, 400),
        ({"dataset": DATASET, "action": "apply", "limit": 0}, 400),
        ({"dataset": DATASET, "action": "apply", "address": "somewhere"}, 400),
    ],
)
def test_a_review_of_what_is_not_there_is_refused(
    alliance: Alliance, query: dict[str, Any], code: int
) -> None:
    """Unknown datasets and odd parameters are named as such."""
    alliance.declare(alliance.join())

    assert as_person(alliance, "auditor").get(WHO_CAN, **query).status_code == code


def test_a_kept_permit_is_explained(trade: Trade) -> None:
    """A grant's decision is explained by the bundle that made it, and agrees with what is recorded."""
    trade.alliance.request(trade.consumer, trade.subscription)
    auditor = as_person(trade.alliance, "auditor")
    newest = auditor.get(DECISIONS, participant=trade.consumer.id, outcome="permit").json()["decisions"][0]

    told = auditor.get(f"{DECISIONS}/{newest['decision']}").json()

    assert (newest["action"], newest["dataset"]) == ("transfer", DATASET)
    assert told["agrees"] is True
    assert [cause["code"] for cause in told["explanation"]["causes"]] == ["agreement-in-force"]
    assert told["explanation"]["policy"] == trade.alliance.parts.policy.digest
    assert told["question"]["agreement"]["agreement"] == trade.agreement
    assert sum(len(one["covered"]) for one in told["explanation"]["coverage"]) > 10


def test_a_kept_denial_is_explained(alliance: Alliance) -> None:
    """What a refusal left behind leads from its decision's id to the policy's line and the fact."""
    provider, node = alliance.join(), alliance.join()
    alliance.declare(provider, sharing=Sharing.NOT_SHARED)
    denied = as_node(alliance, node).post("/access/v1/evaluation", question(node.id, "apply")).json()
    auditor = as_person(alliance, "auditor")

    told = auditor.get(f"{DECISIONS}/{denied['context']['decision_id']}").json()

    [cause] = told["explanation"]["causes"]
    assert (told["agrees"], cause["code"]) == (True, "dataset-not-shared")
    assert cause["facts"]["dataset.sharing"] == "not-shared"
    assert cause["places"]


def test_decisions_are_listed_by_what_is_asked_for(trade: Trade) -> None:
    """The list is narrowed by participant, dataset, outcome and time, newest first."""
    trade.alliance.clock.advance(60)
    trade.alliance.request(trade.consumer, trade.subscription)
    auditor = as_person(trade.alliance, "auditor")

    def listed(**query: Any) -> list[str]:
        return [one["action"] for one in auditor.get(DECISIONS, **query).json()["decisions"]]

    assert listed() == ["transfer", "apply"]
    assert listed(limit=1) == ["transfer"]
    assert listed(since=epoch_ms(START + timedelta(seconds=30))) == ["transfer"]
    assert listed(outcome="deny") == []
    assert listed(participant=trade.provider.id) == []
    assert listed(dataset="city-water") == []


def test_a_decision_that_is_not_kept_is_not_explained(alliance: Alliance) -> None:
    """An unknown decision is told as unknown, a malformed id as malformed."""
    auditor = as_person(alliance, "auditor")

    unknown = auditor.get(f"{DECISIONS}/c-aaaaaaaaaaaa")
    odd = auditor.get(f"{DECISIONS}/anything")

    assert (unknown.status_code, unknown.json()["code"]) == (404, "decision-unknown")
    assert odd.status_code == 400
