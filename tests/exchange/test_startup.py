"""Start-up: a log stays sealed until enough witnesses have answered, and for good when one saw more."""

import base64
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import WitnessState
from audit.formats.note import NoteSigner, format_note
from audit.keys.signing import SigningKey
from audit.log.entry import Entry, EntryKind
from audit.log.unit import LogSealed
from contracts.clock import FrozenClock
from contracts.messages import Challenge, MailboxAnswer, MailboxRequest
from exchange.app import running
from exchange.backup import backup, restore
from exchange.log.cosigning import Cosigning
from exchange.log.startup import Opening
from exchange.parts import build_parts
from exchange.settings import load_settings
from exchange.wiring import HOOKS
from tests.exchange.provinces import ORIGIN, Exchange, Province, Serving, Unasked, code, mailbox_answer

pytestmark = pytest.mark.anyio


@dataclass
class Restarted:
    """An exchange after a restart, its start-up check, and the witnesses of before."""

    exchange: Exchange
    opening: Opening
    witnesses: list[Province]


Restart: TypeAlias = Callable[..., Coroutine[Any, Any, Restarted]]


@pytest.fixture
async def restart(home: Path, clock: FrozenClock, tmp_path: Path, policy: Unasked) -> AsyncIterator[Restart]:
    """Give a function that runs an alliance of three, then restarts it, from an old backup when asked to."""
    async with AsyncExitStack() as stack:

        async def run(*, from_old_backup: bool = False) -> Restarted:
            settings = load_settings(home, commit_window_seconds=0.0, witness_timeout_seconds=2.0)
            parts = build_parts(settings, HOOKS, clock, policy)
            async with running(parts, {}):
                await Opening(parts).round()
                before = Exchange(parts, clock)
                witnesses = [await before.admit() for _ in range(3)]
                backup(home, tmp_path / "old.tar")
                await before.invite(witness=False)
                cosigning = Cosigning(parts)
                async with Serving(*witnesses):
                    await cosigning.round()
                    await cosigning.settle()
            folder = home
            if from_old_backup:
                folder = tmp_path / "restored"
                restore(tmp_path / "old.tar", folder)
            parts = build_parts(replace_home(settings, folder), HOOKS, clock, policy)
            await stack.enter_async_context(running(parts, {}))
            after = Exchange(parts, clock)
            for witness in witnesses:
                witness.exchange = after
                witness.asked.clear()
            return Restarted(after, Opening(parts), witnesses)

        yield run


def replace_home(settings: Any, folder: Path) -> Any:
    """Give the same settings for another folder; Any, because pydantic copies what it is given."""
    return settings.model_copy(update={"home": folder})


def append(exchange: Exchange) -> None:
    """Append an entry."""
    fields = {"act": "sha256:" + "0" * 64, "role": "operator", "what": "test", "dig": "sha256:" + "0" * 64}
    entry = Entry(EntryKind.ADMIN_ACT, exchange.clock.now(), fields)
    exchange.parts.log.commit_blocking(lambda unit: unit.append(entry))


def faulty(witness: Province, fault: str) -> Callable[[MailboxRequest], MailboxAnswer]:
    """Give a way of answering that does not hold."""
    honest = witness.handle
    match fault:
        case "other key":
            # It still polls under its own key; only the answer is signed by a stranger's.
            return replace(witness, node_key=SigningKey.generate()).handle
        case "other nonce":
            other = Challenge(origin=ORIGIN, nonce="another-nonce-here").canonical()
            body = base64.b64encode(other).decode()
            return lambda request: honest(request.model_copy(update={"body": body}))
        case "refusal":
            return lambda _: mailbox_answer(503, b"")
        case _:
            return lambda _: mailbox_answer(200, b"{}")


async def test_a_restarted_log_is_sealed(restart: Restart) -> None:
    """With witnesses on record, nothing is appended before the check; readiness says for whom it waits."""
    restarted = await restart()
    await restarted.opening.round()
    ready = await restarted.exchange.http.get("/health/ready")

    with pytest.raises(LogSealed):
        append(restarted.exchange)
    assert code(ready) == (503, "waiting-for-witnesses")
    assert set(ready.json()["facts"]["waiting_for"]) == {w.participant for w in restarted.witnesses}


async def test_enough_answers_unseal(restart: Restart) -> None:
    """With n = 3 and k = 2, two answers that are not ahead open the log."""
    restarted = await restart()
    async with Serving(restarted.witnesses[0]):
        await restarted.opening.round()
        after_one = restarted.exchange.parts.log.sealed
    async with Serving(restarted.witnesses[1]):
        await restarted.opening.round()
    ready = await restarted.exchange.http.get("/health/ready")

    assert after_one is True
    assert restarted.exchange.parts.log.sealed is False
    assert ready.status_code == 200


async def test_below_the_quorum_one_witness_is_still_asked(restart: Restart) -> None:
    """With fewer witnesses than the quorum one answer is needed, so no early backup is believed blindly."""
    restarted = await restart()
    parts = restarted.exchange.parts
    young = replace(parts, settings=parts.settings.model_copy(update={"quorum": 5}))
    opening = Opening(young)
    await opening.round()
    unasked = parts.log.sealed
    async with Serving(restarted.witnesses[0]):
        await opening.round()

    assert unasked is True
    assert parts.log.sealed is False


