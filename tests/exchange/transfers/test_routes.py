"""The sharing rooms over HTTP: signed requests in, canonical messages or problems out."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from audit.httpsig import RequestSigner, sign_request
from audit.keys.signing import SigningKey, load_key
from audit.log.entry import EntryKind
from contracts.clock import FrozenClock
from contracts.messages import (
    AgreementAnswer,
    ApplicationView,
    Catalog,
    CatalogEntry,
    LoggedGrant,
    MemberStatus,
    ReceiptDelivery,
    ReceiptRole,
    ReceiptState,
    ReleaseEntry,
    ReleaseList,
    SubscriptionRequest,
    SubscriptionView,
    TransferRequest,
)
from exchange.app import create_app
from exchange.home import init
from nodes.signed import sign_statement
from tests.exchange.signers import Participant
from tests.exchange.trading import CONTRACT, DATASET, START, Alliance, Trade, grant_of, trade_in
from tests.postgresql import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]

BASE = "http://127.0.0.1:8420"


def send(
    alliance: Alliance,
    method: str,
    path: str,
    body: bytes | str = b"",
    *,
    key: SigningKey | None = None,
    keyid: str = "",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Send one request, signed when there is a key."""

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app=create_app(alliance.parts))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            auth = RequestSigner(key, keyid, alliance.clock) if key else None
            return await client.request(method, path, content=body, headers=headers, auth=auth)

    return asyncio.run(call())


def by(alliance: Alliance, node: Participant, method: str, path: str, body: Any = b"") -> bytes:
    """Send a request as a node; give the body of a good answer."""
    raw = body if isinstance(body, bytes | str) else body.canonical()
    response = send(alliance, method, path, raw, key=node.key, keyid=node.id)
    assert response.is_success, response.text
    return response.content


def test_whole_story_over_http(alliance: Alliance) -> None:
    """Register, declare, publish, find, apply, subscribe, receive, close: each answer has its shape."""
    provider, consumer = alliance.join(), alliance.join()
    registration = alliance.registration(provider)
    record = sign_statement(alliance.record(provider), provider.key).text
    manifest = sign_statement(alliance.manifest(provider), provider.key).text
    application = sign_statement(alliance.application(consumer), consumer.key).text

    by(alliance, provider, "POST", "/contracts", registration)
    contract = send(alliance, "GET", f"/contracts/{CONTRACT.id}/{CONTRACT.version}")
    CatalogEntry.parse(by(alliance, provider, "POST", "/datasets", record))
    release = by(alliance, provider, "POST", f"/datasets/{DATASET}/releases", manifest)
    found = Catalog.parse(by(alliance, consumer, "GET", "/catalog?q=air&sharing=conditional"))
    entry = CatalogEntry.parse(by(alliance, consumer, "GET", f"/datasets/{DATASET}"))
    view = ApplicationView.parse(by(alliance, consumer, "POST", "/applications", application))
    request = SubscriptionRequest(agreement=view.agreement or "")
    subscription = SubscriptionView.parse(by(alliance, consumer, "POST", "/subscriptions", request))
    feed = by(alliance, consumer, "GET", f"/subscriptions/{subscription.subscription}/releases?since=0")
    wanted = TransferRequest(subscription=subscription.subscription, release=1)
    logged = LoggedGrant.parse(by(alliance, consumer, "POST", "/transfers", wanted))
    delivery = ReceiptDelivery(
        grant=grant_of(logged).grant,
        provider_receipt=alliance.receipt(provider, ReceiptRole.PROVIDER, logged),
        consumer_receipt=alliance.receipt(consumer, ReceiptRole.CONSUMER, logged),
    )
    done = by(alliance, consumer, "POST", f"/transfers/{delivery.grant}/receipts", delivery)

    assert contract.text == registration
    assert ReleaseEntry.parse(release).manifest_envelope == manifest
    assert found.datasets == [entry]
    assert ReleaseList.parse(feed).releases == [ReleaseEntry.parse(release)]
    assert ReceiptState.parse(done).state == "done"
    assert by(alliance, provider, "GET", f"/transfers/{delivery.grant}") == done
    assert by(alliance, provider, "GET", f"/applications/{view.application}") == view.canonical()
    assert view.application.encode() in by(alliance, provider, "GET", "/applications")
    assert subscription.subscription.encode() in by(alliance, provider, "GET", "/subscriptions")
    by(alliance, consumer, "POST", f"/agreements/{view.agreement}/end", b'{"why":"finished"}')
    assert len(alliance.entries(EntryKind.AGREEMENT_END)) == 1


def test_held_application_is_answered_over_http(alliance: Alliance) -> None:
    """A person's answer reaches the exchange as the provider's signed request."""
    provider, consumer = alliance.join(manner="hold"), alliance.join()
    alliance.declare(provider)
    name = alliance.apply(consumer).application
    refusal = AgreementAnswer(outcome="refused")

    raw = by(alliance, provider, "POST", f"/applications/{name}/answer", refusal)

    assert ApplicationView.parse(raw).state == "refused"


SIGNED = (
    ("POST", "/contracts"),
    ("POST", "/datasets"),
    ("GET", "/datasets/city-air"),
    ("GET", "/catalog"),
    ("POST", "/datasets/city-air/releases"),
    ("GET", "/datasets/city-air/releases"),
    ("POST", "/applications"),
    ("GET", "/applications"),
    ("GET", "/applications/q-aaaaaaaaaaaa"),
    ("POST", "/applications/q-aaaaaaaaaaaa/answer"),
    ("POST", "/agreements/a-aaaaaaaaaaaa/end"),
    ("POST", "/subscriptions"),
    ("GET", "/subscriptions"),
    ("GET", "/subscriptions/s-aaaaaaaaaaaa/releases"),
    ("POST", "/transfers"),
    ("POST", "/transfers/g-aaaaaaaaaaaa/receipts"),
    ("GET", "/transfers/g-aaaaaaaaaaaa"),
    ("GET", "/events"),
    ("GET", "/operator/events"),
)


