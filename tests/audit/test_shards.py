"""One shard follows another: nothing slips in behind the end of one, and a crash changes nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, event, text

from audit.database import Database
from audit.formats.note import NoteSigner, parse_note
from audit.keys.signing import KeyFileMissing, SigningKey
from audit.log.entry import EntryKind, parse_entry
from audit.log.sequencer import Log, LogUnavailable, NotOurCheckpoint
from audit.log.shards import (
    Located,
    NoSuchShard,
    Shard,
    ShardClosing,
    ShardNotWitnessed,
    ShardStillOpen,
    SuccessionBroken,
    half_year,
    next_origin,
)
from audit.log.unit import LogSealed, Unit
from audit.walk.fsck import Trusted
from audit.walk.fsck_shards import walk_shards
from audit.walk.log_source import DatabaseSource
from contracts.canonical import sha256_hex
from contracts.clock import FrozenClock
from tests.audit.logs import (
    NOW,
    ORIGIN,
    POLICY,
    SIGNER,
    appending,
    close_shard,
    cosigned,
    heads_of,
    next_shard,
    running,
    shard_key,
    shard_signer,
)

SECOND = "audit.alliance.example/2026h2"
THIRD = "audit.alliance.example/2027h1"
TRUSTED = Trusted(SIGNER.verifier_key, NOW, POLICY)


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "name"),
    [
        (datetime(2026, 6, 30, 15, 59, 59, tzinfo=UTC), "2026h1"),
        (datetime(2026, 6, 30, 16, 0, tzinfo=UTC), "2026h2"),
        (datetime(2026, 12, 31, 15, 59, tzinfo=UTC), "2026h2"),
        (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), "2027h1"),
    ],
)
def test_half_years_are_those_of_beijing(at: datetime, name: str) -> None:
    """A half-year begins at midnight in UTC+8."""
    assert half_year(at) == name


def test_a_shard_is_named_by_log_and_half_year() -> None:
    """The half-year of the founding name gives way to the present one, and a taken name gets a number."""
    at = datetime(2026, 9, 1, tzinfo=UTC)

    assert next_origin("a.example/audit/2026h1", at, ()) == "a.example/audit/2026h2"
    assert next_origin("a.example/audit", at, ()) == "a.example/audit/2026h2"
    assert next_origin("a.example/2026h2", at, {"a.example/2026h2"}) == "a.example/2026h2-2"
    assert next_origin("a.example/2026h2-2", at, {"a.example/2026h2-2"}) == "a.example/2026h2"


# --- closing and opening --------------------------------------------------------------------------


def test_a_closed_shard_takes_nothing_more(database: Database) -> None:
    """Nothing is appended behind shard.close, in its own unit, its own batch or later; rows still commit."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        heads = heads_of(log)

        def close_and_more(unit: Unit) -> None:
            unit.close_shard(SECOND, shard_key(2).public, heads)
            unit.append(parse_entry(log.entry(0)))

        with pytest.raises(ShardClosing):
            log.commit_blocking(close_and_more)
        assert log.size() == 1
        close_shard(log, SECOND)
        for work in (appending(2), lambda unit: unit.close_shard(THIRD, shard_key(3).public, b"")):
            with pytest.raises(ShardClosing):
                log.commit_blocking(work)
        empty = log.commit_blocking(lambda unit: unit.size)

    assert (empty.value, log.shard().size, log.following()) == (2, 2, SECOND)


def test_the_next_shard_waits_for_a_quorum(database: Database) -> None:
    """It opens only once the end of the one before was published, and only once that one is closed."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        with pytest.raises(ShardStillOpen):
            log.open_next_blocking()
        close_shard(log, SECOND, publish=False)
        with pytest.raises(ShardNotWitnessed):
            log.open_next_blocking()
        log.publish_cosigned(cosigned(log.checkpoint()))
        opened = log.open_next_blocking()

    assert opened.value == Shard(2, SECOND, str(shard_signer(2, SECOND).verifier_key), 2)
    assert (opened.size, opened.indexes, log.origin) == (1, (0,), SECOND)


def test_the_first_entry_says_what_it_follows(database: Database) -> None:
    """shard.open names the predecessor, the digest of its final checkpoint's text, its size and the heads."""
    with running(database) as log:
        log.commit_blocking(appending(1, 2))
        next_shard(log, SECOND)
        closing, opening = parse_entry(log.of(1).entry(2)), parse_entry(log.entry(0))
        final = parse_note(log.of(1).cosigned() or b"").text

    assert (opening.kind, opening.at) == (EntryKind.SHARD_OPEN, closing.at)
    assert opening.fields == {
        "origin": SECOND,
        "from": ORIGIN,
        "prev": sha256_hex(final.encode()),
        "size": 3,
        "hds": closing.fields["hds"],
    }


