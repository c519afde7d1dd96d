"""A subscription's entries follow one another without gaps, or the chain is broken."""

from collections.abc import Callable

import pytest

from audit.database import open_database, upgrade
from audit.formats.merkle import leaf_hash
from audit.log.chains import ChainBroken, Chains
from audit.log.entry import Entry, parse_entry
from audit.log.unit import Unit
from tests.audit.logs import running
from tests.audit.transfers import Subscription


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Give the leaves of two interleaved subscriptions; in the second a grant expires and is done late."""

    def work(unit: Unit) -> None:
        first, second = Subscription("s-firstxxxxxxx"), Subscription("s-secondxxxxxx")
        one = first.grant(unit)
        other = second.grant(unit)
        first.done(unit, one)
        second.expire(unit, other)
        first.grant(unit)
        second.done(unit, other, late=True)

    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('story') / 'evidence.db'}")
    upgrade(database, "exchange:migrations")
    with running(database) as log:
        log.commit_blocking(work)
        leaves = log.entries(0, 6)
    database.close()
    return leaves


def _follow(leaves: list[bytes]) -> Chains:
    chains = Chains()
    for index, leaf in enumerate(leaves):
        chains.follow(index, parse_entry(leaf), leaf_hash(leaf))
    return chains


def test_a_whole_story_holds(story: list[bytes]) -> None:
    """Grants, closings, an expiry and a late closing follow; one grant is left open."""
    assert _follow(story).open_grants == 1


@pytest.mark.parametrize(
    ("index", "change"),
    [
        (0, {"seq": 2}),
        (0, {"prev": "sha256:" + "0" * 64}),
        (2, {"prev": "sha256:" + "0" * 64}),
        (2, {"gidx": 1}),
        (2, {"gidx": 5}),
        (2, {"seq": 2}),
        (2, {"gid": "g-zzzzzzzzzzzz"}),
        (2, {"sub": "s-secondxxxxxx"}),
        (4, {"seq": 3}),
        (4, {"seq": 1}),
        (5, {"late": False}),
    ],
)
def test_a_changed_entry_breaks_the_chain(
    story: list[bytes], index: int, change: dict[str, str | int]
) -> None:
    """A gap, a repetition, another prev or another grant is noticed at the entry that has it."""
    entry = parse_entry(story[index])
    changed = Entry(entry.kind, entry.at, {**entry.fields, **change}).encode()
    _follow(story[:index])

    with pytest.raises(ChainBroken):
        _follow([*story[:index], changed])


@pytest.mark.parametrize(
    "rearrange",
    [
        lambda leaves: leaves[1:],
        lambda leaves: [leaves[0], *leaves[2:]],
        lambda leaves: [*leaves[:2], leaves[3], leaves[2], *leaves[4:], leaves[3]],
        lambda leaves: [*leaves, leaves[5]],
        lambda leaves: [*leaves[:4], leaves[3]],
    ],
)
def test_a_story_that_is_told_differently_breaks(
    story: list[bytes], rearrange: Callable[[list[bytes]], list[bytes]]
) -> None:
    """Entries that are dropped, moved or told twice break a chain."""
    with pytest.raises(ChainBroken):
        _follow(rearrange(story))
