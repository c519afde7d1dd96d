"""A log that went on in a second shard: every judge accepts both, and the joint holds apart from our code."""

import json
from pathlib import Path

import pytest

from audit.database import open_database, upgrade
from audit.formats.checkpoint import Checkpoint
from audit.formats.note import NoteSigner, parse_note
from audit.formats.quorum import WitnessPolicy
from audit.keys.signing import SigningKey
from audit.log.export import export
from audit.log.sequencer import Log
from audit.walk.fsck import Trusted, walk
from audit.walk.log_source import DirectorySource
from contracts.clock import FrozenClock
from contracts.messages import SubscriptionHeads
from tests.audit.logs import NOW, ORIGIN, SIGNER, appending
from tests.verifiers import second
from tests.verifiers.emitted import AT, QUORUM, WITNESSES, add_claims, copy, put
from tests.verifiers.first import ours
from tests.verifiers.judges import Judge
from tests.verifiers.second_trust import check_succession, verdict

NEXT_KEY = SigningKey.from_seed(b"\x0a" * 32)
FOLLOWING = NoteSigner("audit.alliance.example/2026h2", NEXT_KEY)
SIGNERS = {1: SIGNER, 2: FOLLOWING}
SIZES = {1: 302, 2: 258}


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Give the exports of a closed shard and of the one that follows it."""
    folder = tmp_path_factory.mktemp("shards")
    database = open_database(f"sqlite:///{folder / 'evidence.db'}")
    upgrade(database, "exchange:migrations")
    log = Log(
        database,
        SIGNER,
        ORIGIN,
        FrozenClock(NOW),
        0,
        sealed=False,
        signer_of=lambda number, _: SIGNERS[number],
    )
    log.start()
    heads = SubscriptionHeads(heads=[]).canonical()
    log.commit_blocking(appending(*range(301)))
    log.commit_blocking(lambda unit: unit.close_shard(FOLLOWING.name, NEXT_KEY.public, heads))
    _publish(log)
    log.open_next_blocking()
    log.commit_blocking(appending(*range(257)))
    _publish(log)
    homes = {number: _export(log, number, folder / str(number)) for number in SIGNERS}
    log.close()
    database.close()
    return homes


def _publish(log: Log) -> None:
    text = parse_note(log.checkpoint()).text
    log.publish_cosigned(log.checkpoint() + "".join(one.cosign(text, AT) for one in WITNESSES).encode())


def _export(log: Log, number: int, home: Path) -> Path:
    key = SIGNERS[number].verifier_key
    witnesses = {f"w{place}": one.verifier_key for place, one in enumerate(WITNESSES)}
    export(log.of(number), home, WitnessPolicy.k_of_n(key, witnesses, QUORUM))
    add_claims(home, log.of(number), SIZES[number], [key, *(one.verifier_key for one in WITNESSES)])
    return home


@pytest.mark.real
@pytest.mark.parametrize("number", SIZES)
def test_both_shards_are_accepted(judge: Judge, shards: dict[int, Path], number: int, tmp_path: Path) -> None:
    """A closed shard and its successor are whole logs under their own keys; neither passes for the other."""
    swapped = copy(shards[number], tmp_path / "swapped")
    for name in ("vkeys", "vkey"):
        put(swapped / name, (shards[3 - number] / name).read_bytes())

    assert judge.judge(shards[number]).startswith(f"OK {SIZES[number]} entries")
    assert judge.judge(swapped).startswith("REJECTED")


def test_the_joint_holds_apart_from_our_code(shards: dict[int, Path]) -> None:
    """The second verifier finds that the first shard names the second, which begins where the first ended."""
    notes = {number: (home / "checkpoint").read_bytes() for number, home in shards.items()}
    trees = {}
    for number, home in shards.items():
        policy = second.read_policy((home / "policy").read_text())
        trees[number], _ = second.witnessed(notes[number], policy, AT.timestamp())
        second.walk(lambda name, home=home: (home / name).read_bytes(), trees[number])  # type: ignore[misc]  # binds the loop's home
    last = second.split_bundle((shards[1] / "tile/entries/001.p/46").read_bytes())[-1]
    first = second.split_bundle((shards[2] / "tile/entries/000").read_bytes())[0]
    key = second.read_key(str(FOLLOWING.verifier_key))
    other = json.loads(first) | {"size": 301}

    check_succession(trees[1], last, first, key)
    for changed in (
        lambda: check_succession(trees[2], last, first, key),
        lambda: check_succession(trees[1], first, last, key),
        lambda: check_succession(trees[1], last, json.dumps(other, separators=(",", ":")).encode(), key),
        lambda: check_succession(trees[1], last, first, second.read_key(str(SIGNER.verifier_key))),
    ):
        assert verdict(changed) == "bad"
    assert Checkpoint(ORIGIN, 302, trees[1].root) == Checkpoint.parse(parse_note(notes[1]).text)


def test_no_bit_of_the_carried_heads_can_change(shards: dict[int, Path], tmp_path: Path) -> None:
    """The heads with which a shard begins lie beside it, and each of their bits is held by ``shard.open``."""
    home = copy(shards[2], tmp_path / "log")
    good = (home / "heads.json").read_bytes()
    policy = WitnessPolicy.parse((home / "policy").read_text())

    def word() -> str:
        trusted = Trusted(FOLLOWING.verifier_key, AT, policy)
        return ours(lambda: walk(DirectorySource(home), trusted).require_sound())

    accepted = []
    for bit in range(8 * len(good)):
        put(
            home / "heads.json",
            good[: bit // 8] + bytes([good[bit // 8] ^ 1 << bit % 8]) + good[bit // 8 + 1 :],
        )
        accepted += [bit] if word() == "good" else []

    put(home / "heads.json", good)
    assert word() == "good"
    assert accepted == []
