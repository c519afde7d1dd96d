"""Cuts of the heads: when they are made, what they say, and that the log's entries alone say the same."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.completeness.heads import heads_root
from audit.log.entry import EntryKind
from contracts.clock import epoch_ms
from contracts.messages import SubscriptionHeads
from exchange.completeness import cutting
from exchange.completeness.heads import heads_bytes
from exchange.transfers.expiry import expire_grants
from tests.exchange.completeness.cases import complete, cut, half, walked_heads
from tests.exchange.trading import START, Trade


def test_a_cut_says_where_every_subscription_stands(trade: Trade) -> None:
    """The entry carries number and root of the heads; a subscription without a transfer has none."""
    before = cut(trade)
    complete(trade)
    half(trade, release=2)
    after = cut(trade)

    with trade.alliance.parts.database.read() as session:
        (head,) = SubscriptionHeads.parse(heads_bytes(trade.alliance.parts, session)).heads
    entry = trade.alliance.entries(EntryKind.HEADS)[-1]
    assert (before.size, after.size) == (0, 1)
    assert (head.subscription, head.seq, head.provider) == (trade.subscription, 2, trade.provider.id)
    assert [one.state for one in head.open_grants] == ["open"]
    assert entry.fields["root"] == after.root == heads_root([head])


def test_windows_have_no_gaps(trade: Trade) -> None:
    """A window begins where the one before ended; the first begins with the log."""
    founded = epoch_ms(trade.alliance.entries()[0].at)
    cuts = []
    for _ in range(3):
        trade.alliance.clock.advance(60)
        cuts.append(cut(trade))

    entries = trade.alliance.entries(EntryKind.HEADS)
    assert [one.fields["since"] for one in entries] == [founded, *(e.fields["until"] for e in entries[:-1])]
    assert [one.fields["until"] for one in entries] == [epoch_ms(one.at) for one in entries]
    assert [one.number for one in cuts] == [1, 2, 3]


def test_a_day_is_cut_once_and_at_midnight_in_beijing(trade: Trade) -> None:
    """Nothing before 00:00 UTC+8, one cut after it, none twice; days without a process are one window."""
    alliance = trade.alliance
    midnight = START.replace(hour=16)

    def tick() -> bool:
        return alliance.run(cutting.cut_when_day_is_over(alliance.parts)) is not None

    alliance.clock.advance((midnight - START - timedelta(milliseconds=1)).total_seconds())
    assert not tick()
    alliance.clock.advance(0.001)
    assert [tick(), tick()] == [True, False]
    alliance.clock.advance(3 * 86400)
    assert [tick(), tick()] == [True, False]


def test_a_clock_that_goes_back_makes_an_empty_window(trade: Trade) -> None:
    """A cut that seems to be before the last one ends where it began, so the next has no gap either."""
    first = cut(trade)
    trade.alliance.clock.advance(-60)
    second = cut(trade)

    assert second.since == second.until == first.until


STEPS = ("done", "half", "wait", "expire", "cut")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(STEPS), max_size=8))
def test_the_entries_alone_give_the_same_heads(trade: Trade, steps: list[str]) -> None:
    """Whatever happened, the rows and the log's entries below a cut say the same, byte for byte."""
    alliance = trade.alliance
    for step in steps:
        match step:
            case "done":
                complete(trade)
            case "half":
                half(trade)
            case "wait":
                alliance.clock.advance(700)
            case "expire":
                alliance.run(expire_grants(alliance.parts))
            case "cut":
                cut(trade)
    last = cut(trade)

    heads = walked_heads(trade, last.index)
    row = cutting.find_cut(alliance.parts, last.number)
    assert SubscriptionHeads(heads=heads).canonical() == row.document
    assert heads_root(heads) == last.root
