"""A log whose process is killed loses nothing it acknowledged and contradicts no checkpoint it gave out."""

import multiprocessing
import random
from multiprocessing.connection import Connection
from pathlib import Path

from audit.database import Database, open_database, upgrade
from audit.walk.fsck import Trusted, walk
from audit.walk.log_source import DatabaseSource
from contracts.canonical import sha256_hex
from tests.audit.logs import NOW, SIGNER, appending, running
from tests.crash.rounds import played, rounds
from tests.crash.writer import write

ROUNDS = rounds(10, 60)


def _write_until_killed(url: str, answers: int) -> list[bytes]:
    """Run a writer, kill it after so many answers, and give every answer that got out."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash.writer"])
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(target=write, args=(url, writing), daemon=True)
    process.start()
    writing.close()
    got = [reading.recv_bytes() for _ in range(answers)]
    process.kill()
    process.join()
    got += _rest(reading)
    reading.close()
    process.close()
    return got


def _rest(reading: "Connection[bytes, bytes]") -> list[bytes]:
    got = []
    while True:
        try:
            got.append(reading.recv_bytes())
        except EOFError:
            return got


def test_a_killed_log_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """After each kill -9, every acknowledged entry is in place and every checkpoint given out still holds."""
    chance = random.Random(20260302)  # noqa: S311  # where to kill, not a secret
    url = f"sqlite:///{tmp_path / 'evidence.db'}"
    database = open_database(url)
    upgrade(database, "exchange:migrations")
    acknowledged: dict[int, str] = {}
    heads: set[bytes] = set()
    for _ in range(ROUNDS):
        for answer in _write_until_killed(url, chance.randint(1, 40)):
            index, leaf, note = answer.split(b" ", 2)
            assert int(index) not in acknowledged
            acknowledged[int(index)] = leaf.decode()
            heads.add(note)
        with running(database) as log:
            log.commit_blocking(appending(0))
            kept = {index: sha256_hex(leaf) for index, leaf in enumerate(log.entries(0, log.size()))}
        assert {index: kept.get(index) for index in acknowledged} == acknowledged
        _check_whole(database, heads)
        played["log", "SIGKILL"] += 1
    database.close()

    assert len(acknowledged) > ROUNDS


def _check_whole(database: Database, heads: set[bytes]) -> None:
    with DatabaseSource.open(database) as source:
        walk(source, Trusted(SIGNER.verifier_key, NOW, against=sorted(heads))).require_sound()
