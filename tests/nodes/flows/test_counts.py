"""A node judges every cut by its own books, says what contradicts them, and signs what they count."""

import pytest

from audit.log.entry import EntryKind, parse_entry
from contracts.messages import SubscriptionHead, TransferCount
from nodes.broker import ExchangeSilent
from nodes.counting import counts
from nodes.counting.counts import COUNT_NOT_LOGGED, HEADS_DIFFER, NOT_LOGGED, HeadsUnproved
from nodes.node import Node
from nodes.outbox import tick as outbox_tick
from nodes.receiving.pull import PullOptions, pull
from nodes.signed import peek_statement
from tests.nodes.completeness_exchange import Heads
from tests.nodes.sharing import DATASET, World, rows

DAY = 86_400


def moved(world: World, releases: int = 1) -> str:
    """Let releases move and settle on both sides; give the subscription."""
    subscription = world.ready()
    for number in range(1, releases):
        world.publish(rows(40, first=100 * number), name=f"buoy-{number}.ndjson")
    pull(world.consumer, DATASET, PullOptions(connect=world.direct))
    settle(world)
    return subscription


def settle(world: World) -> None:
    """Let both outboxes empty."""
    for _ in range(2):
        for node in (world.consumer, world.provider):
            outbox_tick(node)
        world.clock.advance(0.6)


def codes(node: Node) -> list[tuple[str, str]]:
    """Give the class and the code, where there is one, of each alarm of a node."""
    return [(one.event_class, str(one.facts.get("code", ""))) for one in node.alarms.after()]


def count_of(world: World, node: Node, number: int) -> TransferCount:
    """Give what the exchange took as a node's count."""
    return world.exchange.counts[node.participant, number][0]


def test_both_sides_count_what_a_cut_found_done(world: World) -> None:
    """Each signs, from its own books, the same transfers under the same root; nobody is alarmed."""
    moved(world, releases=2)
    world.exchange.cut()

    assert [counts.tick(node) for node in (world.provider, world.consumer)] == [1, 1]
    sent, received = (count_of(world, node, 1) for node in (world.provider, world.consumer))
    assert (sent.sent, sent.received, received.sent, received.received) == (2, 0, 0, 2)
    assert sent.lines[0].root == received.lines[0].root
    assert codes(world.provider) == codes(world.consumer) == []


def test_a_count_is_proved_once_it_is_witnessed(world: World) -> None:
    """A count is handed in again until the log proves that it holds these very words."""
    moved(world)
    world.exchange.cut()
    counts.tick(world.consumer)
    (row,) = counts.judged_cuts(world.consumer)

    assert row.proved
    assert row.entry is not None
    assert parse_entry(world.exchange.entries[row.entry]).kind is EntryKind.COUNT


def test_every_transfer_is_counted_in_one_window(world: World) -> None:
    """What one cut found done, the next does not count again; a quiet window counts nothing."""
    moved(world)
    world.exchange.cut()
    counts.tick(world.consumer)
    world.publish(rows(40, first=100), name="later.ndjson")
    world.clock.advance(60)
    world.exchange.cut()
    pull(world.consumer, DATASET, PullOptions(connect=world.direct))
    settle(world)
    world.exchange.cut()
    counts.tick(world.consumer)

    assert [count_of(world, world.consumer, number).received for number in (1, 2, 3)] == [1, 0, 1]


def test_nothing_is_judged_before_a_quorum_has_seen_it(world: World) -> None:
    """A cut that is not witnessed waits, and so does everything after it."""
    moved(world)
    world.exchange.cut()
    world.exchange.witnessing = False
    assert counts.tick(world.consumer) == 0

    world.exchange.witnessing = True
    assert counts.tick(world.consumer) == 1


def test_a_delivery_closed_late_raises_no_false_alarm(world: World) -> None:
    """Receipts that reach the log only after the cut belong to the next window, without an alarm."""
    world.ready()
    pull(world.consumer, DATASET, PullOptions(connect=world.direct))  # signed, and not handed in so far
    world.clock.advance(1200)
    world.exchange.cut()
    settle(world)
    counts.tick(world.consumer)
    world.exchange.cut()
    counts.tick(world.consumer)

    assert [count_of(world, world.consumer, number).received for number in (1, 2)] == [0, 1]
    assert codes(world.consumer) == []


def _drop(heads: Heads) -> Heads:
    return []


def _go_back(heads: Heads) -> Heads:
    return [head.model_copy(update={"seq": 1}) for head in heads]


def _reopen(heads: Heads) -> Heads:
    return [head.model_copy(update={"open_grants": []}) for head in heads]


def _double(heads: Heads) -> Heads:
    return [head.model_copy(update={"seq": head.seq + 1}) for head in heads]


@pytest.mark.parametrize(
    ("spoil", "code"), [(_drop, "grant-left-out"), (_go_back, "grant-left-out"), (_double, "done-without-us")]
)
@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_heads_that_contradict_the_books_are_told(world: World, side: str, spoil: object, code: str) -> None:
    """A head that leaves out what this node signed for, or has more, is an alarm of this node's own."""
    moved(world, releases=2)
    world.exchange.spoil_heads = spoil  # type: ignore[assignment]  # parametrized functions lose their type
    world.exchange.cut()
    node: Node = getattr(world, side)
    counts.tick(node)

    assert (HEADS_DIFFER, code) in codes(node)
    assert node.participant in {participant for participant, _ in world.exchange.counts} or spoil is _drop


