"""The SM3 twin: anchored in the log, signed with SM2, rebuilt by fsck; a lie in it is named."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from audit.formats.checkpoint import Checkpoint
from audit.formats.note import KeyType, SecondLine, parse_note
from audit.keys.suites import Suite
from audit.log.entry import Entry, EntryKind, parse_entry
from audit.log.unit import Unit
from audit.walk.twin import TwinTree, sm3_root_text, twin_origin
from contracts.canonical import Json
from contracts.clock import FrozenClock
from exchange.app import running
from exchange.log import store
from exchange.log.offline import fsck_folder
from exchange.log.startup import Opening
from exchange.log.twin import ANCHORED_EVERY, anchor_twin
from exchange.parts import build_parts
from exchange.settings import load_settings
from exchange.wiring import HOOKS
from tests.exchange.provinces import Exchange, Unasked

pytestmark = pytest.mark.anyio


@pytest.fixture
async def exchange(home: Path, clock: FrozenClock, policy: Unasked) -> AsyncIterator[Exchange]:
    """Run an exchange that keeps a twin."""
    settings = load_settings(home, commit_window_seconds=0.0, second_suites="sm2-sm3")
    parts = build_parts(settings, HOOKS, clock, policy)
    async with running(parts, {}):
        await Opening(parts).round()
        yield Exchange(parts, clock)


def false_anchor(exchange: Exchange, *, size: int) -> Callable[[Unit], int]:
    """Give a unit that anchors a root which no entries have."""
    origin = twin_origin(exchange.parts.log.origin)
    fields: dict[str, Json] = {"origin": origin, "size": size, "srt": "sm3:" + "0" * 64}
    return lambda unit: unit.append(Entry(EntryKind.TWIN, unit.now, fields))


async def test_the_twin_is_anchored_and_signed(exchange: Exchange) -> None:
    """The anchor in the log and the checkpoint under the SM2 key say the root over the same entries."""
    log = exchange.parts.log
    size = await anchor_twin(exchange.parts)
    tree = TwinTree()
    tree.extend(log.entries(0, log.size() - 1))
    anchor = parse_entry(log.entry(log.size() - 1))
    note = parse_note((await exchange.http.get("/log/sm3/checkpoint")).content)
    key = SecondLine(twin_origin(log.origin), exchange.parts.second_lines.key(Suite.SM2_SM3)).verifier_key

    assert (anchor.kind, anchor.fields["srt"]) == (EntryKind.TWIN, sm3_root_text(tree.root()))
    assert Checkpoint.parse(note.text) == Checkpoint(twin_origin(log.origin), size or 0, tree.root())
    assert [found.type for found, _ in note.verified([key])] == [KeyType.SM2]


async def test_it_is_anchored_again_after_an_hour_and_goes_on_where_it_stood(
    exchange: Exchange, home: Path
) -> None:
    """Before the hour is over nothing is anchored; after it the next anchor covers what came since."""
    first = await anchor_twin(exchange.parts)
    exchange.clock.advance(ANCHORED_EVERY.total_seconds() - 1)
    early = await anchor_twin(exchange.parts)
    exchange.clock.advance(1)
    second = await anchor_twin(exchange.parts)

    assert (early, (second or 0) - (first or 0)) == (None, 1)
    assert fsck_folder(home).ok


async def test_a_log_that_did_not_grow_is_not_anchored_for_ever(exchange: Exchange) -> None:
    """Each anchor is an entry, so the next hour covers that one, and no hour anchors twice."""
    await anchor_twin(exchange.parts)

    assert await anchor_twin(exchange.parts) is None


async def test_a_false_anchor_is_named(exchange: Exchange, home: Path) -> None:
    """An exchange that anchors another root than its entries have is found out by fsck, at that entry."""
    await anchor_twin(exchange.parts)
    fields: dict[str, Json] = {
        "origin": twin_origin(exchange.parts.log.origin),
        "size": 2,
        "srt": "sm3:" + "0" * 64,
    }

    def lie(unit: Unit) -> int:
        return unit.append(Entry(EntryKind.TWIN, unit.now, fields))

    committed = await exchange.parts.log.commit(lie)
    walked = fsck_folder(home)

    assert (walked.ok, walked.facts["first_bad_index"]) == (False, committed.value)
    assert "SM3 twin of 2 entries" in walked.facts["what"]


async def test_a_second_anchor_that_contradicts_a_true_one_is_named(exchange: Exchange, home: Path) -> None:
    """A true anchor does not cover for a false one of the same size."""
    size = await anchor_twin(exchange.parts)
    committed = await exchange.parts.log.commit(false_anchor(exchange, size=size or 0))

    assert fsck_folder(home).facts["first_bad_index"] == committed.value


async def test_an_anchor_of_entries_to_come_is_named(exchange: Exchange, home: Path) -> None:
    """An anchor cannot speak of entries behind it."""
    fields: dict[str, Json] = {
        "origin": twin_origin(exchange.parts.log.origin),
        "size": 999,
        "srt": "sm3:" + "0" * 64,
    }
    committed = await exchange.parts.log.commit(
        lambda unit: unit.append(Entry(EntryKind.TWIN, unit.now, fields))
    )

    assert fsck_folder(home).facts["first_bad_index"] == committed.value


async def test_an_edge_that_was_changed_in_the_store_is_found(exchange: Exchange, home: Path) -> None:
    """Whoever owns the database and moves the twin's edge makes a false anchor, which fsck names."""
    await anchor_twin(exchange.parts)
    with exchange.parts.database.transaction() as session:
        row = store.find_twin(session, 1)
        assert row is not None
        row.edge = bytes(len(row.edge))
    exchange.clock.advance(ANCHORED_EVERY / timedelta(seconds=1))
    await anchor_twin(exchange.parts)
    walked = fsck_folder(home)

    assert (walked.ok, walked.facts["first_bad_index"]) == (False, exchange.parts.log.size() - 1)


async def test_without_the_setting_there_is_none(home: Path, clock: FrozenClock, policy: Unasked) -> None:
    """The twin is kept where it was asked for, and elsewhere the answer says how to ask."""
    parts = build_parts(load_settings(home, commit_window_seconds=0.0), HOOKS, clock, policy)
    async with running(parts, {}):
        await Opening(parts).round()
        made = await anchor_twin(parts)
        answer = await Exchange(parts, clock).http.get("/log/sm3/checkpoint")

    assert made is None
    assert (answer.status_code, answer.json()["code"]) == (404, "no-twin")
