"""A7: how fast a whole log of transfers is walked, beside hashing its leaves and nodes and reading its rows.

The plain limit is what any walk must do: read the rows from SQLite and hash every leaf once and every node
once, in Python.
"""

import sqlite3
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path

from audit.database import open_database
from audit.log.unit import Unit
from audit.walk.fsck import Trusted, walk
from audit.walk.log_source import DatabaseSource
from benchmarks.figures import Figure, Limit, timed
from benchmarks.logs import SIGNER, entry_id, open_log
from contracts.clock import SystemClock
from tests.audit.transfers import Subscription

ENTRIES = 100_000
BATCH = 200
SUBSCRIPTIONS = 100


def run(folder: Path) -> list[Figure]:
    """Measure the walk of a log of 50,000 transfers, granted and done, of 100 subscriptions."""
    subscriptions = [Subscription(name=entry_id("s", number)) for number in range(SUBSCRIPTIONS)]
    with open_log(folder) as log:
        for number in range(ENTRIES // BATCH):
            log.commit_blocking(partial(_append_batch, subscriptions[number % SUBSCRIPTIONS]))
    plain = Limit("entries/CPU-s, read and hash", _plain_rate(folder / "log.db"))
    database = open_database(f"sqlite:///{folder / 'log.db'}")
    try:
        with DatabaseSource.open(database) as source, timed() as elapsed:
            report = walk(source, Trusted(log_key=SIGNER.verifier_key, now=SystemClock().now()))
    finally:
        database.close()
    report.require_sound()
    rate = report.entries / elapsed.cpu_seconds
    return [Figure("A7", "whole-log verification", rate, "entries/CPU-s", plain, bar="50,000", aim="150,000")]


def _append_batch(subscription: Subscription, unit: Unit) -> None:
    for _ in range(BATCH // 2):
        subscription.done(unit, subscription.grant(unit))


def _plain_rate(path: Path) -> float:
    with closing(sqlite3.connect(path)) as connection, timed() as elapsed:
        rows = connection.execute("SELECT leaf FROM log_entry ORDER BY idx")
        level = [sha256(b"\x00" + row[0]).digest() for row in rows]
        while len(level) > 1:
            level = [
                sha256(b"\x01" + left + right).digest()
                for left, right in zip(level[::2], level[1::2], strict=False)
            ]
    return ENTRIES / elapsed.cpu_seconds
