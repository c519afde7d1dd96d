"""The exchange's statement key: replaced under the old one, in one commit, and found again after a crash."""

import pytest

from audit.formats.dsse import parse_envelope
from audit.keys.key_history import check_statement_keys
from audit.keys.signing import create_key
from audit.log.entry import EntryKind, parse_entry
from contracts.clock import FrozenClock
from contracts.messages import (
    EventList,
    SecurityEvent,
)
from exchange.log.cosigning import Cosigning
from exchange.members import rotation
from exchange.parts import build_parts
from exchange.settings import load_settings
from exchange.statement_keys import StatementKeyLost
from exchange.wiring import HOOKS
from nodes.signed import peek_statement
from tests.exchange.provinces import Exchange, Serving, Unasked
from tests.exchange.test_members import directory

pytestmark = pytest.mark.anyio


async def test_the_exchange_replaces_its_key_under_the_pinned_one(exchange: Exchange) -> None:
    """Old and new sign, the directory is the new key's and shows the chain, and the file is in its place."""
    province = await exchange.admit()
    old = exchange.parts.statement_key
    answer = await exchange.person("administrator").post("/operator/keys/statement")

    new = exchange.parts.statement_key
    listed = await directory(exchange)  # verified under the present key
    assert (answer.json()["old"], answer.json()["new"]) == (old.key_id, new.key_id)
    assert check_statement_keys(old.public, listed.past_keys) == (old.public, new.public)
    assert listed.past_keys[0].until.size == answer.json()["size"]
    entry = parse_entry(exchange.parts.log.entry(answer.json()["size"]))
    assert (entry.kind, entry.fields["part"]) == (EntryKind.KEY_ROTATE, None)
    settings = exchange.parts.settings
    assert settings.statement_key_path.exists()
    assert not settings.statement_key_path.with_name("statement.key.next").exists()
    assert (await exchange.invite()).invite.statement_key == new.public.text
    async with Serving(province):
        await Cosigning(exchange.parts).round()  # its mailbox is signed with the present key


async def test_events_of_before_are_vouched_for_again(exchange: Exchange) -> None:
    """Who was away during the rotation reads earlier events under the present key."""
    province = await exchange.admit()
    await exchange.act(await exchange.admit(), "suspend", {"reason": "a drill"})
    old = exchange.parts.statement_key.public
    await exchange.person("administrator").post("/operator/keys/statement")
    new = exchange.parts.statement_key.public

    listed = EventList.parse((await province.http.get("/events", params={"since": 0})).content)
    signers = [{name for name, _ in parse_envelope(text.encode()).signatures} for text in listed.events]
    assert signers == [{old.key_id, new.key_id}, {new.key_id}]
    for text in listed.events:
        parse_envelope(text.encode()).verified_by({new.key_id: new}, {new.key_id})
        assert peek_statement(text, SecurityEvent).statement.number >= 1


async def test_a_rotation_that_is_not_durable_leaves_the_old_key(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the unit fails after the switch, the exchange signs with the old key as if nothing had been."""
    await exchange.admit()
    old = exchange.parts.statement_key

    def broken(*_: object) -> int:
        raise OSError("no disk")

    monkeypatch.setattr(rotation, "issue_directory", broken)
    with pytest.raises(OSError, match="no disk"):
        await rotation.rotate_statement_key(exchange.parts, exchange.parts.roll.person("administrator"))  # type: ignore[arg-type]  # its salt and name are all that is read

    assert exchange.parts.statement_key is old
    assert exchange.parts.statement_keys.prepare() is not old


async def test_an_interrupted_rotation_is_finished_at_the_start(
    exchange: Exchange, clock: FrozenClock, policy: Unasked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ended between the commit and the renaming finds the logged key and puts it in place."""
    keys = exchange.parts.statement_keys
    monkeypatch.setattr(type(keys), "adopt", lambda _self, _key: None)
    await exchange.person("administrator").post("/operator/keys/statement")
    monkeypatch.undo()
    logged = exchange.parts.statement_key.public.text
    home = exchange.parts.settings.home
    exchange.parts.close()

    parts = build_parts(load_settings(home), HOOKS, clock, policy)
    assert parts.statement_key.public.text == logged
    assert not (home / "keys" / "statement.key.next").exists()
    parts.close()
    (home / "keys" / "statement.key").unlink()

    create_key(home / "keys" / "statement.key")
    with pytest.raises(StatementKeyLost):
        build_parts(load_settings(home), HOOKS, clock, policy)
