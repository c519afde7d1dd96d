"""Second lines: published checkpoints carry the log's signature in other suites as well, where asked for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from audit.formats.dsse import parse_envelope
from audit.formats.note import KeyType, VerifierKey, parse_note
from audit.keys.signing import KeyFileExposed
from contracts.clock import FrozenClock
from contracts.messages import Directory
from exchange.app import running
from exchange.log.cosigning import Cosigning
from exchange.log.flow import recall
from exchange.log.second_lines import is_own_line, open_second_lines
from exchange.log.startup import Opening
from exchange.log.succession import keep_shards
from exchange.members.flow import latest_directory, reissue_directory
from exchange.parts import Parts, build_parts
from exchange.settings import SettingsInvalid, load_settings
from exchange.wiring import HOOKS
from tests.exchange.provinces import ORIGIN, Exchange, Serving, Unasked, hold_round

pytestmark = pytest.mark.anyio


@pytest.fixture
async def exchange(home: Path, clock: FrozenClock, policy: Unasked) -> AsyncIterator[Exchange]:
    """Run an exchange that signs in both further suites."""
    settings = load_settings(home, commit_window_seconds=0.0, second_suites="mldsa44, sm2-sm3")
    parts = build_parts(settings, HOOKS, clock, policy)
    async with running(parts, {}):
        await Opening(parts).round()
        yield Exchange(parts, clock)


async def published(exchange: Exchange) -> bytes:
    """Let two witnesses cosign, and give what is published."""
    witnesses = [await exchange.admit() for _ in range(2)]
    cosigning = Cosigning(exchange.parts)
    await hold_round(cosigning, *witnesses)
    note: bytes = (await exchange.http.get("/log/checkpoint")).content
    return note


async def test_a_published_checkpoint_carries_a_line_of_each_suite(exchange: Exchange) -> None:
    """Both lines hold under keys that bear the log's origin, beside its Ed25519 line and the cosignatures."""
    note = parse_note(await published(exchange))
    origin = exchange.parts.log.origin
    keys = [VerifierKey.parse(text) for text in exchange.parts.second_lines.vkeys(origin)]

    assert [key.type for key, _ in note.verified(keys)] == [KeyType.MLDSA44, KeyType.SM2]
    assert [key.name for key in keys] == [f"{origin}/mldsa44", f"{origin}/sm2-sm3"]
    assert len(note.signatures) == 1 + 2 + 2


async def test_second_lines_are_signed_once_a_checkpoint(exchange: Exchange) -> None:
    """A late witness adds its line under the second lines that were signed when the quorum was reached."""
    witnesses = [await exchange.admit() for _ in range(3)]
    cosigning = Cosigning(exchange.parts)
    notes = []
    for polling in (witnesses[:2], witnesses):
        await hold_round(cosigning, *polling)
        notes.append(parse_note((await exchange.http.get("/log/checkpoint")).content))
    origin = exchange.parts.log.origin
    own = [[line for line in note.signatures if is_own_line(line.name, origin)] for note in notes]

    assert [len(note.signatures) for note in notes] == [1 + 2 + 2, 1 + 2 + 3]
    assert own[0] == own[1]


async def test_second_lines_are_no_cosignatures(exchange: Exchange) -> None:
    """What a restart reads back counts witnesses only; an exchange makes no quorum with its own lines."""
    await published(exchange)
    exchange.parts.log_state.cosignatures = 0
    recall(exchange.parts)

    assert exchange.parts.log_state.cosignatures == 2


async def test_the_keys_stay_the_same_over_a_restart(exchange: Exchange, home: Path) -> None:
    """A key is made on first use, for its owner alone, and read ever after."""
    origin, made = exchange.parts.log.origin, exchange.parts.second_lines
    files = sorted((home / "keys").glob("log-*.key"))
    again = open_second_lines(home / "keys", load_settings(home, second_suites="sm2-sm3,mldsa44").suites)

    assert sorted(again.vkeys(origin)) == sorted(made.vkeys(origin))
    assert [(path.name, path.stat().st_mode & 0o777) for path in files] == [
        ("log-mldsa44.key", 0o600),
        ("log-sm2-sm3.key", 0o600),
    ]


async def test_an_exposed_second_key_stops_the_start(exchange: Exchange, home: Path) -> None:
    """A second key that others may read is refused like the log's own."""
    (home / "keys" / "log-mldsa44.key").chmod(0o640)

    with pytest.raises(KeyFileExposed):
        open_second_lines(home / "keys", exchange.parts.settings.suites)


def named(parts: Parts) -> list[str]:
    """Give the second keys that the newest directory names."""
    return Directory.parse(parse_envelope(latest_directory(parts).encode()).payload).second_keys


async def test_the_directory_names_the_keys_as_soon_as_the_settings_do(
    home: Path, clock: FrozenClock, policy: Unasked
) -> None:
    """A suite that the settings add brings a new directory at once; one that they drop stays named."""
    seen = []
    for suites in ("", "mldsa44", "sm2-sm3", ""):
        settings = load_settings(home, commit_window_seconds=0.0, second_suites=suites)
        parts = build_parts(settings, HOOKS, clock, policy)
        async with running(parts, {}):
            await Opening(parts).round()
            reissued = [await reissue_directory(parts) is not None for _ in range(2)]
            seen.append((reissued, [text.partition("+")[0] for text in named(parts)]))

    mldsa, sm2 = (f"{ORIGIN}/{suite}" for suite in ("mldsa44", "sm2-sm3"))
    assert seen == [
        ([False, False], []),
        ([True, False], [mldsa]),
        ([True, False], [mldsa, sm2]),
        ([False, False], [mldsa, sm2]),
    ]


async def test_a_new_shard_has_second_keys_of_its_own(exchange: Exchange) -> None:
    """The next shard's lines stand under its own name, the directory adds them, and the old ones stay."""
    witnesses = [await exchange.admit() for _ in range(2)]
    cosigning, parts = Cosigning(exchange.parts), exchange.parts
    before = named(parts)
    async with Serving(*witnesses):
        await exchange.person("administrator").post("/operator/shards", json={"name": None})
        for _ in range(2):
            await cosigning.round()
            await cosigning.settle()
            await keep_shards(parts)
    note = parse_note((await exchange.http.get("/log/checkpoint")).content)
    reissued = [await reissue_directory(parts) is not None for _ in range(2)]

    assert reissued == [True, False]
    assert named(parts) == [*before, *parts.second_lines.vkeys(parts.log.origin)]
    assert len(set(named(parts))) == 4
    keys = [VerifierKey.parse(text) for text in named(parts)[2:]]
    assert [key for key, _ in note.verified(keys)] == keys


@pytest.mark.parametrize("text", ["rsa", "mldsa44,mldsa44", "sm2"])
def test_an_unknown_or_repeated_suite_is_refused(home: Path, text: str) -> None:
    """The setting names each suite that exists at most once."""
    with pytest.raises(SettingsInvalid):
        load_settings(home, second_suites=text)
