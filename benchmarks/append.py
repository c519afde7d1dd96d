"""A2 and A3: entries per second that are durable and integrated, beside raw SQLite and raw Ed25519.

Three kinds of work: the log alone; with the exchange's countersignature over each entry; and with the
provider's signature verified as well, which is what a transfer costs.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from audit.formats.dsse import Envelope, parse_envelope, sign
from audit.keys.signing import SigningKey
from audit.log.sequencer import Log
from benchmarks.figures import Figure, Limit, cpu_each, timed
from benchmarks.logs import append_grant, open_log

PAYLOAD_TYPE = "application/vnd.headwaters.receipt.v1+json"
ENTRIES = 20_000
SIGNED_ENTRIES = 5_000
IN_FLIGHT = 2_000
ROWS_A_COMMIT = 100
ROW_BYTES = 1_000

PROVIDER, EXCHANGE = SigningKey.generate(), SigningKey.generate()


def run(folder: Path) -> list[Figure]:
    """Measure raw group commit, raw signatures, and the three kinds of append."""
    raw = Limit("rows/s, raw SQLite", _raw_rows_per_second(folder / "raw.db"))
    payload = os.urandom(350).hex().encode()
    received = sign(PAYLOAD_TYPE, payload, [PROVIDER]).encode()
    signature = PROVIDER.sign(payload)
    signing = cpu_each(lambda: EXCHANGE.sign(payload))
    verifying = cpu_each(lambda: PROVIDER.public.verify(signature, payload))
    pair = Limit("Ed25519 verify+sign /CPU-s", 1 / (signing + verifying))

    def countersign() -> Envelope:
        return sign(PAYLOAD_TYPE, payload, [EXCHANGE])

    def check_and_countersign() -> Envelope:
        parse_envelope(received).verified_by({PROVIDER.key_id: PROVIDER.public}, {PROVIDER.key_id})
        return countersign()

    bare = _appends_per_second(folder / "bare", lambda: None, ENTRIES)
    signed = _appends_per_second(folder / "signed", countersign, SIGNED_ENTRIES)
    checked = _appends_per_second(folder / "checked", check_and_countersign, SIGNED_ENTRIES)
    return [
        Figure("A3", "log-only durable appends", bare, "entries/s", raw, bar="0.35", aim="0.6"),
        Figure(
            "A2",
            "appends with countersignature",
            signed,
            "entries/s",
            Limit("Ed25519 signs /CPU-s", 1 / signing),
        ),
        Figure(
            "A2",
            "appends, provider verified, countersigned",
            checked,
            "entries/s",
            pair,
            bar="2,500 /s",
            aim="5,000 /s",
        ),
    ]


def _raw_rows_per_second(path: Path) -> float:
    """Write rows of 1 KB, 100 a commit, in WAL with a full flush each: what SQLite gives without a log."""
    row = os.urandom(ROW_BYTES)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE raw (n INTEGER PRIMARY KEY, body BLOB)")
        with timed() as elapsed:
            for start in range(0, ENTRIES, ROWS_A_COMMIT):
                connection.execute("BEGIN IMMEDIATE")
                rows = [(start + n, row) for n in range(ROWS_A_COMMIT)]
                connection.executemany("INSERT INTO raw VALUES (?, ?)", rows)
                connection.execute("COMMIT")
    return ENTRIES / elapsed.seconds


def _appends_per_second(folder: Path, work: Callable[[], object], count: int) -> float:
    folder.mkdir()
    with open_log(folder) as log, timed() as elapsed:
        asyncio.run(_append_all(log, work, count))
    return count / elapsed.seconds


async def _append_all(log: Log, work: Callable[[], object], count: int) -> None:
    """Keep many callers waiting, as a busy exchange does; each does its work and appends one entry."""

    async def call() -> None:
        work()
        await log.commit(append_grant)

    for start in range(0, count, IN_FLIGHT):
        await asyncio.gather(*(call() for _ in range(min(IN_FLIGHT, count - start))))