def test_a_sealed_log_opens_no_shard(database: Database) -> None:
    """Opening is signing: it waits for the start-up check like every entry."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        close_shard(log, SECOND)
    with running(database, sealed=True) as log, pytest.raises(LogSealed):
        log.open_next_blocking()


def test_every_entry_is_found_by_its_place(database: Database) -> None:
    """Places go on from shard to shard; each leads to a shard and an index, and back to the same bytes."""
    with running(database) as log:
        log.commit_blocking(appending(1, 2))
        next_shard(log, SECOND)
        place = log.commit_blocking(appending(3)).value[0]
        next_shard(log, THIRD)
        located = [log.located(at) for at in range(place + 3)]
        leaf = log.of(2).entry(1)
        reader, index = log.at(place)

    assert [one.number for one in located] == [1, 1, 1, 2, 2, 2, 3]
    assert (located[place], index) == (Located(2, SECOND, 1), 1)
    assert reader.entry(index) == leaf


def test_a_shard_is_read_under_its_own_key(database: Database) -> None:
    """Each shard's checkpoints are its own; a late cosignature for a closed one is still published."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        next_shard(log, SECOND)
        final = cosigned(log.of(1).checkpoint(), 3)
        log.publish_cosigned(final)
        for spoiled in (final.replace(ORIGIN.encode(), b"other.example", 1), cosigned(log.checkpoint())):
            if spoiled.startswith(SECOND.encode()):
                log.publish_cosigned(spoiled)
                continue
            with pytest.raises(NotOurCheckpoint):
                log.publish_cosigned(spoiled)
        keys = [SIGNER.verifier_key, shard_signer(2, SECOND).verifier_key]
        signed = [parse_note(log.of(n).checkpoint()).verified([keys[n - 1]]) for n in (1, 2)]
        assert log.of(1).cosigned() == final

    assert [len(one) for one in signed] == [1, 1]
    with pytest.raises(NoSuchShard):
        log.of(3).size()


# --- crashes --------------------------------------------------------------------------------------


@contextmanager
def _failing_commit(database: Database) -> Iterator[None]:
    def fail(_: Connection) -> None:
        raise OSError("no space left on device")

    event.listen(database.engine, "commit", fail)
    try:
        yield
    finally:
        event.remove(database.engine, "commit", fail)


def test_a_restart_between_the_steps_goes_on(database: Database) -> None:
    """Whichever step was the last before a restart, the next one follows, and the shard opens once."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        close_shard(log, SECOND, publish=False)
    with running(database) as log:
        with pytest.raises(ShardClosing):
            log.commit_blocking(appending(2))
        log.publish_cosigned(cosigned(log.checkpoint()))
    with running(database) as log:
        log.open_next_blocking()
    with running(database) as log:
        with pytest.raises(ShardStillOpen):
            log.open_next_blocking()
        log.commit_blocking(appending(2))

    with database.read() as session:
        walks = walk_shards([DatabaseSource(session.connection(), number) for number in (1, 2)], TRUSTED)
    assert [one.report.damage for one in walks] == [None, None]


def test_a_shard_that_could_not_be_opened_is_opened_later_with_the_same_bytes(database: Database) -> None:
    """A failed opening leaves nothing, and the next one begins with the very same entry."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        close_shard(log, SECOND)
        with _failing_commit(database), pytest.raises(LogUnavailable):
            log.open_next_blocking()
        assert [shard.number for shard in log.shards()] == [1]
        first = log.open_next_blocking()
        leaf = log.entry(0)
        with database.write_connection() as connection:  # as a copy from before the opening would have it
            for statement in (
                "DELETE FROM log_entry WHERE idx >= 2",
                "DELETE FROM log_tile WHERE shard = 2",
                "DELETE FROM log_checkpoint WHERE shard = 2",
                "DELETE FROM log_shard WHERE number = 2",
            ):
                connection.execute(text(statement))
    with running(database) as log:
        again = log.open_next_blocking()

        assert (log.entry(0), again.checkpoint) == (leaf, first.checkpoint)


def test_a_shard_that_could_not_be_closed_stays_open(database: Database) -> None:
    """A failed closing leaves the shard as it was."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        with _failing_commit(database), pytest.raises(LogUnavailable):
            close_shard(log, SECOND)
        log.commit_blocking(appending(2))

        assert (log.shard().size, log.size()) == (None, 2)


@contextmanager
def _with_signers(database: Database, signer_of: Callable[[int, str], NoteSigner]) -> Iterator[Log]:
    log = Log(database, SIGNER, ORIGIN, FrozenClock(NOW), 0, sealed=False, signer_of=signer_of)
    log.start()
    try:
        yield log
    finally:
        log.close()


def test_another_key_opens_nothing(database: Database) -> None:
    """The next shard's key is the one that was named, or none; a key that is missing may come back."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        close_shard(log, SECOND)

    def missing(_number: int, _origin: str) -> NoteSigner:
        raise KeyFileMissing("there is no log-2.key")

    with _with_signers(database, missing) as log:
        for _ in range(2):
            with pytest.raises(KeyFileMissing):
                log.open_next_blocking()
    stranger = SigningKey.from_seed(bytes([9]) * 32)
    other = _with_signers(database, lambda _number, origin: NoteSigner(origin, stranger))
    with other as log, pytest.raises(SuccessionBroken):
        log.open_next_blocking()
    with running(database) as log:
        assert log.open_next_blocking().value.number == 2


def test_other_heads_open_nothing(database: Database) -> None:
    """The heads that the next shard takes over are those that shard.close names."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        close_shard(log, SECOND)
        with database.write_connection() as connection:
            connection.execute(text("UPDATE log_shard SET carried = :x"), {"x": b"{}"})
        with pytest.raises(SuccessionBroken):
            log.open_next_blocking()