def test_a_done_that_is_only_said_is_told(world: World) -> None:
    """A grant that a head lists no longer must have a closing entry; without one it counts as nothing."""
    subscription = world.ready()
    world.present(world.granted(subscription))
    world.exchange.spoil_heads = _reopen
    world.exchange.cut()
    counts.tick(world.provider)

    assert (HEADS_DIFFER, "done-unproved") in codes(world.provider)
    assert count_of(world, world.provider, 1).sent == 0


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("pr", "sha256:" + "9" * 64, "receipt-differs"),
        ("cr", "sha256:" + "9" * 64, "receipt-differs"),
        ("len", 7, "done-differs"),
    ],
)
def test_a_closing_entry_with_other_words_is_told(world: World, field: str, value: object, code: str) -> None:
    """A closing entry that names other receipts or another length than this node signed for is no closing."""
    world.ready()
    world.exchange.spoil_closing = {field: value}
    pull(world.consumer, DATASET, PullOptions(connect=world.direct))
    settle(world)
    world.exchange.cut()
    counts.tick(world.consumer)

    assert (HEADS_DIFFER, code) in codes(world.consumer)
    assert count_of(world, world.consumer, 1).received == 0


def test_a_done_that_is_taken_back_is_told(world: World) -> None:
    """What one cut found done cannot be open in the next."""
    moved(world)
    world.exchange.cut()
    counts.tick(world.consumer)
    (transfer,) = world.exchange.transfers.values()

    def reopen(heads: Heads) -> Heads:
        shown = {
            "grant": transfer.grant.grant,
            "seq": 1,
            "origin": "log.example/2026",
            "index": transfer.logged.index,
            "state": "open",
        }
        return [
            SubscriptionHead.model_validate(head.model_dump() | {"open_grants": [shown]}) for head in heads
        ]

    world.exchange.spoil_heads = reopen
    world.exchange.cut()
    counts.tick(world.consumer)

    assert (HEADS_DIFFER, "done-taken-back") in codes(world.consumer)


def test_a_delivery_that_is_never_logged_is_told(world: World) -> None:
    """Both receipts are in the exchange's hands for a window, and the log has no closing: an alarm."""
    world.ready()
    world.exchange.cut()
    world.clock.advance(1)
    pull(world.consumer, DATASET, PullOptions(connect=world.direct))
    world.exchange.refuse_receipts = True
    settle(world)
    world.clock.advance(DAY)
    world.exchange.issue_directory()  # the one before expires after a day
    world.exchange.cut()
    counts.tick(world.consumer)
    first = codes(world.consumer)
    world.clock.advance(DAY)
    world.exchange.issue_directory()  # the one before expires after a day
    world.exchange.cut()
    counts.tick(world.consumer)

    assert first == []  # refused for less than a whole window: not yet
    assert codes(world.consumer) == [(NOT_LOGGED, "")]


def test_a_gap_between_cuts_is_refused(world: World) -> None:
    """Windows follow one another, or nothing is judged."""
    moved(world)
    world.exchange.cut()
    counts.tick(world.consumer)
    cut, heads = world.exchange.cuts[0]
    world.clock.advance(10)
    world.exchange.cuts[0] = (cut.model_copy(update={"until": world.clock.now()}), heads)
    world.clock.advance(10)
    world.exchange.cut()

    with pytest.raises(HeadsUnproved):
        counts.tick(world.consumer)


def test_a_cut_that_the_log_does_not_hold_is_refused(world: World) -> None:
    """What the exchange says of a cut is believed only as the witnessed entry says it."""
    moved(world)
    cut = world.exchange.cut()
    world.exchange.cuts[0] = (cut.model_copy(update={"size": 2}), world.exchange.cuts[0][1])

    with pytest.raises(HeadsUnproved):
        counts.tick(world.consumer)


def test_a_count_that_the_log_does_not_hold_is_told(world: World) -> None:
    """An exchange that logs other words for a count is found by the node that counted."""
    moved(world)
    world.exchange.forget_counts = True
    world.exchange.cut()
    counts.tick(world.consumer)

    assert codes(world.consumer) == [(COUNT_NOT_LOGGED, "heads-unproved")]


def test_a_count_is_sent_again_after_a_crash(world: World) -> None:
    """A count is kept before it is sent: the same words go out when the exchange is back."""
    moved(world)
    world.exchange.cut()
    answer = world.consumer.broker.hand_in_count

    def silent(_count: str) -> object:
        raise ExchangeSilent

    world.consumer.broker.hand_in_count = silent  # type: ignore[method-assign, assignment]  # breaks off here
    with pytest.raises(ExchangeSilent):
        counts.tick(world.consumer)
    (row,) = counts.judged_cuts(world.consumer)
    world.consumer.broker.hand_in_count = answer  # type: ignore[method-assign]  # and is back
    counts.tick(world.consumer)

    assert row.count is not None
    assert count_of(world, world.consumer, 1) == peek_statement(row.count, TransferCount).statement
