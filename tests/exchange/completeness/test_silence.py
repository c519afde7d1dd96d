"""Proofs of silence: a file that a stranger verifies offline, and every way in which it must not hold."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from audit.formats.packed import pack, unpack
from audit.formats.quorum import QuorumMissing
from audit.proofs.silence import (
    BadSilenceProof,
    SilenceNotProven,
    encode_silence,
    is_silence_file,
    read_silence,
    verify_silence,
)
from contracts.messages import HeadsCut
from exchange.completeness.model import CutUnknown
from exchange.completeness.silence import own_heads, party_silence, prove_silence
from exchange.log.flow import NotYetWitnessed
from exchange.subscriptions.model import SubscriptionUnknown
from exchange.transfers.expiry import expire_grants
from tests.exchange.completeness.cases import complete, cut, half
from tests.exchange.completeness.cosigning import Cosigned
from tests.exchange.trading import Trade


@pytest.fixture
def cosigned(trade: Trade) -> Cosigned:
    """Give a trade under two witnesses."""
    return Cosigned(trade)


def quiet(cosigned: Cosigned) -> tuple[HeadsCut, HeadsCut]:
    """Move one release, then let an hour pass between two cuts in which nothing happens."""
    trade = cosigned.trade
    complete(trade)
    first = cut(trade)
    trade.alliance.clock.advance(3600)
    second = cut(trade)
    cosigned.publish()
    return first, second


def proof(trade: Trade, since: datetime, until: datetime) -> bytes:
    """Let the exchange write the file."""
    return prove_silence(trade.alliance.parts.database, trade.subscription, since=since, until=until)


def test_a_stranger_verifies_that_nothing_was_sent(cosigned: Cosigned) -> None:
    """The trust root is enough to say: which subscription, between whom, from when to when."""
    trade = cosigned.trade
    first, second = quiet(cosigned)
    raw = proof(trade, first.until + timedelta(minutes=5), second.until - timedelta(minutes=5))
    verdict = verify_silence(raw, cosigned.trust(), now=trade.alliance.clock.now())

    assert is_silence_file(raw)
    assert (verdict.subscription, verdict.transfers) == (trade.subscription, 1)
    assert (verdict.provider, verdict.consumer) == (trade.provider.id, trade.consumer.id)
    assert (verdict.dataset, verdict.purpose) == ("city-air", "joint-control")
    assert (verdict.since, verdict.until) == (first.until, second.until)
    assert len(verdict.witnesses) == 2
    assert verdict.not_proven


def test_a_subscription_that_never_had_a_transfer_is_silent(cosigned: Cosigned) -> None:
    """What is in neither tree is proved to be in neither."""
    trade = cosigned.trade
    first = cut(trade)
    trade.alliance.clock.advance(60)
    second = cut(trade)
    cosigned.publish()
    raw = proof(trade, first.until, second.until)
    verdict = verify_silence(raw, cosigned.trust(), now=trade.alliance.clock.now())

    assert (verdict.transfers, verdict.provider, verdict.dataset) == (0, None, None)


@pytest.mark.parametrize("step", ["granted", "done", "closed", "first", "open"])
def test_what_was_sent_cannot_be_denied(cosigned: Cosigned, step: str) -> None:
    """A grant, a closing, a first transfer, or a grant that was open all the while: no silence."""
    trade = cosigned.trade
    alliance = trade.alliance
    if step != "first":
        complete(trade)
    if step in {"closed", "open"}:
        half(trade, release=2)
    first = cut(trade)
    alliance.clock.advance(60)
    if step == "granted":
        half(trade, release=2)
    elif step in {"done", "first"}:
        complete(trade, release=1)
    elif step == "closed":
        alliance.clock.advance(700)
        alliance.run(expire_grants(alliance.parts))
    alliance.clock.advance(60)
    second = cut(trade)
    cosigned.publish()

    with pytest.raises(SilenceNotProven):
        proof(trade, first.until, second.until)


def test_only_the_sides_may_ask(cosigned: Cosigned) -> None:
    """A party gets its own proof, and nobody else's."""
    trade = cosigned.trade
    first, second = quiet(cosigned)
    stranger = trade.alliance.join()
    parts = trade.alliance.parts

    raw = party_silence(
        parts, trade.provider.caller, trade.subscription, since=first.until, until=second.until
    )
    assert raw == proof(trade, first.until, second.until)
    with pytest.raises(SubscriptionUnknown):
        party_silence(parts, stranger.caller, trade.subscription, since=first.until, until=second.until)


