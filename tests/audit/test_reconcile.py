"""Reconciliation: a true history adds up, and whatever is left out, doubled or moved is found."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from audit.completeness.reconcile import PairDay, Reconciliation
from audit.formats.merkle import leaf_hash
from audit.log.entry import Entry, EntryKind
from tests.audit.stories import CONSUMER, PROVIDER, Story

STEPS = ("grant", "grant-other", "done", "expire", "abort", "late", "deny", "cut", "shard")
TRANSFERS = (EntryKind.GRANT, EntryKind.DONE, EntryKind.EXPIRE, EntryKind.ABORT)


def told(steps: list[str]) -> Story:
    """Play a history; it ends with a cut and both sides' counts."""
    story = Story()
    for step in steps:
        waiting = [one for one in story.grants if one.state == "open"]
        closed = [one for one in story.grants if one.state in {"expired", "aborted"}]
        match step:
            case "grant":
                story.grant()
            case "grant-other":
                story.grant("s-secondxxxxxx")
            case "done" if waiting:
                story.done(waiting[0])
            case "expire" if waiting:
                story.expire(waiting[-1])
            case "abort" if waiting:
                story.abort(waiting[0])
            case "late" if closed:
                story.done(closed[0])
            case "deny":
                story.deny()
            case "cut":
                story.cut()
                story.counts()
            case "shard":
                story.next_shard(f"audit.example/{len(story.shards)}")
    story.cut()
    story.counts()
    return story


def walk(entries: list[tuple[int, Entry]]) -> Reconciliation:
    """Follow entries as an auditor does."""
    found = Reconciliation()
    for index, entry in entries:
        found.follow(index, entry, leaf_hash(entry.encode()))
    return found


def codes(found: Reconciliation) -> list[str]:
    """Give the codes of what does not fit."""
    return [one.code for one in found.problems]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=25))
def test_a_true_history_adds_up(steps: list[str]) -> None:
    """Whatever happened, over any number of shards: nothing is out of place, and every grant has one end."""
    story = told(steps)
    found = walk(story.placed())
    rows = found.days()

    assert found.problems == []
    assert sum(row.granted for row in rows) == len(story.grants)
    for row in rows:
        assert row.granted == row.done + row.aborted + row.expired + row.open
        assert row.asked == row.granted + row.denied
    states = [one.state for one in story.grants]
    for state in ("done", "aborted", "expired", "open"):
        assert sum(getattr(row, state) for row in rows) == states.count(state)
    assert found.windows[-1].missing == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(STEPS), min_size=4, max_size=20), st.data())
def test_a_dropped_or_doubled_entry_is_found(steps: list[str], data: st.DataObject) -> None:
    """Any one entry of a transfer that is left out, told twice, or moved behind its successor is found."""
    story = told(["grant", "done", *steps])
    placed = story.placed()
    at = data.draw(st.sampled_from([n for n, (_, entry) in enumerate(placed) if entry.kind in TRANSFERS]))
    how = data.draw(st.sampled_from(["dropped", "doubled"]))
    changed = placed[:at] + placed[at + 1 :] if how == "dropped" else [*placed[: at + 1], *placed[at:]]

    assert codes(walk(changed)) != []


def test_two_entries_in_the_wrong_order_are_found() -> None:
    """The order of one subscription's entries is part of what its chain says."""
    placed = told(["grant", "done", "grant", "done"]).placed()
    places = [n for n, (_, entry) in enumerate(placed) if entry.kind in TRANSFERS]
    for first, second in pairwise(places):
        changed = list(placed)
        changed[first], changed[second] = changed[second], changed[first]

        assert "chain-broken" in codes(walk(changed))


def test_an_omission_with_everything_recomputed_is_found_by_the_counts() -> None:
    """An exchange that leaves out a delivery and makes all the rest fit is contradicted by both sides."""
    story = Story()
    story.done(story.grant())
    lost = story.grant()
    story.done(lost, logged=False)
    story.expire(lost)
    story.cut()
    story.counts()

    found = walk(story.placed())
    assert [(one.code, one.about) for one in found.problems] == [
        ("count-differs", PROVIDER),
        ("count-differs", CONSUMER),
    ]


def test_an_invented_delivery_is_found_by_the_counts() -> None:
    """A ``done`` that neither side signed for is in nobody's count."""
    story = Story()
    story.done(story.grant())
    story.books = []
    story.cut()
    story.counts()

    assert codes(walk(story.placed())) == ["count-differs", "count-differs"]


def test_heads_that_say_something_else_are_found() -> None:
    """A cut with another root, another size, or a gap before it does not fit the entries."""
    placed = told(["grant", "done"]).placed()
    at = next(n for n, (_, entry) in enumerate(placed) if entry.kind is EntryKind.HEADS)
    index, entry = placed[at]
    since = entry.fields["since"]
    assert isinstance(since, int)
    for field, value, code in (
        ("root", "sha256:" + "0" * 64, "heads-differ"),
        ("n", 2, "heads-differ"),
        ("since", since + 1, "window-gap"),
    ):
        changed = Entry(entry.kind, entry.at, {**entry.fields, field: value})

        assert code in codes(walk([*placed[:at], (index, changed), *placed[at + 1 :]]))


def test_a_shard_that_carries_other_heads_is_found() -> None:
    """What a shard carries over is what its entries say."""
    placed = told(["grant", "shard", "done"]).placed()
    at = next(n for n, (_, entry) in enumerate(placed) if entry.kind is EntryKind.SHARD_CLOSE)
    index, entry = placed[at]
    changed = Entry(entry.kind, entry.at, {**entry.fields, "hds": "sha256:" + "0" * 64})

    assert "heads-differ" in codes(walk([*placed[:at], (index, changed), *placed[at + 1 :]]))


def test_a_count_for_no_window_or_twice_is_found() -> None:
    """A count belongs to one cut, and each side counts once."""
    story = told(["grant", "done"])
    story.counts()

    assert codes(walk(story.placed())) == ["count-unasked", "count-unasked"]


def test_a_missing_count_is_named() -> None:
    """Until both sides have counted, the window says who has not."""
    story = Story()
    story.done(story.grant())
    story.cut()

    (window,) = walk(story.placed()).windows
    assert window.missing == [CONSUMER, PROVIDER]
    assert (window.totals(PROVIDER), window.totals(CONSUMER)) == ((1, 0), (0, 1))


def test_refusals_count_as_asked() -> None:
    """A refusal has its day and its consumer; its provider only where somebody opens the evidence."""
    story = told(["grant", "deny"])
    found = walk(story.placed())
    (evidence,) = (one.evidence for one in found.refusals)
    opened = found.days({str(evidence): PROVIDER})

    assert [(row.provider, row.asked, row.denied) for row in found.days()] == [(None, 1, 1), (PROVIDER, 1, 0)]
    assert [(row.provider, row.asked, row.denied) for row in opened] == [(PROVIDER, 2, 1)]
    assert isinstance(opened[0], PairDay)
