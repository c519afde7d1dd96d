"""A log that is written to while everything about its disk is recorded, and what it must keep of its word."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from audit.database import Database, open_database
from audit.log.sequencer import Log, LogUnavailable
from audit.log.unit import Committed
from audit.walk.fsck import Trusted, walk
from audit.walk.log_source import DatabaseSource
from contracts.errors import HeadwatersError
from tests.audit.logs import NOW, POLICY, SIGNER, appending, cosigned, event, running
from tests.crash.connections import connecting
from tests.crash.recorder import Fault, FaultKind, Recorder, recording
from tests.crash.rounds import Crash

NAME = "evidence.db"
BURSTS = 24
_OFTEN = 12  # pages in the write-ahead log before it is carried over into the database: many such moments


def write_log(folder: Path, seed: int, *, fault: FaultKind | None = None, pragma: str = "") -> Recorder:
    """Append in bursts and record it; under a ``fault`` the disk fails on the way, and recovers."""
    chance = random.Random(seed)  # noqa: S311  # what to do next, no secret
    with recording(folder) as recorder, opened(folder, pragma) as database, running(database) as log:
        asyncio.run(_write(log, recorder, chance, fault))
    return recorder


async def _write(log: Log, recorder: Recorder, chance: random.Random, kind: FaultKind | None) -> None:
    for burst in range(BURSTS):
        if kind is not None and chance.random() < 0.4:
            recorder.fault = Fault.soon(kind, chance, within=12)
        numbers = [
            range(burst * 100 + unit * 10, burst * 100 + unit * 10 + chance.randint(1, 5))
            for unit in range(3)
        ]
        units = [log.commit(appending(*some)) for some in numbers[: chance.randint(1, 3)]]
        answers = await asyncio.gather(*units, return_exceptions=True)
        recorder.fault = None
        for some, answer in zip(numbers, answers, strict=False):
            _note(recorder, list(some), answer)
        if chance.random() < 0.3:
            note = cosigned(log.checkpoint())
            log.publish_cosigned(note)
            recorder.promise("head", content=note)
    if kind is not None:
        # The disk is well again: the log goes on without being started anew.
        _note(recorder, [1], await log.commit(appending(1)))


def _note(recorder: Recorder, numbers: list[int], answer: Committed[list[int]] | BaseException) -> None:
    if isinstance(answer, LogUnavailable):
        return  # refused, and said so
    if isinstance(answer, BaseException):
        raise answer
    for number, index in zip(numbers, answer.value, strict=True):
        recorder.promise("entry", str(index), event(number).encode())
    recorder.promise("head", content=answer.checkpoint)


def broken_promises(crash: Crash) -> list[str]:
    """Start the log on what the disk holds, let it go on, and name every promise that it does not keep."""
    try:
        with opened(crash.folder) as database:
            with running(database) as log:
                log.commit_blocking(appending(0))
                kept = log.entries(0, log.size())
            lost = [
                f"entry {one.about}"
                for one in crash.about("entry")
                if int(one.about) >= len(kept) or kept[int(one.about)] != one.content
            ]
            heads = sorted({one.content for one in crash.about("head")})
            with DatabaseSource.open(database) as source:
                damage = walk(source, Trusted(SIGNER.verifier_key, NOW, POLICY, against=heads)).damage
    except (HeadwatersError, DBAPIError) as error:
        return [f"the log does not start: {type(error).__name__}: {error}"]
    return lost if damage is None else [*lost, f"at index {damage.index}: {damage.what}"]


@contextmanager
def opened(folder: Path, pragma: str = "") -> Iterator[Database]:
    """Open the log's database; ``pragma`` makes its connections less safe."""
    with connecting(pages=_OFTEN, pragma=pragma):
        database = open_database(f"sqlite:///{folder / NAME}")
    try:
        yield database
    finally:
        database.close()
