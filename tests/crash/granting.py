"""An exchange that grants while everything about its disk is recorded, and what it must keep of its word.

A grant that was answered is released: its entry must be in the log whatever the disk does, and no row may
stand in the database without its entry, nor an entry without its row.
"""

import base64
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from audit.log.entry import Entry, EntryKind, parse_entry
from audit.walk.fsck import Trusted, walk
from audit.walk.log_source import DatabaseSource
from contracts.canonical import sha256_hex
from contracts.clock import FrozenClock
from contracts.errors import HeadwatersError
from contracts.messages import LoggedGrant, ReceiptRole
from exchange import parts as exchange_parts
from exchange.evidence import reveal
from exchange.transfers.tables import TransferRow
from policies.engine import PolicyEngine
from tests.crash.connections import connecting
from tests.crash.recorder import Fault, FaultKind, Recorder, recording
from tests.crash.rounds import Crash
from tests.exchange.trading import START, Alliance, Trade, grant_of, trade_in

HOME = "home"
STEPS = 10
_OFTEN = 40  # pages in the write-ahead log before it is carried over into the database
_REFUSALS = (HeadwatersError, DBAPIError)


@contextmanager
def one_engine(policy: PolicyEngine) -> Iterator[None]:
    """Let every exchange in the block use one policy engine, which takes long to start."""

    class Kept:
        digest = policy.digest
        decide = staticmethod(policy.decide)

        def close(self) -> None:
            """Outlive the exchange."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange_parts, "open_engine", lambda *_: Kept())
        yield


def grant_and_close(folder: Path, seed: int, *, fault: FaultKind | None = None, pragma: str = "") -> Recorder:
    """Found a trade, then grant and close transfers and record it all; under a ``fault`` the disk fails."""
    chance = random.Random(seed)  # noqa: S311  # what to do next, no secret
    with recording(folder) as recorder, connecting(pages=_OFTEN, pragma=pragma):
        alliance = Alliance(folder / HOME, FrozenClock(START))
        try:
            trade = trade_in(alliance)
            for step in range(STEPS):
                if fault is not None and chance.random() < 0.5:
                    recorder.fault = Fault.soon(fault, chance, within=12)
                with suppress(*(_REFUSALS if fault else ())):
                    _transfer(trade, recorder, chance, step)
                recorder.fault = None
                alliance.clock.advance(1)
            if fault is not None:
                # The disk is well again: a grant is given without a new start.
                alliance.clock.advance(alliance.parts.settings.grant_ttl_seconds)
                _released(recorder, alliance.request(trade.consumer, trade.subscription))
        finally:
            alliance.close()
    return recorder


def _transfer(trade: Trade, recorder: Recorder, chance: random.Random, step: int) -> None:
    """Ask for a grant, and close it or leave it open."""
    alliance = trade.alliance
    if step % 4 == 3:
        alliance.clock.advance(alliance.parts.settings.grant_ttl_seconds)
    logged = alliance.request(trade.consumer, trade.subscription, chance.randint(1, 2))
    _released(recorder, logged)
    if chance.random() < 0.3:
        return
    given = alliance.receipt(trade.provider, ReceiptRole.PROVIDER, logged)
    taken = alliance.receipt(trade.consumer, ReceiptRole.CONSUMER, logged)
    closed = alliance.deliver(trade.consumer, logged, given, taken)
    assert closed.index is not None
    recorder.promise("closed", grant_of(logged).grant, str(closed.index).encode())


def _released(recorder: Recorder, logged: LoggedGrant) -> None:
    recorder.promise("granted", str(logged.index), base64.b64decode(logged.leaf))
    recorder.promise("head", content=logged.checkpoint.encode())


def broken_promises(crash: Crash) -> list[str]:
    """Start the exchange on what the disk holds and name every promise that it does not keep."""
    try:
        with connecting(pages=_OFTEN):
            later = START + timedelta(hours=1)
            alliance = Alliance(crash.folder / HOME, FrozenClock(later))
            try:
                alliance.parts.log.commit_blocking(
                    lambda unit: unit.append(
                        Entry(EntryKind.POLICY_ACTIVATE, unit.now, {"pol": sha256_hex(b"")})
                    )
                )
                return [*_lost(alliance, crash), *_unmatched(alliance), *_unsound(alliance, crash)]
            finally:
                alliance.close()
    except _REFUSALS as error:
        return [f"the exchange does not start: {type(error).__name__}: {error}"]


def _lost(alliance: Alliance, crash: Crash) -> list[str]:
    log = alliance.parts.log
    kept = log.entries(0, log.size())
    lost = [
        f"released and unlogged: {one.about}"
        for one in crash.about("granted")
        if int(one.about) >= len(kept) or kept[int(one.about)] != one.content
    ]
    for one in crash.about("closed"):
        index = int(one.content)
        entry = parse_entry(kept[index]) if index < len(kept) else None
        if entry is None or entry.kind is not EntryKind.DONE or entry.fields["gid"] != one.about:
            lost.append(f"closing lost: {one.about}")
    return lost


def _unmatched(alliance: Alliance) -> list[str]:
    """Name what stands in the database without its entry, or in the log without its row or evidence."""
    kept = dict(enumerate(alliance.entries()))
    with alliance.parts.database.read() as session:
        rows = {row.entry: row for row in session.exec(select(TransferRow)).all()}
        grants = {index: entry for index, entry in kept.items() if entry.kind is EntryKind.GRANT}
        odd = [f"row without entry: {row.grant_id}" for at, row in rows.items() if at not in grants]
        odd += [f"entry without row: {index}" for index in grants if index not in rows]
        for index, entry in grants.items():
            odd += _unlike(session, rows.get(index), entry)
        closed = {row.closed_entry: row for row in rows.values() if row.closed_entry is not None}
    done = {index for index, entry in kept.items() if entry.kind in {EntryKind.DONE, EntryKind.EXPIRE}}
    return odd + [f"closing and row disagree: {index}" for index in done ^ set(closed)]


def _unlike(session: Session, row: TransferRow | None, entry: Entry) -> list[str]:
    odd = []
    if row is not None and (row.leaf, row.grant_id) != (entry.encode(), entry.fields["gid"]):
        odd.append(f"row and entry disagree: {row.grant_id}")
    if reveal(session, str(entry.fields["ev"])) is None:
        odd.append(f"evidence is missing: {entry.fields['gid']}")
    return odd


def _unsound(alliance: Alliance, crash: Crash) -> list[str]:
    heads = sorted({one.content for one in crash.about("head")})
    trusted = Trusted(alliance.parts.log_signer.verifier_key, alliance.clock.now(), against=heads)
    with DatabaseSource.open(alliance.parts.database) as source:
        damage = walk(source, trusted).damage
    return [] if damage is None else [f"at index {damage.index}: {damage.what}"]
