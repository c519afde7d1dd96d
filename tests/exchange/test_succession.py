"""The exchange closes one shard of its log and goes on in the next; witnesses, proofs and restarts follow."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import WitnessState
from audit.formats.merkle import leaf_hash, verify_inclusion
from audit.formats.note import NoteSigner, VerifierKey, format_note, parse_note
from audit.keys.signing import load_key
from audit.log.entry import EntryKind, parse_entry
from contracts.clock import FrozenClock
from contracts.messages import LogStatus, ShardList, ShardView
from exchange.app import running
from exchange.backup import backup, restore
from exchange.log.cosigning import Cosigning
from exchange.log.offline import export_folder, fsck_folder
from exchange.log.startup import Opening
from exchange.log.succession import keep_shards
from exchange.parts import Parts, build_parts
from exchange.settings import load_settings
from exchange.wiring import HOOKS
from tests.exchange.provinces import ORIGIN, Exchange, Province, Serving, Unasked, code

pytestmark = pytest.mark.anyio

SECOND = "audit.alliance.example/test/2026h2"


@pytest.fixture
async def witnesses(exchange: Exchange) -> list[Province]:
    """Admit three witnesses; the quorum is two."""
    return [await exchange.admit() for _ in range(3)]


async def close(exchange: Exchange, name: str | None = None, person: str = "administrator") -> httpx.Response:
    """Ask for the end of the present shard."""
    return await exchange.person(person).post("/operator/shards", json={"name": name})


async def turn(exchange: Exchange, witnesses: list[Province], name: str | None = None) -> None:
    """Close the shard, let the witnesses cosign its end, and open the next one."""
    cosigning = Cosigning(exchange.parts)
    async with Serving(*witnesses):
        closed = await close(exchange, name)
        assert closed.status_code == 202, closed.text
        await cosigning.round()
        await cosigning.settle()
        await keep_shards(exchange.parts)
        await cosigning.round()
        await cosigning.settle()


async def listed(exchange: Exchange) -> list[ShardView]:
    """Read the list of shards as anybody may."""
    return ShardList.parse((await exchange.http.get("/log/shards")).content).shards


async def status(exchange: Exchange) -> LogStatus:
    """Read the log's status as anybody may."""
    return LogStatus.parse((await exchange.http.get("/log/status")).content)


async def test_a_shard_follows_under_a_key_of_its_own(exchange: Exchange, witnesses: list[Province]) -> None:
    """Closing by an administrator, a quorum on the end, and the next shard opens and is cosigned as well."""
    await turn(exchange, witnesses)
    first, second = await listed(exchange)
    standing = await status(exchange)
    key = load_key(exchange.parts.settings.home / "keys" / "log-2.key")
    note = parse_note((await exchange.http.get("/log/checkpoint")).content)

    assert (first.origin, second.origin, second.size) == (ORIGIN, SECOND, None)
    assert VerifierKey.parse(second.vkey).public == key.public
    assert len(note.verified([VerifierKey.parse(second.vkey)])) == 1
    assert len(note.signatures) == 1 + 3
    assert (standing.origin, standing.shard, standing.closing) == (SECOND, 2, False)
    assert standing.witnessed_size == 1
    size = exchange.parts.log.of(1).size()
    kinds = [parse_entry(leaf).kind for leaf in exchange.parts.log.of(1).entries(size - 2, size)]
    assert kinds == [EntryKind.ADMIN_ACT, EntryKind.SHARD_CLOSE]


async def test_the_end_of_a_shard_is_proved_to_anybody(exchange: Exchange, witnesses: list[Province]) -> None:
    """The list shows the last entry under the final, quorum-cosigned checkpoint; it names the next key."""
    await turn(exchange, witnesses)
    first, second = await listed(exchange)
    closing = first.closing
    assert closing is not None
    claim = Checkpoint.parse(parse_note(closing.checkpoint.encode()).text)
    leaf = base64.b64decode(closing.leaf)
    path = [base64.b64decode(step) for step in closing.path]
    entry = parse_entry(leaf)

    verify_inclusion(leaf_hash(leaf), closing.index, claim.size, path, claim.root)
    assert (claim.origin, claim.size, closing.index) == (ORIGIN, first.size, claim.size - 1)
    assert (entry.fields["next"], entry.fields["key"]) == (
        second.origin,
        exchange_key(exchange, 2),
    )


