"""Transfers that begin in one shard of the log and end in another: named, proved, walked across the joint."""

import base64
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import leaf_hash, verify_inclusion
from audit.formats.note import parse_note
from audit.keys.signing import create_key
from audit.log.entry import EntryKind, parse_entry
from audit.log.shards import next_origin
from audit.walk.fsck import Trusted
from audit.walk.fsck_shards import ShardWalk, walk_shards
from audit.walk.log_source import DatabaseSource
from contracts.errors import Conflict, Refused
from contracts.messages import LoggedGrant, ReceiptRole
from exchange.transfers.expiry import expire_grants
from tests.exchange.trading import Alliance, Trade

PROVIDER, CONSUMER = ReceiptRole.PROVIDER, ReceiptRole.CONSUMER


def turn(alliance: Alliance) -> str:
    """Let the next shard follow; there are no witnesses here, so the log's own word is published."""
    parts = alliance.parts
    known = parts.log.shards()
    key = create_key(parts.settings.shard_key_path(len(known) + 1))
    origin = next_origin(parts.settings.origin, alliance.clock.now(), {one.origin for one in known})
    parts.log.commit_blocking(
        lambda unit: unit.close_shard(origin, key.public, parts.hooks.heads(parts, unit.session))
    )
    parts.log.publish_cosigned(parts.log.checkpoint())
    parts.log.open_next_blocking()
    return origin


def walk(alliance: Alliance) -> list[ShardWalk]:
    """Walk all shards of an alliance."""
    parts = alliance.parts
    trusted = Trusted(parts.log_signer.verifier_key, alliance.clock.now())
    with parts.database.read() as session:
        connection = session.connection()
        sources = [DatabaseSource(connection, shard.number) for shard in parts.log.shards()]
        return walk_shards(sources, trusted)


@pytest.fixture
def logged(trade: Trade) -> LoggedGrant:
    """Give an open grant."""
    return trade.alliance.request(trade.consumer, trade.subscription)


def _close(trade: Trade, logged: LoggedGrant) -> None:
    alliance = trade.alliance
    ours = alliance.receipt(trade.provider, PROVIDER, logged)
    theirs = alliance.receipt(trade.consumer, CONSUMER, logged)
    alliance.deliver(trade.consumer, logged, ours, theirs)


def test_a_transfer_may_end_in_the_next_shard(trade: Trade, logged: LoggedGrant) -> None:
    """The closing entry names the grant's shard beside its index, and the state says where it stands."""
    alliance = trade.alliance
    origin = turn(alliance)
    ours = alliance.receipt(trade.provider, PROVIDER, logged)
    theirs = alliance.receipt(trade.consumer, CONSUMER, logged)
    state = alliance.deliver(trade.consumer, logged, ours, theirs)

    (done,) = alliance.entries(EntryKind.DONE)
    assert (done.fields["gsh"], done.fields["gidx"]) == (alliance.parts.settings.origin, logged.index)
    assert (state.origin, state.index) == (origin, 1)
    assert [one.report.damage for one in walk(alliance)] == [None, None]


def test_a_transfer_within_a_shard_names_none(trade: Trade) -> None:
    """In a later shard too, a grant and its closing in the same shard need no name of one."""
    alliance = trade.alliance
    turn(alliance)
    logged = alliance.request(trade.consumer, trade.subscription)
    _close(trade, logged)

    (done,) = alliance.entries(EntryKind.DONE)
    assert "gsh" not in done.fields
    assert done.fields["gidx"] == logged.index == 1


def test_a_grant_of_an_earlier_shard_is_given_again_under_its_end(trade: Trade, logged: LoggedGrant) -> None:
    """While it is open, the same grant comes back, proved under the final checkpoint of its own shard."""
    alliance = trade.alliance
    turn(alliance)
    again = alliance.request(trade.consumer, trade.subscription)
    claim = Checkpoint.parse(parse_note(again.checkpoint.encode()).text)
    path = [base64.b64decode(step) for step in again.inclusion_path]

    assert (again.grant_envelope, again.index) == (logged.grant_envelope, logged.index)
    assert claim.origin == alliance.parts.settings.origin
    assert claim.size == alliance.parts.log.of(1).shard().size
    verify_inclusion(leaf_hash(base64.b64decode(again.leaf)), again.index, claim.size, path, claim.root)


def test_a_grant_of_an_earlier_shard_expires(trade: Trade, logged: LoggedGrant) -> None:
    """An expiry names the grant's shard, and a closing that comes later still does."""
    alliance = trade.alliance
    turn(alliance)
    alliance.clock.advance(alliance.parts.settings.grant_ttl_seconds)
    alliance.run(expire_grants(alliance.parts))
    turn(alliance)
    _close(trade, logged)

    shards = [alliance.parts.log.of(number) for number in (1, 2, 3)]
    expired = parse_entry(shards[1].entry(1))
    late = parse_entry(shards[2].entry(1))
    assert (expired.kind, late.kind) == (EntryKind.EXPIRE, EntryKind.DONE)
    assert [one.fields["gsh"] for one in (expired, late)] == [alliance.parts.settings.origin] * 2
    assert late.fields["late"] is True
    assert [one.report.damage for one in walk(alliance)] == [None, None, None]


STEPS = ("ask", "done", "expire", "turn")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS), min_size=4, max_size=12))
def test_rows_and_entries_agree_across_shards(trade: Trade, steps: list[str]) -> None:
    """Whatever happens between the shards, the heads that rows give are those that entries lead to."""
    alliance, grants = trade.alliance, list[LoggedGrant]()
    for step in steps:
        with suppress(Refused, Conflict):
            match step:
                case "ask":
                    grants.append(alliance.request(trade.consumer, trade.subscription))
                case "done" if grants:
                    _close(trade, grants[-1])
                case "expire":
                    alliance.clock.advance(alliance.parts.settings.grant_ttl_seconds)
                    alliance.run(expire_grants(alliance.parts))
                case _:
                    turn(alliance)

    assert {one.report.damage for one in walk(alliance)} == {None}