def test_own_heads_are_own_only(cosigned: Cosigned) -> None:
    """A cut shows each side the heads of its own subscriptions, and a stranger none."""
    trade = cosigned.trade
    first, _ = quiet(cosigned)
    parts, stranger = trade.alliance.parts, trade.alliance.join()

    shown = own_heads(parts, trade.consumer.caller, first.number)
    assert [one.head.subscription for one in shown.heads] == [trade.subscription]
    assert own_heads(parts, stranger.caller, first.number).heads == []
    with pytest.raises(CutUnknown):
        own_heads(parts, trade.consumer.caller, 9)


def test_without_cuts_around_nothing_is_proved(cosigned: Cosigned) -> None:
    """Moments outside the first and the last cut are not covered."""
    trade = cosigned.trade
    first, second = quiet(cosigned)
    day = timedelta(days=1)

    for since, until in ((first.until - day, second.until), (first.until, second.until + day)):
        with pytest.raises(CutUnknown):
            proof(trade, since, until)


def test_without_a_quorum_nothing_is_proved(cosigned: Cosigned) -> None:
    """The exchange writes no file before a quorum has cosigned, and a verifier believes none."""
    trade = cosigned.trade
    complete(trade)
    first = cut(trade)
    trade.alliance.clock.advance(60)
    second = cut(trade)
    with pytest.raises(NotYetWitnessed):
        proof(trade, first.until, second.until)

    cosigned.publish()
    raw = proof(trade, first.until, second.until)
    strangers = Cosigned(trade).trust()
    with pytest.raises(QuorumMissing):
        verify_silence(raw, strangers, now=trade.alliance.clock.now())


def test_a_spoilt_file_proves_nothing(cosigned: Cosigned) -> None:
    """Another head, swapped cuts, another subscription, or another agreement: each is refused."""
    trade = cosigned.trade
    first, second = quiet(cosigned)
    whole = read_silence(proof(trade, first.until, second.until))
    shown = whole.until.shown[0]
    assert whole.agreement is not None
    spoilt = [
        replace(whole, since=whole.until, until=whole.since),
        replace(whole, since=whole.until),
        replace(whole, subscription="s-zzzzzzzzzzzz"),
        replace(whole, until=replace(whole.until, shown=())),
        replace(
            whole,
            until=replace(
                whole.until,
                shown=(shown.model_copy(update={"head": shown.head.model_copy(update={"seq": 2})}),),
            ),
        ),
        replace(whole, until=replace(whole.until, entry=whole.agreement[1])),
        replace(whole, agreement=(whole.agreement[0], whole.until.entry)),
    ]

    for one in spoilt:
        with pytest.raises(SilenceNotProven):
            verify_silence(encode_silence(one), cosigned.trust(), now=trade.alliance.clock.now())


def test_every_flipped_byte_is_noticed(cosigned: Cosigned) -> None:
    """No bit of the file can change without the file being refused."""
    trade = cosigned.trade
    first, second = quiet(cosigned)
    raw = proof(trade, first.until, second.until)
    trust, now = cosigned.trust(), trade.alliance.clock.now()

    for at in range(0, len(raw), 37):
        changed = raw[:at] + bytes([raw[at] ^ (1 << at % 8)]) + raw[at + 1 :]
        with pytest.raises(SilenceNotProven):
            verify_silence(changed, trust, now=now)


def test_another_spelling_is_refused(cosigned: Cosigned) -> None:
    """A file has one spelling: the same checkpoint twice is another."""
    trade = cosigned.trade
    first, second = quiet(cosigned)
    plain = unpack(proof(trade, first.until, second.until), max_packed_bytes=10**6, max_plain_bytes=10**7)

    with pytest.raises(BadSilenceProof):
        read_silence(pack(plain.replace(b'"checkpoints":[', b'"checkpoints":["",', 1)))
