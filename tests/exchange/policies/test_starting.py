"""A start decides by what the log named last: adopted once, followed after a crash, never taken by itself."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from audit.log.entry import Entry, EntryKind
from contracts.clock import FrozenClock
from contracts.errors import Refused
from exchange.log.startup import Opening
from exchange.parts import Parts, build_parts
from exchange.policies import flow, starting, store
from exchange.policies.desk import Desk
from exchange.policies.store import PolicyLost
from exchange.policies.tables import ChangeRow
from exchange.settings import load_settings
from exchange.wiring import HOOKS
from policies.bundle import Bundle, BundleTampered, seal, shipped_bundle
from tests.exchange.policies.office import Office, alike, closed, wide
from tests.exchange.trading import START, Alliance, Trade


def _again(alliance: Alliance) -> Parts:
    """Build the parts of a stopped exchange once more."""
    alliance.close()
    return build_parts(alliance.parts.settings, HOOKS, FrozenClock(START))


def _run(home: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(home / "exchange.db")) as connection, connection:
        connection.execute(statement, values)


def test_a_restart_keeps_what_two_people_chose(office: Office) -> None:
    """After a restart the approved policy decides, and nothing is logged again."""
    office.change(closed())
    size = office.alliance.parts.log.size()
    parts = _again(office.alliance)

    assert (parts.policy.digest, parts.log.size()) == (closed().digest, size)
    parts.close()


def test_a_newer_shipped_policy_is_not_taken(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Software that brings other rules starts with those of before, and says that new ones are there."""
    monkeypatch.setattr(starting, "shipped_bundle", lambda: alike("newer"))
    monkeypatch.setattr(flow, "shipped_bundle", lambda: alike("newer"))
    parts = _again(office.alliance)
    standing = flow.standing(parts)

    assert parts.policy.digest == shipped_bundle().digest
    assert (standing["shipped"], standing["shipped_is_new"]) == (alike("newer").digest, True)
    parts.close()