def exchange_key(exchange: Exchange, number: int) -> str:
    """Give a shard's public key as entries write it."""
    return load_key(exchange.parts.settings.shard_key_path(number)).public.text


async def test_no_shard_is_closed_without_a_quorum_at_hand(
    exchange: Exchange, witnesses: list[Province]
) -> None:
    """Too few connected witnesses could leave the log closed; so could a name that is taken."""
    async with Serving(witnesses[0]):
        alone = await close(exchange)
    async with Serving(*witnesses):
        taken = await close(exchange, "x/y")
        refused = await close(exchange, person="auditor")

    assert code(alone) == (409, "quorum-needed")
    assert taken.status_code == 400
    assert refused.status_code == 403
    assert (await status(exchange)).closing is False


async def test_a_name_is_used_once(exchange: Exchange, witnesses: list[Province]) -> None:
    """The administrator may name a shard, and no two shards share a name."""
    await turn(exchange, witnesses, "special")
    async with Serving(*witnesses):
        again = await close(exchange, "special")

    assert (await status(exchange)).origin == "audit.alliance.example/test/special"
    assert code(again) == (409, "origin-taken")


async def test_a_shard_does_not_bear_the_name_of_a_second_line(
    exchange: Exchange, witnesses: list[Province]
) -> None:
    """The names of second lines and twins are taken in advance."""
    async with Serving(*witnesses):
        answers = [await close(exchange, name) for name in ("mldsa44", "sm2-sm3", "sm3")]

    assert [code(answer) for answer in answers] == [(409, "origin-taken")] * 3


async def test_between_the_shards_requests_are_told_to_come_back(
    exchange: Exchange, witnesses: list[Province]
) -> None:
    """While the end waits for its quorum nothing is logged, and whoever asks hears when to try again."""
    async with Serving(*witnesses):
        await close(exchange)
        waiting = await exchange.person("administrator").post(
            "/operator/invites",
            json={
                "profile": witnesses[0].invite.profile.model_dump(mode="json"),
                "witness": False,
                "expires_hours": 1,
            },
        )
        twice = await close(exchange)
        await keep_shards(exchange.parts)  # no quorum has cosigned yet
        standing = await status(exchange)

    assert code(waiting) == (503, "shard-closing")
    assert code(twice) == (503, "shard-closing")
    assert (standing.closing, standing.shard) == (True, 1)


async def test_older_shards_stay_readable(exchange: Exchange, witnesses: list[Province]) -> None:
    """Every shard has its tiles, proofs and checkpoint under its number; the heads are for members."""
    await turn(exchange, witnesses)
    final = (await exchange.http.get("/log/shards/1/checkpoint")).content
    proof = await witnesses[0].http.get("/log/shards/1/proof/0")
    tile = await exchange.http.get("/log/shards/2/tile/0/000.p/1")
    heads = await witnesses[0].http.get("/log/shards/2/heads")

    assert Checkpoint.parse(parse_note(final).text).origin == ORIGIN
    assert proof.json()["checkpoint"].encode() == final
    assert tile.content == leaf_hash(exchange.parts.log.of(2).entry(0))
    assert heads.content == exchange.parts.log.of(2).heads()
    assert code(await exchange.http.get("/log/shards/3/checkpoint")) == (404, "no-such-shard")
    assert code(await exchange.http.get("/log/shards/x/checkpoint")) == (404, "no-such-shard")
    assert code(await witnesses[0].http.get("/log/shards/1/heads")) == (404, "nothing-carried")
    assert (await exchange.http.get("/log/shards/2/heads")).status_code == 401


async def test_the_half_year_ends_by_itself(
    exchange: Exchange, witnesses: list[Province], clock: FrozenClock
) -> None:
    """Once the half-year (UTC+8) is over, and not before, the background task closes and opens."""
    cosigning = Cosigning(exchange.parts)
    async with Serving(*witnesses):
        await keep_shards(exchange.parts)
        before = (await status(exchange)).closing
        clock.advance(timedelta(days=40).total_seconds())
    async with Serving(*witnesses):
        await keep_shards(exchange.parts)
        await cosigning.round()
        await cosigning.settle()
        await keep_shards(exchange.parts)
        await keep_shards(exchange.parts)

    assert before is False
    assert [shard.origin for shard in await listed(exchange)] == [
        ORIGIN,
        "audit.alliance.example/test/2027h1",
    ]


