"""A small log for tests: fixed keys, a frozen clock, and entries that are easy to tell apart."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from audit.database import Database, open_database, upgrade
from audit.formats.cosignature import Cosigner
from audit.formats.merkle import leaf_hash
from audit.formats.note import NoteSigner, parse_note
from audit.formats.quorum import WitnessPolicy
from audit.keys.signing import SigningKey
from audit.log.chains import Chains
from audit.log.entry import Entry, EntryKind, parse_entry
from audit.log.sequencer import Log
from audit.log.unit import Unit
from contracts.canonical import digest
from contracts.clock import FrozenClock
from contracts.messages import SubscriptionHeads

ORIGIN = "audit.alliance.example/2026h1"
NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
SIGNER = NoteSigner(ORIGIN, SigningKey.from_seed(bytes([1]) * 32))
WITNESSES = [
    Cosigner(f"witness-{number}.example/w1", SigningKey.from_seed(bytes([10 + number]) * 32))
    for number in range(3)
]
POLICY = WitnessPolicy.k_of_n(
    SIGNER.verifier_key, {f"w{number}": witness.verifier_key for number, witness in enumerate(WITNESSES)}, 2
)


def event(number: int, at: datetime = NOW) -> Entry:
    """Give an entry that says ``number``."""
    return Entry(EntryKind.POLICY_ACTIVATE, at, {"pol": digest(number)})


def appending(*numbers: int) -> Callable[[Unit], list[int]]:
    """Give a unit that appends one entry for each number and returns their indexes."""
    return lambda unit: [unit.append(event(number, unit.now)) for number in numbers]


def shard_key(number: int) -> SigningKey:
    """Give the key of a later shard."""
    return SigningKey.from_seed(bytes([100 + number]) * 32)


def shard_signer(number: int, origin: str) -> NoteSigner:
    """Give the signer of a later shard."""
    return NoteSigner(origin, shard_key(number))


def written(folder: Path, fill: Callable[[Database], object]) -> Path:
    """Give an SQLite file that ``fill`` has written, to be copied and then damaged."""
    path = folder / "evidence.db"
    database = open_database(f"sqlite:///{path}")
    upgrade(database, "exchange:migrations")
    fill(database)
    database.close()
    return path


@contextmanager
def copied(file: Path, folder: Path) -> Iterator[Database]:
    """Open a copy of a database file."""
    database = open_database(f"sqlite:///{shutil.copy(file, folder / 'evidence.db')}")
    try:
        yield database
    finally:
        database.close()


def new_log(database: Database, *, window_seconds: float = 0, sealed: bool = False) -> Log:
    """Give a log that has not started."""
    return Log(
        database, SIGNER, ORIGIN, FrozenClock(NOW), window_seconds, sealed=sealed, signer_of=shard_signer
    )


def heads_of(log: Log) -> bytes:
    """Give the subscription heads that the newest shard's entries lead to."""
    carried = log.heads()
    chains = Chains(() if carried is None else SubscriptionHeads.parse(carried).heads, log.origin)
    for index, leaf in enumerate(log.entries(0, log.size())):
        chains.follow(index, parse_entry(leaf), leaf_hash(leaf))
    return SubscriptionHeads(heads=chains.heads()).canonical()


def close_shard(log: Log, origin: str, *, publish: bool = True) -> None:
    """Close the newest shard and publish its end."""
    key, heads = shard_key(log.shard().number + 1).public, heads_of(log)
    log.commit_blocking(lambda unit: unit.close_shard(origin, key, heads))
    if publish:
        log.publish_cosigned(cosigned(log.checkpoint()))


def next_shard(log: Log, origin: str) -> None:
    """Let the shard ``origin`` follow the newest one."""
    close_shard(log, origin)
    log.open_next_blocking()


@contextmanager
def running(database: Database, *, window_seconds: float = 0, sealed: bool = False) -> Iterator[Log]:
    """Run a log for the length of the block."""
    log = new_log(database, window_seconds=window_seconds, sealed=sealed)
    log.start()
    try:
        yield log
    finally:
        log.close()


def cosigned(note: bytes, count: int = 2, at: datetime = NOW) -> bytes:
    """Add the cosignatures of the first ``count`` witnesses to a log-signed note."""
    text = parse_note(note).text
    return note + "".join(witness.cosign(text, at) for witness in WITNESSES[:count]).encode()
