"""A log that ends one shard and opens the next while everything about its disk is recorded."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from audit.database import Database
from audit.formats.note import NoteSigner
from audit.keys.signing import SigningKey
from audit.log.sequencer import Log
from audit.log.unit import Unit
from audit.walk.fsck import Trusted, walk
from audit.walk.log_source import DatabaseSource
from contracts.clock import FrozenClock
from contracts.errors import HeadwatersError
from contracts.messages import SubscriptionHeads
from tests.audit.logs import NOW, ORIGIN, SIGNER, appending, cosigned, event
from tests.crash.log_writing import opened
from tests.crash.recorder import Recorder, recording
from tests.crash.rounds import Crash

SHARDS = 4
_HEADS = SubscriptionHeads(heads=[]).canonical()


def write_shards(folder: Path, seed: int, *, pragma: str = "") -> Recorder:
    """Append to four shards, one after the other, and record it."""
    chance = random.Random(seed)  # noqa: S311  # what to do next, no secret
    with recording(folder) as recorder, opened(folder, pragma) as database, _running(database) as log:
        for number in range(1, SHARDS + 1):
            for burst in range(chance.randint(1, 4)):
                _append(recorder, log, number * 100 + burst)
            if number < SHARDS:
                _turn(recorder, log, number + 1)
    return recorder


def _append(recorder: Recorder, log: Log, number: int) -> None:
    done = log.commit_blocking(appending(number))
    recorder.promise("entry", str(done.value[0]), event(number).encode())
    recorder.promise("head", log.origin, done.checkpoint)


def _turn(recorder: Recorder, log: Log, following: int) -> None:
    closed = log.commit_blocking(partial(_close, following))
    recorder.promise("head", log.origin, closed.checkpoint)
    note = cosigned(closed.checkpoint)
    log.publish_cosigned(note)
    recorder.promise("head", log.origin, note)
    opened = log.open_next_blocking()
    recorder.promise("head", opened.value.origin, opened.checkpoint)


def _close(following: int, unit: Unit) -> int:
    return unit.close_shard(_origin(following), _key(following).public, _HEADS)


def broken_promises(crash: Crash) -> list[str]:
    """Start the log, finish what a crash cut short, and name every promise that is not kept."""
    try:
        with opened(crash.folder) as database:
            with _running(database) as log:
                _finish(log)
                log.commit_blocking(appending(0))
                lost = [
                    f"entry {one.about}"
                    for one in crash.about("entry")
                    if not _holds(log, one.about, one.content)
                ]
                shards = log.shards()
            for shard in shards:
                lost += _unsound(database, crash, shard.number, shard.origin)
    except (HeadwatersError, DBAPIError) as error:
        return [f"the log does not start: {type(error).__name__}: {error}"]
    return lost


def _finish(log: Log) -> None:
    shard = log.shard()
    if shard.size is not None:
        log.publish_cosigned(cosigned(log.checkpoint()))
        log.open_next_blocking()


def _holds(log: Log, place: str, leaf: bytes) -> bool:
    try:
        reader, index = log.at(int(place))
        return reader.entry(index) == leaf
    except HeadwatersError:
        return False


def _unsound(database: Database, crash: Crash, number: int, origin: str) -> list[str]:
    heads = sorted({one.content for one in crash.about("head") if one.about == origin})
    with DatabaseSource.open(database, number) as source:
        damage = walk(source, Trusted(_signer(number).verifier_key, NOW, against=heads)).damage
    return [] if damage is None else [f"shard {number}, at index {damage.index}: {damage.what}"]


def _origin(number: int) -> str:
    return ORIGIN if number == 1 else f"{ORIGIN}-{number}"


def _key(number: int) -> SigningKey:
    return SigningKey.from_seed(bytes([number]) * 32)


def _signer(number: int, _name: str = "") -> NoteSigner:
    return NoteSigner(_origin(number), _key(number))


@contextmanager
def _running(database: Database) -> Iterator[Log]:
    log = Log(database, SIGNER, ORIGIN, FrozenClock(NOW), 0, sealed=False, signer_of=_signer)
    log.start()
    try:
        yield log
    finally:
        log.close()