async def test_invites_go_on_pinning_the_first_shard(exchange: Exchange, witnesses: list[Province]) -> None:
    """Whoever joins later pins the founding name and key, and follows the proofs from there."""
    await turn(exchange, witnesses)
    late = await exchange.invite(witness=False)

    assert (late.invite.origin, late.invite.log_vkey) == (ORIGIN, witnesses[0].invite.log_vkey)


async def test_an_auditor_walks_all_shards(
    exchange: Exchange, witnesses: list[Province], tmp_path: Path
) -> None:
    """Fsck over a home holds every joint; each shard is exported to a folder of its own, and walked there."""
    await turn(exchange, witnesses)
    home = exchange.parts.settings.home
    walked = fsck_folder(home)
    for number in (1, 2):
        export_folder(home, tmp_path / "out" / str(number), number)
    exported = fsck_folder(tmp_path / "out")
    alone = fsck_folder(tmp_path / "out" / "2")

    assert (walked.ok, walked.facts["shards"]) == (True, 2)
    assert (exported.ok, exported.facts["shards"], exported.facts["size"]) == (True, 2, walked.facts["size"])
    assert (alone.ok, alone.facts["shards"]) == (True, 1)


# --- restarts -------------------------------------------------------------------------------------


@pytest.fixture
async def restarted(
    home: Path, clock: FrozenClock, policy: Unasked, tmp_path: Path
) -> AsyncIterator[tuple[Parts, list[Province]]]:
    """Give an exchange that was stopped, and backed up, between closing a shard and opening the next."""
    settings = load_settings(home, commit_window_seconds=0.0, witness_timeout_seconds=2.0)
    parts = build_parts(settings, HOOKS, clock, policy)
    async with running(parts, {}):
        await Opening(parts).round()
        before = Exchange(parts, clock)
        witnesses = [await before.admit() for _ in range(3)]
        cosigning = Cosigning(parts)
        async with Serving(*witnesses):
            await close(before)
            await cosigning.round()
            await cosigning.settle()
        await asyncio.to_thread(backup, home, tmp_path / "between.tar")
    parts = build_parts(settings, HOOKS, clock, policy)
    async with running(parts, {}):
        after = Exchange(parts, clock)
        for witness in witnesses:
            witness.exchange = after
        yield parts, witnesses


async def test_a_restart_between_the_steps_opens_the_next_shard(
    restarted: tuple[Parts, list[Province]],
) -> None:
    """The witnesses are asked about both shards; then the next one opens and takes what waited."""
    parts, witnesses = restarted
    opening = Opening(parts)
    async with Serving(*witnesses):
        await opening.round()
        sealed = parts.log.sealed
        await keep_shards(parts)
        await opening.round()
        await parts.log.commit(lambda unit: unit.size)

    assert (sealed, parts.log.origin) == (False, SECOND)
    challenges = [one for one in witnesses[0].asked if one.target_uri.endswith("/witness/challenge")]
    asked = [base64.b64decode(one.body).decode() for one in challenges]
    assert [SECOND in body for body in asked] == [False, True]


async def test_a_copy_from_between_the_steps_cannot_open_the_shard_again(
    restarted: tuple[Parts, list[Province]], tmp_path: Path, clock: FrozenClock, policy: Unasked
) -> None:
    """Where a witness has cosigned the next shard already, a copy that has not opened it stays sealed."""
    parts, witnesses = restarted
    signer = NoteSigner(SECOND, load_key(parts.settings.shard_key_path(2)))
    text = str(Checkpoint(SECOND, 5, bytes(32)))
    for witness in witnesses:
        witness.later_states[SECOND] = WitnessState(5, bytes(32))
        witness.notes[SECOND] = format_note(text, [signer.sign(text)])
    async with Serving(*witnesses):
        await Opening(parts).round()

    assert parts.log.sealed
    assert parts.log_state.refusal is not None
    restore(tmp_path / "between.tar", tmp_path / "copy")
    assert (tmp_path / "copy" / "keys" / "log-2.key").is_file()
