"""A log to measure: fresh keys, SQLite on the machine's own disk, and grants as large as real ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from audit.database import open_database, upgrade
from audit.formats.note import NoteSigner
from audit.keys.signing import SigningKey
from audit.log.entry import Entry, EntryKind
from audit.log.sequencer import Log
from audit.log.unit import Unit
from contracts.canonical import digest
from contracts.clock import SystemClock, epoch_ms
from exchange.parts import MIGRATIONS

ORIGIN = "audit.headwaters.example/bench"
SIGNER = NoteSigner(ORIGIN, SigningKey.generate())
_KEY = SigningKey.generate().public.text
_ALPHABET = "abcdefghijkmnpqr"  # sixteen letters that ids may have
_FIXED = {name: digest(name) for name in ("man", "agr", "rec", "obl", "pol", "dsc", "pur", "ev")}


@contextmanager
def open_log(folder: Path) -> Iterator[Log]:
    """Run a log in ``folder`` for the length of the block."""
    database = open_database(f"sqlite:///{folder / 'log.db'}")
    try:
        upgrade(database, MIGRATIONS)
        log = Log(database, SIGNER, ORIGIN, SystemClock(), sealed=False)
        log.start()
        try:
            yield log
        finally:
            log.close()
    finally:
        database.close()


def append_grant(unit: Unit) -> int:
    """Append the first grant of a subscription of its own, so that the log's chains hold."""
    return unit.append(grant_entry(unit.size, unit.now))


def entry_id(kind: str, number: int) -> str:
    """Give the id of a numbered thing, as ``s-aaaaaaaaaaab``."""
    return f"{kind}-" + "".join(_ALPHABET[int(digit, 16)] for digit in f"{number:012x}")


def grant_entry(number: int, at: datetime) -> Entry:
    """Give a grant with every field."""
    return Entry(
        EntryKind.GRANT,
        at,
        {
            **_FIXED,
            "gid": entry_id("g", number),
            "sub": entry_id("s", number),
            "seq": 1,
            "prev": None,
            "prov": "p-providerxxxx",
            "cons": "p-consumerxxxx",
            "ckey": _KEY,
            "dec": "c-abcdefghijkm",
            "exp": epoch_ms(at),
        },
    )