def test_an_old_home_adopts_the_shipped_policy(alliance: Alliance, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without rows of policies adopts the shipped bundle when its log opens, and logs a new digest."""
    home = alliance.parts.settings.home
    alliance.close()
    _run(home, "DELETE FROM policy_change")
    _run(home, "DELETE FROM policy_bundle")
    monkeypatch.setattr(starting, "shipped_bundle", lambda: alike("newer"))
    again = Alliance(home, FrozenClock(START))
    for _ in range(2):
        again.run(Opening(again.parts).round())

    assert [entry.fields["pol"] for entry in again.entries(EntryKind.POLICY_ACTIVATE)] == [
        shipped_bundle().digest,
        alike("newer").digest,
    ]
    assert flow.standing(again.parts)["policy"] == alike("newer").digest
    again.close()


def test_an_old_home_with_the_same_policy_logs_nothing(alliance: Alliance) -> None:
    """Adopting what the log names already adds rows and no entry."""
    home = alliance.parts.settings.home
    alliance.close()
    _run(home, "DELETE FROM policy_change")
    again = Alliance(home, FrozenClock(START))
    again.run(Opening(again.parts).round())

    assert len(again.entries(EntryKind.POLICY_ACTIVATE)) == 1
    with again.parts.database.read() as session:
        assert [row.bundle for row in store.changes(session)] == [shipped_bundle().digest]
    again.close()


def test_a_crash_between_log_and_swap_ends_with_the_new_policy(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ends after ``policy.activate`` is durable, before the swap, starts under the new one."""
    office.propose(closed())

    def killed(_parts: Parts) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(flow, "follow", killed)
        with pytest.raises(KeyboardInterrupt):
            office.approve(closed())
    still = office.alliance.parts.policy.digest
    parts = _again(office.alliance)

    assert (still, parts.policy.digest) == (shipped_bundle().digest, closed().digest)
    parts.close()


def test_a_crash_before_the_log_leaves_the_old_policy(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ends with the next engine open and nothing logged starts under the old policy."""
    office.propose(closed())

    def killed(_desk: Desk, _bundle: Bundle) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Desk, "prepare", killed)
        with pytest.raises(KeyboardInterrupt):
            office.approve(closed())
    parts = _again(office.alliance)

    assert parts.policy.digest == shipped_bundle().digest
    with parts.database.read() as session:
        assert [row.bundle for row in store.open_changes(session)] == [closed().digest]
    parts.close()


def test_a_desk_that_missed_the_swap_follows_at_the_next_act(
    trade: Trade, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No grant is made under a policy that is over: who still decides by it asks again under the new one."""
    office.propose(closed())
    with monkeypatch.context() as patch:
        patch.setattr(flow, "follow", lambda _parts: None)
        office.approve(closed())
    before = office.alliance.parts.policy.digest

    with pytest.raises(Refused):
        trade.alliance.request(trade.consumer, trade.subscription)
    assert (before, office.alliance.parts.policy.digest) == (shipped_bundle().digest, closed().digest)
    assert office.alliance.entries(EntryKind.GRANT) == []
    assert office.alliance.entries(EntryKind.DENY)[-1].fields["pol"] == closed().digest


def test_a_lost_policy_keeps_the_exchange_from_starting(office: Office) -> None:
    """Where the files of the policy in force are gone nothing starts; there is no other to decide by."""
    office.change(closed())
    office.alliance.close()
    settings = office.alliance.parts.settings
    _run(settings.home, "DELETE FROM policy_bundle WHERE digest = ?", closed().digest)

    with pytest.raises(PolicyLost):
        build_parts(settings, HOOKS, FrozenClock(START))


def test_rows_that_contradict_the_log_keep_the_exchange_from_starting(office: Office) -> None:
    """Whoever rewrites the rows so that another bundle seems to be in force is found out by the log."""
    office.change(closed())
    office.alliance.close()
    settings = office.alliance.parts.settings
    _run(settings.home, "DELETE FROM policy_change WHERE bundle = ?", closed().digest)

    with pytest.raises(PolicyLost):
        build_parts(settings, HOOKS, FrozenClock(START))


def test_without_any_rows_the_founders_policy_does_not_come_back(office: Office) -> None:
    """Once two people chose a policy, a database without changes is a loss and no new founding."""
    office.change(closed())
    office.alliance.close()
    settings = office.alliance.parts.settings
    _run(settings.home, "DELETE FROM policy_change")

    with pytest.raises(PolicyLost):
        build_parts(settings, HOOKS, FrozenClock(START))


def test_a_row_written_by_hand_is_not_followed(trade: Trade, office: Office) -> None:
    """Whoever writes a wider policy into the database of a running exchange gets no grant under it."""
    parts = office.alliance.parts
    with parts.database.transaction() as session:
        store.keep_bundle(session, wide(), {}, START)
        store.add_change(
            session,
            ChangeRow(number=0, bundle=wide().digest, state=store.ACTIVE, widens=True, at=0, settled_at=0),
        )
    with pytest.raises(PolicyLost):
        trade.alliance.request(trade.consumer, trade.subscription)
    with pytest.raises(PolicyLost):
        office.propose(alike())

    assert parts.policy.digest == shipped_bundle().digest
    assert office.alliance.entries(EntryKind.GRANT) == []


def test_an_entry_without_rows_keeps_the_exchange_from_starting(alliance: Alliance) -> None:
    """A ``policy.activate`` that no row explains is no policy to decide by."""
    fields = {"pol": "sha256:" + "7" * 64}
    alliance.parts.log.commit_blocking(
        lambda unit: unit.append(Entry(EntryKind.POLICY_ACTIVATE, unit.now, fields))
    )
    alliance.close()

    with pytest.raises(PolicyLost):
        build_parts(alliance.parts.settings, HOOKS, FrozenClock(START))


def test_changed_files_keep_the_exchange_from_starting(office: Office) -> None:
    """Rules that were edited in the database have another digest than the one in force."""
    office.change(closed())
    office.alliance.close()
    settings = office.alliance.parts.settings
    edit = "UPDATE policy_bundle SET sources = replace(sources, 'false', 'true') WHERE digest = ?"
    _run(settings.home, edit, closed().digest)

    with pytest.raises(BundleTampered):
        build_parts(settings, HOOKS, FrozenClock(START))


def test_a_shadow_outlives_a_restart(office: Office) -> None:
    """A candidate goes on being asked after a restart, with fresh counts."""
    office.propose(closed())
    office.shadow(closed().digest)
    parts = _again(office.alliance)

    assert parts.policy.shadowed is not None
    assert (parts.policy.shadowed.digest, parts.policy.shadowed.asked) == (closed().digest, 0)
    parts.close()


def test_a_folder_counts_at_the_founding_only(alliance: Alliance, tmp_path: Path) -> None:
    """``embedded:FOLDER`` names the founders' policy; a home that has one is not changed by it."""
    folder = tmp_path / "rules"
    for path, raw in wide().sources.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(raw)
    seal(folder)
    alliance.close()
    settings = load_settings(alliance.parts.settings.home, policy_url=f"embedded:{folder}")
    parts = build_parts(settings, HOOKS, FrozenClock(START))

    assert starting.founding_bundle(f"embedded:{folder}").digest == wide().digest
    assert parts.policy.digest == shipped_bundle().digest
    parts.close()
