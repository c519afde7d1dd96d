"""Completeness over HTTP and on PostgreSQL: what nodes, auditors and strangers may ask."""

from pathlib import Path

import pytest

from audit.completeness.counts import totals
from audit.keys.signing import load_key
from audit.proofs.silence import verify_silence
from contracts.clock import FrozenClock, epoch_ms
from contracts.messages import (
    Abort,
    CountState,
    HeadsCut,
    HeadsCutList,
    OwnHeads,
    ReceiptState,
    TransferCount,
)
from exchange.completeness.reconciling import reconcile_folder
from exchange.home import init
from nodes.signed import sign_statement
from tests.exchange.completeness.cases import complete, count, cut, half, lines_of
from tests.exchange.completeness.cosigning import Cosigned
from tests.exchange.trading import START, Alliance, Trade, grant_of, trade_in
from tests.exchange.transfers.test_routes import BASE, by, send
from tests.postgresql import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]


def as_person(alliance: Alliance, role: str, method: str, path: str) -> int:
    """Send a request as a person; give the status."""
    key = load_key(alliance.parts.settings.home / "people" / f"{role}.key")
    return send(alliance, method, path, key=key, keyid=f"person:{role}").status_code


def test_the_whole_story_over_http(trade: Trade) -> None:
    """Cut, read the own heads, count, give up, prove silence: each answer has its shape."""
    alliance, cosigned = trade.alliance, Cosigned(trade)
    moved = complete(trade)
    assert as_person(alliance, "auditor", "POST", "/operator/heads") == 200
    (first,) = HeadsCutList.parse(by(alliance, trade.provider, "GET", "/heads?since=0")).cuts
    cosigned.publish()
    own = OwnHeads.parse(by(alliance, trade.provider, "GET", f"/heads/{first.number}"))
    lines = lines_of("provider", moved)
    sent, received = totals(lines)
    statement = TransferCount(
        participant=trade.provider.id,
        cut=first,
        sent=sent,
        received=received,
        lines=lines,
        at=alliance.clock.now(),
    )
    envelope = sign_statement(statement, trade.provider.key).text
    place = CountState.parse(by(alliance, trade.provider, "POST", "/counts", envelope))
    alliance.clock.advance(60)
    second = cut(trade)
    cosigned.publish()
    span = f"since={epoch_ms(first.until)}&until={epoch_ms(second.until)}"
    raw = by(alliance, trade.consumer, "GET", f"/subscriptions/{trade.subscription}/silence?{span}")

    assert own.heads[0].head.seq == 1
    assert place.index > first.index
    assert verify_silence(raw, cosigned.trust(), now=alliance.clock.now()).transfers == 1


def test_a_grant_is_given_up_over_http(trade: Trade) -> None:
    """The abort's envelope is the body, and the transfer's state the answer."""
    alliance = trade.alliance
    logged = half(trade)
    grant = grant_of(logged).grant
    abort = Abort(
        grant=grant,
        grant_index=logged.index,
        participant=trade.consumer.id,
        reason="download-broke",
        at=alliance.clock.now(),
    )
    envelope = sign_statement(abort, trade.consumer.key).text
    answer = by(alliance, trade.consumer, "POST", f"/transfers/{grant}/abort", envelope)

    assert ReceiptState.parse(answer).state == "aborted"
    assert by(alliance, trade.provider, "GET", f"/transfers/{grant}") == answer


@pytest.mark.parametrize(("role", "status"), [("auditor", 200), ("operator", 403), ("administrator", 403)])
def test_cuts_are_for_auditors(trade: Trade, role: str, status: int) -> None:
    """Only an auditor reads the cuts as a person, and only an auditor makes one."""
    assert as_person(trade.alliance, role, "POST", "/operator/heads") == status
    assert as_person(trade.alliance, role, "GET", "/operator/heads?since=0") == status


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/heads?since=0"),
        ("GET", "/heads/1"),
        ("POST", "/counts"),
        ("GET", "/subscriptions/s-zzzzzzzzzzzz/silence?since=0&until=1"),
        ("POST", "/transfers/g-zzzzzzzzzzzz/abort"),
        ("POST", "/operator/heads"),
    ],
)
def test_nothing_is_open_to_strangers(alliance: Alliance, method: str, path: str) -> None:
    """Without a signature there is no answer."""
    assert send(alliance, method, path).status_code == 401


@pytest.mark.real
def test_same_story_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    """The room and its migration work on PostgreSQL as they do on SQLite."""
    home = tmp_path / "pg"
    init(home, origin="a.example/pg", public_url=BASE, database_url=postgresql_url, clock=FrozenClock(START))
    alliance = Alliance(home, FrozenClock(START))
    try:
        trade = trade_in(alliance)
        moved = complete(trade)
        at: HeadsCut = cut(trade)
        count(trade, trade.provider, at, lines_of("provider", moved))
        count(trade, trade.consumer, at, lines_of("consumer", moved))
        found = reconcile_folder(home, None, now=alliance.clock.now())
    finally:
        alliance.close()

    assert found.ok
    assert [row.done for row in found.days] == [1]
