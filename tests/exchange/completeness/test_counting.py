"""Counts: what nodes sign is held against the log, and every difference, or silence, is told to all."""

import pytest

from audit.keys.signing import SignatureInvalid
from audit.log.entry import EntryKind
from contracts.messages import CountLine, HeadsCut, MemberStatus, SecurityEvent, TransferCount
from exchange.completeness import counting, model
from exchange.completeness.model import CountContradicts, CountForeign, CutUnknown
from exchange.incidents import flow as incidents
from exchange.transfers.expiry import expire_grants
from nodes.signed import peek_statement, sign_statement
from tests.exchange.completeness.cases import complete, count, cut, half, hand_in, lines_of
from tests.exchange.trading import Trade


def events(trade: Trade) -> list[SecurityEvent]:
    """Give the security events so far."""
    listed = incidents.events(trade.alliance.parts, 0).events
    return [peek_statement(one, SecurityEvent).statement for one in listed]


def test_counts_that_agree_are_logged_and_raise_nothing(trade: Trade) -> None:
    """Both sides count what a window found done; the log commits to their words, and all is quiet."""
    moved = complete(trade)
    at = cut(trade)
    place = count(trade, trade.provider, at, lines_of("provider", moved))
    count(trade, trade.consumer, at, lines_of("consumer", moved))

    sent, received = trade.alliance.entries(EntryKind.COUNT)
    assert (sent.fields["part"], sent.fields["sent"], sent.fields["recv"]) == (trade.provider.id, 1, 0)
    assert (received.fields["sent"], received.fields["recv"]) == (0, 1)
    assert trade.alliance.parts.log.entry(place.index) == sent.encode()
    assert events(trade) == []


def test_what_a_cut_did_not_find_is_not_compared(trade: Trade) -> None:
    """A transfer that is closed after the cut belongs to the next one, however early its receipts were."""
    logged = half(trade)
    first = cut(trade)
    count(trade, trade.provider, first, [])
    alliance = trade.alliance
    moved = complete(trade)  # the open grant, now with both receipts
    second = cut(trade)
    count(trade, trade.provider, second, lines_of("provider", moved))

    assert moved[0].grant in logged.grant_envelope or moved[0].seq == 1
    assert [one.fields["sent"] for one in alliance.entries(EntryKind.COUNT)] == [0, 1]
    assert events(trade) == []


@pytest.mark.parametrize("omission", ["dropped", "duplicated", "other bytes", "other grant", "reordered"])
@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_every_difference_is_found(trade: Trade, omission: str, side: str) -> None:
    """Whatever a node's books have that the log has not, or the other way round, raises a HIGH event."""
    (grant, receipt), second = complete(trade), complete(trade, release=2)
    at = cut(trade)
    books = {
        "dropped": [(grant, receipt)],
        "duplicated": [(grant, receipt), second, (grant.model_copy(update={"seq": 3}), receipt)],
        "other bytes": [(grant, receipt.model_copy(update={"view_size_bytes": 5})), second],
        "other grant": [(grant.model_copy(update={"grant": "g-zzzzzzzzzzzz"}), receipt), second],
        "reordered": [
            (grant.model_copy(update={"seq": 2}), receipt),
            (second[0].model_copy(update={"seq": 1}), second[1]),
        ],
    }[omission]
    node = trade.provider if side == "provider" else trade.consumer
    count(trade, node, at, lines_of(side, *books))

    (event,) = events(trade)
    assert (event.event_class, event.severity, event.subject) == (model.MISMATCH, "high", node.id)
    assert event.facts["first"] == trade.subscription


def test_an_unlogged_delivery_is_found(trade: Trade) -> None:
    """A side that counts a delivery of which the log has only an expiry is heard by all."""
    logged = half(trade)
    alliance = trade.alliance
    alliance.clock.advance(alliance.parts.settings.grant_ttl_seconds)
    alliance.run(expire_grants(alliance.parts))
    at = cut(trade)
    moved = complete(trade)  # logged after the cut, and counted as if it were before
    count(trade, trade.provider, at, lines_of("provider", moved))

    assert logged.index > 0
    assert [one.event_class for one in events(trade)] == [model.MISMATCH]


