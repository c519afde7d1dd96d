"""An attacker who owns the log's database: what it changes, and how much it can recompute to cover it up."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path

from audit.database import Database, open_database
from audit.formats.merkle import leaf_hash
from audit.log.entry import Entry, EntryKind, parse_entry
from audit.log.export import export
from audit.log.log_reader import LogReader
from audit.log.unit import Unit
from contracts.canonical import canonical_bytes, digest, parse_canonical
from tests.audit.logs import POLICY, cosigned, event, running
from tests.audit.transfers import Subscription

SIZE = 700
WITNESSED = 610  # what a quorum has cosigned, and a province has mirrored
CUTS = (10, WITNESSED, 621, SIZE)  # where the log signed a checkpoint
GRANT = 300  # the first of five transfers: a grant and its closing, one after the other
PLAIN = 400  # an entry that no other entry names

Change = Callable[[list[bytes]], list[bytes]]


class Power(StrEnum):
    """What the attacker can do beyond changing entries."""

    ROWS = "the database"
    HASHES = "the database, and recomputes every hash, link and tile"
    KEY = "the same, and signs with the log's key"
    SILENCE = "the same, and removes what the witnesses had cosigned"


def write_sound_log(database: Database) -> None:
    """Write 700 entries with transfers among them; a quorum cosigned the first 610."""
    with running(database) as log:
        log.commit_blocking(lambda unit: _append(unit, range(10)))
        log.commit_blocking(_middle)
        log.publish_cosigned(cosigned(log.checkpoint()))
        log.commit_blocking(lambda unit: _append(unit, range(WITNESSED, 621)))
        log.commit_blocking(lambda unit: _append(unit, range(621, SIZE)))


def _append(unit: Unit, numbers: Sequence[int]) -> None:
    for number in numbers:
        unit.append(event(number, unit.now))


def _middle(unit: Unit) -> None:
    _append(unit, range(10, GRANT))
    subscription = Subscription()
    for _ in range(5):
        subscription.done(unit, subscription.grant(unit))
    _append(unit, range(GRANT + 10, WITNESSED))


# --- what is changed -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attack:
    """One way of tampering with the entries, and the first index that is no longer true."""

    name: str
    change: Change
    first: int


def _replaced(at: int, entry: Callable[[bytes], Entry]) -> Change:
    def run(leaves: list[bytes]) -> list[bytes]:
        return [*leaves[:at], entry(leaves[at]).encode(), *leaves[at + 1 :]]

    return run


def _other_consumer(leaf: bytes) -> Entry:
    entry = parse_entry(leaf)
    return Entry(entry.kind, entry.at, {**entry.fields, "cons": "p-anothereeeee"})


def _earlier(leaf: bytes) -> Entry:
    entry = parse_entry(leaf)
    return Entry(entry.kind, entry.at - timedelta(days=30), entry.fields)


def _swap_bodies(leaves: list[bytes]) -> list[bytes]:
    """Let two transfers exchange what was delivered in them."""
    one, other = parse_entry(leaves[GRANT + 1]), parse_entry(leaves[GRANT + 3])
    swapped = dict(one.fields) | {"cc": digest("another body"), "len": 7}
    back = dict(other.fields) | {"cc": one.fields["cc"], "len": one.fields["len"]}
    changed = list(leaves)
    changed[GRANT + 1] = Entry(one.kind, one.at, swapped).encode()
    changed[GRANT + 3] = Entry(other.kind, other.at, back).encode()
    return changed


def _forked_after(at: int) -> Change:
    return lambda leaves: [*leaves[:at], *(event(10_000 + n).encode() for n in range(SIZE - at))]


def _reorder(leaves: list[bytes]) -> list[bytes]:
    return [*leaves[:PLAIN], leaves[PLAIN + 1], leaves[PLAIN], *leaves[PLAIN + 2 :]]


ATTACKS = [
    Attack("edit an entry", _replaced(PLAIN, lambda _: event(9999)), PLAIN),
    Attack("edit a grant: another consumer", _replaced(GRANT, _other_consumer), GRANT),
    Attack("delete an entry", lambda leaves: leaves[:PLAIN] + leaves[PLAIN + 1 :], PLAIN),
    Attack("delete a transfer", lambda leaves: leaves[: GRANT + 8] + leaves[GRANT + 10 :], GRANT + 8),
    Attack("insert an entry", lambda leaves: [*leaves[:PLAIN], event(9999).encode(), *leaves[PLAIN:]], PLAIN),
    Attack("reorder two entries", _reorder, PLAIN),
    Attack("truncate", lambda leaves: leaves[:500], 500),
    Attack("restore an old backup", lambda leaves: leaves[:10], 10),
    Attack("fork: another history after an entry", _forked_after(450), 450),
    Attack("back-date an entry", _replaced(PLAIN, _earlier), PLAIN),
    Attack("back-date a grant", _replaced(GRANT, _earlier), GRANT),
    Attack("swap what two transfers delivered", _swap_bodies, GRANT + 1),
]
UNWITNESSED = [
    Attack("fork what no witness has seen yet", _forked_after(WITNESSED), WITNESSED),
    Attack("truncate what no witness has seen yet", lambda leaves: leaves[:650], 650),
]


BACK_DATED = Attack(
    "append an entry dated before what was cosigned",
    lambda leaves: [*leaves, _earlier(leaves[0]).encode()],
    SIZE,
)


# --- how it is covered up --------------------------------------------------------------------------


def leaves_of(database: Database) -> list[bytes]:
    """Read every entry."""
    reader = LogReader(database)
    return reader.entries(0, reader.size())


def relinked(leaves: list[bytes]) -> list[bytes]:
    """Renumber and chain the transfers of a changed history, so that no entry contradicts another."""
    kept: list[bytes] = []
    last: dict[str, str] = {}
    grants: dict[str, tuple[int, int]] = {}
    numbers: dict[str, int] = {}
    for leaf in leaves:
        fields = parse_canonical(leaf)
        assert isinstance(fields, dict)
        if fields["t"] in {EntryKind.GRANT, EntryKind.DONE}:
            name, grant = str(fields["sub"]), str(fields["gid"])
            if fields["t"] == EntryKind.GRANT:
                numbers[name] = numbers.get(name, 0) + 1
                grants[grant] = (len(kept), numbers[name])
            place, number = grants[grant]
            fields |= {"seq": number, "prev": last.get(name)}
            fields |= {"gidx": place} if fields["t"] == EntryKind.DONE else {}
            last[name] = "sha256:" + leaf_hash(canonical_bytes(fields)).hex()
        kept.append(canonical_bytes(fields))
    return kept


def tamper(path: Path, attack: Attack, power: Power, scratch: Path) -> None:
    """Put the changed history in the place of the true one, with everything that ``power`` can recompute.

    ``scratch`` is an empty log with the newest schema, which the attacker fills for itself.
    """
    database = open_database(f"sqlite:///{path}")
    changed = attack.change(leaves_of(database))
    database.close()
    with _written_anew(changed if power is Power.ROWS else relinked(changed), scratch):
        pass
    tables = {
        Power.ROWS: ["log_entry"],
        Power.HASHES: ["log_entry", "log_tile"],
        Power.KEY: ["log_entry", "log_tile", "log_checkpoint"],
        Power.SILENCE: ["log_entry", "log_tile", "log_checkpoint", "log_cosigned"],
    }[power]
    _take_over(path, scratch, tables)


@contextmanager
def _written_anew(leaves: list[bytes], scratch: Path) -> Iterator[Database]:
    """Write a history with the log's own program and key, with checkpoints where the true one had them."""
    database = open_database(f"sqlite:///{scratch}")
    try:
        with running(database) as log:
            start = 0
            for end in (*(cut for cut in CUTS if cut < len(leaves)), len(leaves)):
                log.commit_blocking(partial(_append_all, leaves[start:end]))
                start = end
        yield database
    finally:
        database.close()


def _append_all(leaves: list[bytes], unit: Unit) -> None:
    for leaf in leaves:
        unit.append(parse_entry(leaf))


def _take_over(path: Path, scratch: Path, tables: list[str]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ATTACH ? AS scratch", (str(scratch),))
        for table in tables:
            connection.execute(f"DELETE FROM main.{table}")  # noqa: S608  # our own names
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM scratch.{table}")  # noqa: S608
        connection.commit()


def mirror(path: Path, to: Path) -> Path:
    """Keep a whole copy, up to the newest checkpoint that a quorum cosigned, as a province does."""
    database = open_database(f"sqlite:///{path}")
    export(LogReader(database), to, POLICY)
    database.close()
    return to
