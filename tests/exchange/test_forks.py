"""A proof that the log signed two histories reaches every member, and seals the log for good."""

import base64
from pathlib import Path

import httpx
import pytest

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import EMPTY_ROOT
from audit.formats.note import NoteSigner, format_note
from audit.keys.signing import SigningKey, load_key
from audit.log.unit import LogSealed
from audit.proofs.equivocation import prove_fork
from contracts.clock import FrozenClock
from contracts.messages import EventList, ForkReport, SecurityEvent
from exchange.app import running
from exchange.backup import backup, restore
from exchange.log.forks import EQUIVOCATION
from exchange.log.startup import Opening
from exchange.parts import build_parts
from exchange.settings import load_settings
from exchange.wiring import HOOKS
from nodes.signed import peek_statement
from tests.exchange.provinces import ORIGIN, Exchange, Province, Unasked, code

pytestmark = pytest.mark.anyio


def forged(exchange: Exchange, *, key: SigningKey | None = None, origin: str = ORIGIN) -> bytes:
    """Let a thief of the log's key sign another history of the same size, and prove it."""
    signer = NoteSigner(origin, key or load_key(exchange.parts.settings.log_key_path))
    texts = [str(Checkpoint(origin, 2, root)) for root in (EMPTY_ROOT, b"\x01" * 32)]
    notes = [format_note(text, [signer.sign(text)]) for text in texts]
    return prove_fork(notes[0], notes[1], signer.verifier_key).encode()


async def report(province: Province, raw: bytes) -> httpx.Response:
    message = ForkReport(fork=base64.b64encode(raw).decode())
    return await province.http.post("/log/forks", content=message.canonical())


async def events(province: Province) -> list[SecurityEvent]:
    listed = EventList.parse((await province.http.get("/events?since=0")).content)
    return [peek_statement(envelope, SecurityEvent).statement for envelope in listed.events]


async def test_a_proof_is_told_to_everybody_and_seals_the_log(exchange: Exchange) -> None:
    """Whoever holds the proof may report it; every member hears of it, and nothing is logged any more."""
    reporter, other = await exchange.admit(), await exchange.admit(witness=False)

    answer = await report(reporter, forged(exchange))

    assert answer.status_code == 200, answer.text
    [event] = await events(other)
    assert (event.event_class, event.severity, event.subject) == (EQUIVOCATION, "critical", None)
    assert event.facts["evidence"] == answer.json()["evidence"]
    assert event.facts["reporter"] == reporter.participant
    assert exchange.parts.log.sealed
    assert exchange.parts.log_state.refusal is not None
    with pytest.raises(LogSealed):
        await exchange.parts.log.commit(lambda unit: unit.append(unit))  # type: ignore[arg-type]  # never reached


async def test_the_same_log_is_accused_once(exchange: Exchange) -> None:
    """Every node reports what gossip brought it; one event is enough."""
    one, other = await exchange.admit(), await exchange.admit()

    for reporter in (one, other, one):
        assert (await report(reporter, forged(exchange))).status_code == 200

    assert len(await events(one)) == 1


@pytest.mark.parametrize("spoil", [lambda raw: raw[:-2], lambda raw: raw.replace(b"@v1", b"@v2")])
async def test_what_proves_nothing_is_refused(exchange: Exchange, spoil: object) -> None:
    """A file that is no proof stops nothing."""
    reporter = await exchange.admit()

    answer = await report(reporter, spoil(forged(exchange)))  # type: ignore[operator]  # a function

    assert code(answer) == (400, "fork-unproven")
    assert not exchange.parts.log.sealed
    assert await events(reporter) == []


async def test_another_logs_fork_is_none_of_ours(exchange: Exchange) -> None:
    """A proof under another key, or about another log, stops nothing."""
    reporter, thief = await exchange.admit(), SigningKey.generate()

    assert code(await report(reporter, forged(exchange, key=thief)))[1] == "fork-unproven"
    assert code(await report(reporter, forged(exchange, key=thief, origin="other.example")))[1] == (
        "log-not-in-trust-root"
    )
    assert not exchange.parts.log.sealed


async def test_only_members_report(exchange: Exchange) -> None:
    """A stranger's report is not looked at."""
    message = ForkReport(fork=base64.b64encode(forged(exchange)).decode())

    answer = await exchange.http.post("/log/forks", content=message.canonical())

    assert answer.status_code == 401
    assert not exchange.parts.log.sealed


@pytest.mark.parametrize("restored", [False, True])
async def test_a_restart_does_not_forget(
    exchange: Exchange, home: Path, clock: FrozenClock, policy: Unasked, *, restored: bool
) -> None:
    """The proof lies in the home and in its backups, and keeps the log sealed after every start."""
    await report(await exchange.admit(witness=False), forged(exchange))
    exchange.parts.log.close()
    if restored:
        backup(home, home.parent / "backup.tar")
        home = home.parent / "restored"
        restore(home.parent / "backup.tar", home)

    settings = load_settings(home, commit_window_seconds=0.0)
    parts = build_parts(settings, HOOKS, clock, policy)
    async with running(parts, {}):
        await Opening(parts).round()
        assert parts.log.sealed
        assert parts.log_state.refusal is not None