def test_the_same_count_again_is_the_same(trade: Trade) -> None:
    """A node may send again after a crash; one count is logged, and another one for the window is refused."""
    moved = complete(trade)
    at = cut(trade)
    first = count(trade, trade.provider, at, lines_of("provider", moved))

    assert count(trade, trade.provider, at, lines_of("provider", moved)) == first
    with pytest.raises(CountContradicts):
        count(trade, trade.provider, at, [])
    assert len(trade.alliance.entries(EntryKind.COUNT)) == 1


def _count(trade: Trade, at: HeadsCut, lines: list[CountLine], **changes: object) -> TransferCount:
    values = {
        "participant": trade.provider.id,
        "cut": at,
        "sent": len(lines),
        "received": 0,
        "lines": lines,
        "at": trade.alliance.clock.now(),
    }
    return TransferCount.model_validate({**values, **changes})


def test_a_count_of_something_else_is_refused(trade: Trade) -> None:
    """A count names a cut that the log has, as it is there, and adds up; signed by whom it names."""
    moved = complete(trade)
    at = cut(trade)
    lines = lines_of("provider", moved)
    provider, parts = trade.provider, trade.alliance.parts

    with pytest.raises(CutUnknown):
        hand_in(trade, provider, _count(trade, at.model_copy(update={"number": 2}), lines))
    with pytest.raises(CountForeign):
        hand_in(trade, provider, _count(trade, at.model_copy(update={"size": 9}), lines))
    with pytest.raises(CountForeign):
        hand_in(trade, provider, _count(trade, at, lines, sent=2))
    with pytest.raises(CountForeign):
        hand_in(trade, provider, _count(trade, at, [*lines, *lines], sent=2))
    forged = sign_statement(_count(trade, at, lines), trade.consumer.key).text
    with pytest.raises(SignatureInvalid):
        trade.alliance.run(counting.take_count(parts, provider.caller, forged))
    assert trade.alliance.entries(EntryKind.COUNT) == []


def test_a_count_that_does_not_come_is_missed(trade: Trade) -> None:
    """After the grace each side without a count is named once; a suspended member owes none."""
    moved = complete(trade)
    at = cut(trade)
    count(trade, trade.provider, at, lines_of("provider", moved))
    alliance = trade.alliance

    def tick() -> int:
        return alliance.run(counting.miss_counts(alliance.parts))

    alliance.clock.advance(alliance.parts.settings.count_grace_seconds)
    assert tick() == 0
    alliance.clock.advance(1)
    assert [tick(), tick()] == [1, 0]
    (event,) = events(trade)
    assert (event.event_class, event.subject) == (model.MISSING, trade.consumer.id)


def test_a_suspended_member_owes_no_count(trade: Trade) -> None:
    """Who may not act is not missed."""
    complete(trade)
    cut(trade)
    alliance = trade.alliance
    for node in (trade.provider, trade.consumer):
        alliance.set_status(node, MemberStatus.SUSPENDED)
    alliance.clock.advance(alliance.parts.settings.count_grace_seconds + 1)

    assert alliance.run(counting.miss_counts(alliance.parts)) == 0


def test_a_late_count_is_still_compared(trade: Trade) -> None:
    """A count that was missed may still come, and is logged and judged like any other."""
    moved = complete(trade)
    at = cut(trade)
    alliance = trade.alliance
    alliance.clock.advance(alliance.parts.settings.count_grace_seconds + 1)
    alliance.run(counting.miss_counts(alliance.parts))
    count(trade, trade.provider, at, lines_of("provider", moved))
    count(trade, trade.consumer, at, [])

    assert len(alliance.entries(EntryKind.COUNT)) == 2
    assert [one.event_class for one in events(trade)] == [model.MISSING, model.MISSING, model.MISMATCH]