async def test_what_was_published_is_remembered(restart: Restart) -> None:
    """A restarted exchange knows its witnessed size and serves the cosigned checkpoint while sealed."""
    restarted = await restart()
    status = (await restarted.exchange.http.get("/log/status")).json()
    note = (await restarted.exchange.http.get("/log/checkpoint")).text

    assert (status["witnessed_size"], status["cosignatures"]) == (status["size"], 3)
    assert note.count("— witness.example/") == 3


async def test_an_old_backup_cannot_sign(restart: Restart) -> None:
    """When one witness saw more than a restored log holds, the log stays sealed for good and says why."""
    restarted = await restart(from_old_backup=True)
    async with Serving(*restarted.witnesses):
        await restarted.opening.round()
        await restarted.opening.round()
    ready = await restarted.exchange.http.get("/health/ready")
    page = (await restarted.exchange.http.get("/")).text

    assert restarted.exchange.parts.log.sealed is True
    assert code(ready) == (503, "log-behind-witnesses")
    assert "日志落后于见证方所见" in page
    with pytest.raises(LogSealed):
        append(restarted.exchange)


def claim(restarted: Restarted, witness: Province, size: int, *, signed: bool = True) -> None:
    """Let a witness say that it cosigned another history, and show a note that the log signed or did not."""
    witness.state = WitnessState(size, b"\x01" * 32)
    signer = restarted.exchange.parts.log_signer if signed else NoteSigner(ORIGIN, SigningKey.generate())
    text = str(Checkpoint(ORIGIN, size, witness.state.root))
    witness.notes[ORIGIN] = format_note(text, [signer.sign(text)])


async def test_one_witness_ahead_is_enough_to_refuse(restart: Restart) -> None:
    """A single witness that shows more under the log's key outweighs two that saw nothing."""
    restarted = await restart()
    ahead = restarted.witnesses[2]
    claim(restarted, ahead, 10_000)
    async with Serving(*restarted.witnesses):
        await restarted.opening.round()

    assert restarted.exchange.parts.log.sealed is True
    assert ahead.participant in (restarted.exchange.parts.log_state.refusal or "")


async def test_another_history_is_refused(restart: Restart) -> None:
    """A witness that cosigned another root of a size that this log has keeps it sealed for good."""
    restarted = await restart()
    claim(restarted, restarted.witnesses[0], 3)
    async with Serving(*restarted.witnesses):
        await restarted.opening.round()

    assert "another history" in (restarted.exchange.parts.log_state.refusal or "")


@pytest.mark.parametrize("shown", ["nothing", "unsigned", "older"])
async def test_one_witness_cannot_keep_the_log_sealed(restart: Restart, shown: str) -> None:
    """Who says that it saw more and cannot show it under the log's key is not heard; the others suffice."""
    restarted = await restart()
    liar = restarted.witnesses[0]
    older = dict(liar.notes)
    claim(restarted, liar, 10_000, signed=False)
    if shown != "unsigned":
        liar.notes = older if shown == "older" else {}
    async with Serving(liar):
        await restarted.opening.round()
        alone = restarted.exchange.parts.log.sealed
    async with Serving(*restarted.witnesses):
        await restarted.opening.round()

    assert (alone, restarted.exchange.parts.log.sealed) == (True, False)
    assert restarted.exchange.parts.log_state.refusal is None


async def test_a_witness_that_never_cosigned_counts(restart: Restart) -> None:
    """An answer of size 0 says that this witness saw nothing that the log lacks."""
    restarted = await restart()
    for witness in restarted.witnesses:
        witness.state = None
    async with Serving(*restarted.witnesses[:2]):
        await restarted.opening.round()

    assert restarted.exchange.parts.log.sealed is False


@pytest.mark.parametrize("fault", ["other key", "other nonce", "refusal", "garbage"])
async def test_an_answer_that_does_not_hold_does_not_count(restart: Restart, fault: str) -> None:
    """An answer under another key, to another question, or none at all leaves the log sealed."""
    restarted = await restart()
    for witness in restarted.witnesses:
        witness.odd = faulty(witness, fault)
    async with Serving(*restarted.witnesses):
        await restarted.opening.round()

    assert restarted.exchange.parts.log.sealed is True
    assert restarted.exchange.parts.log_state.refusal is None


async def test_signed_requests_work_while_sealed(restart: Restart) -> None:
    """A sealed log still admits nonces, or the witnesses could never poll; a replay is still refused."""
    restarted = await restart()
    answer = await restarted.witnesses[0].http.post("/probe", json={"nonce": "n"})

    assert answer.status_code == 200


async def test_the_same_policy_is_not_logged_again(restart: Restart) -> None:
    """A restart under the same policy adds no entry."""
    restarted = await restart()
    size = restarted.exchange.parts.log.size()
    async with Serving(*restarted.witnesses):
        await restarted.opening.run()

    assert restarted.exchange.parts.log.size() == size


async def test_suspended_witnesses_still_count_towards_the_answers(restart: Restart) -> None:
    """Who cosigned and was suspended since cannot answer, yet one answer less does not become enough."""
    restarted = await restart()
    parts, gone = restarted.exchange.parts, restarted.witnesses[2]
    parts.log.unseal()
    await restarted.exchange.act(gone, "suspend", {"reason": "test"})
    parts.log._sealed = True  # as after one more restart
    async with Serving(restarted.witnesses[0]):
        await restarted.opening.round()
        after_one = parts.log.sealed
    async with Serving(restarted.witnesses[1]):
        await restarted.opening.round()

    assert after_one is True
    assert parts.log.sealed is False