def test_every_route_wants_a_signature_in_good_standing(alliance: Alliance) -> None:
    """Unsigned requests get 401 and suspended nodes 403, before any room hears of them."""
    node = alliance.join()
    alliance.set_status(node, MemberStatus.SUSPENDED)
    size = len(alliance.entries())

    unsigned = {(m, p): send(alliance, m, p).status_code for m, p in SIGNED}
    suspended = {(m, p): send(alliance, m, p, key=node.key, keyid=node.id).status_code for m, p in SIGNED}

    assert set(unsigned.values()) == {401}
    assert set(suspended.values()) == {403}
    assert len(alliance.entries()) == size


def test_suspended_consumer_gets_no_grant(trade: Trade) -> None:
    """A good request of a suspended consumer is refused by its standing; no grant, no deny, no policy."""
    alliance = trade.alliance
    alliance.set_status(trade.consumer, MemberStatus.SUSPENDED)
    request = TransferRequest(subscription=trade.subscription, release=1).canonical()

    response = send(alliance, "POST", "/transfers", request, key=trade.consumer.key, keyid=trade.consumer.id)

    assert (response.status_code, response.json()["code"]) == (403, "member-not-active")
    assert alliance.entries(EntryKind.GRANT) == alliance.entries(EntryKind.DENY) == []


def test_receipts_of_a_quarantined_consumer_close_the_transfer(trade: Trade) -> None:
    """Evidence of what was done before is taken: both receipts close the transfer, and no grant follows."""
    alliance = trade.alliance
    logged = alliance.request(trade.consumer, trade.subscription)
    alliance.set_status(trade.consumer, MemberStatus.QUARANTINED)
    both = [
        alliance.receipt(node, role, logged)
        for node, role in ((trade.provider, ReceiptRole.PROVIDER), (trade.consumer, ReceiptRole.CONSUMER))
    ]
    grant = grant_of(logged).grant
    delivery = ReceiptDelivery(grant=grant, provider_receipt=both[0], consumer_receipt=both[1])
    state = ReceiptState.parse(by(alliance, trade.consumer, "POST", f"/transfers/{grant}/receipts", delivery))
    request = TransferRequest(subscription=trade.subscription, release=2).canonical()
    refused = send(alliance, "POST", "/transfers", request, key=trade.consumer.key, keyid=trade.consumer.id)

    assert state.state == "done"
    assert refused.json()["code"] == "member-not-active"


def test_signed_request_counts_once(trade: Trade) -> None:
    """A request that is sent again with the same nonce is refused."""
    alliance = trade.alliance
    request = TransferRequest(subscription=trade.subscription, release=1).canonical()
    headers = sign_request(
        "POST",
        f"{BASE}/transfers",
        request,
        key=trade.consumer.key,
        keyid=trade.consumer.id,
        clock=alliance.clock,
    )

    first = send(alliance, "POST", "/transfers", request, headers=headers)
    again = send(alliance, "POST", "/transfers", request, headers=headers)

    assert first.status_code == 200
    assert (again.status_code, again.json()["code"]) == (401, "replayed")


def test_denial_is_a_problem_with_reasons(trade: Trade) -> None:
    """A denial reads as RFC 9457 with the code refused and the reasons in both languages."""
    alliance = trade.alliance
    alliance.clock.advance(31 * 86400)
    request = TransferRequest(subscription=trade.subscription, release=1).canonical()

    response = send(alliance, "POST", "/transfers", request, key=trade.consumer.key, keyid=trade.consumer.id)

    problem = response.json()
    assert (response.status_code, problem["code"]) == (403, "refused")
    assert problem["facts"]["reasons"][0].startswith("agreement-expired: ")


def test_events_are_for_nodes_and_auditors(alliance: Alliance, tmp_path: Path) -> None:
    """A node reads the events, an auditor too; an operator does not."""
    node = alliance.join()
    people = {
        role: load_key(alliance.parts.settings.home / "people" / f"{role}.key")
        for role in ("auditor", "operator")
    }

    answers = {
        role: send(alliance, "GET", "/operator/events", key=key, keyid=f"person:{role}").status_code
        for role, key in people.items()
    }

    assert by(alliance, node, "GET", "/events?since=0") == b'{"events":[]}'
    assert answers == {"auditor": 200, "operator": 403}


@contextmanager
def _on_postgresql(url: str, home: Path) -> Iterator[Alliance]:
    init(home, origin="alliance.example/pg", public_url=BASE, database_url=url, clock=FrozenClock(START))
    alliance = Alliance(home, FrozenClock(START))
    try:
        yield alliance
    finally:
        alliance.close()


@pytest.mark.real
def test_same_story_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    """The rooms and their migration work on PostgreSQL as they do on SQLite."""
    with _on_postgresql(postgresql_url, tmp_path / "pg") as alliance:
        trade = trade_in(alliance)
        logged = alliance.request(trade.consumer, trade.subscription)
        both = [
            alliance.receipt(node, role, logged)
            for node, role in ((trade.provider, ReceiptRole.PROVIDER), (trade.consumer, ReceiptRole.CONSUMER))
        ]

        state = alliance.deliver(trade.consumer, logged, *both)
        with alliance.parts.database.read() as session:
            tally = alliance.parts.hooks.tally(session)

    assert state.state == "done"
    assert (tally.datasets, tally.releases, tally.granted, tally.done, tally.bytes) == (1, 2, 1, 1, 4)
