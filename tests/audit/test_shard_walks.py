"""A walk over all shards names the first index at which they stop being true, at every joint as well."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from audit.database import Database
from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import leaf_hash, verify_inclusion
from audit.formats.note import parse_note
from audit.log.export import export
from audit.log.shards import (
    Located,
    ShardClosing,
    ShardNotWitnessed,
    ShardStillOpen,
)
from audit.log.unit import Unit
from audit.walk.fsck import Trusted
from audit.walk.fsck_shards import ShardWalk, own_policy, walk_shards
from audit.walk.log_source import DatabaseSource, DirectorySource
from contracts.errors import Invalid
from tests.audit.logs import (
    NOW,
    ORIGIN,
    POLICY,
    SIGNER,
    appending,
    close_shard,
    copied,
    cosigned,
    new_log,
    next_shard,
    running,
    shard_signer,
    written,
)
from tests.audit.transfers import Subscription

SECOND = "audit.alliance.example/2026h2"
THIRD = "audit.alliance.example/2027h1"
TRUSTED = Trusted(SIGNER.verifier_key, NOW, POLICY)


def _walk(database: Database, trusted: Trusted = TRUSTED) -> list[ShardWalk]:
    with database.read() as session:
        connection = session.connection()
        numbers = [row[0] for row in connection.execute(text("SELECT number FROM log_shard ORDER BY 1"))]
        return walk_shards([DatabaseSource(connection, number) for number in numbers], trusted)


def _damage(database: Database) -> tuple[str, int] | None:
    last = _walk(database)[-1]
    return None if last.report.damage is None else (last.origin, last.report.damage.index)


# --- walking all shards ---------------------------------------------------------------------------


def _three_shards(database: Database) -> None:
    """Write three shards; one transfer closes in the shard after its grant, another two shards later."""
    first, second = Subscription("s-firstxxxxxxx"), Subscription("s-secondxxxxxx")
    opened: dict[str, int] = {}

    def begin(unit: Unit) -> None:
        opened["one"], opened["other"] = first.grant(unit), second.grant(unit)

    with running(database) as log:
        log.commit_blocking(begin)
        log.commit_blocking(appending(*range(300)))
        next_shard(log, SECOND)
        log.commit_blocking(lambda unit: first.done(unit, opened["one"]))
        log.commit_blocking(appending(*range(300, 600)))
        log.commit_blocking(lambda unit: second.expire(unit, opened["other"]))
        next_shard(log, THIRD)
        log.commit_blocking(lambda unit: second.done(unit, opened["other"], late=True))
        log.commit_blocking(appending(*range(600, 610)))
        log.publish_cosigned(cosigned(log.checkpoint()))


def test_three_shards_are_walked_to_their_end(database: Database) -> None:
    """Every shard holds, every joint holds, and a transfer may close in a later shard than it began in."""
    _three_shards(database)
    walks = _walk(database)

    assert [(one.origin, one.report.entries) for one in walks] == [(ORIGIN, 303), (SECOND, 304), (THIRD, 12)]
    assert [one.report.damage for one in walks] == [None, None, None]
    assert [one.report.open_grants for one in walks] == [2, 0, 0]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an SQLite file with three sound shards, to be copied and then damaged."""
    return written(tmp_path_factory.mktemp("sound"), _three_shards)


@pytest.fixture
def whole(sound: Path, tmp_path: Path) -> Iterator[Database]:
    """Give a database of three sound shards."""
    with copied(sound, tmp_path) as database:
        yield database


@pytest.mark.parametrize(
    ("statement", "shard", "index"),
    [
        ("UPDATE log_shard SET carried = x'7b7d' WHERE number = 1", SECOND, 0),
        ("UPDATE log_shard SET carried = NULL WHERE number = 1", SECOND, 0),
        ("UPDATE log_entry SET leaf = x'7b7d' WHERE idx = 303", SECOND, 0),
        ("DELETE FROM log_entry WHERE idx = 302", ORIGIN, 302),
        ("UPDATE log_shard SET base = base - 1 WHERE number = 2", SECOND, 0),
        ("DELETE FROM log_checkpoint WHERE shard = 3; DELETE FROM log_cosigned WHERE shard = 3", THIRD, 0),
        ("DELETE FROM log_tile WHERE shard = 2 AND level = 0 AND n = 1", SECOND, 256),
    ],
)
def test_damage_at_a_joint_is_named(whole: Database, statement: str, shard: str, index: int) -> None:
    """Changed heads, a changed first or last entry, a moved base: each is named by shard and index."""
    with whole.write_connection() as connection:
        for part in statement.split(";"):
            connection.execute(text(part))

    assert _damage(whole) == (shard, index)


def test_a_shard_that_follows_nothing_is_found_out(whole: Database) -> None:
    """A whole, signed shard that another log opened does not follow this one."""
    with whole.read() as session:
        connection = session.connection()
        sources = [DatabaseSource(connection, number) for number in (1, 3)]
        walks = walk_shards(sources, TRUSTED)

    assert walks[-1].report.damage is not None
    assert len(walks) == 2


def test_a_shard_left_out_at_the_end_is_found_out_by_what_was_kept(whole: Database) -> None:
    """A checkpoint of a shard that is gone is of none of those that are there."""
    with whole.read() as session:
        kept = new_log(whole).of(3).checkpoint()
        sources = [DatabaseSource(session.connection(), number) for number in (1, 2)]
        with pytest.raises(Invalid):
            walk_shards(sources, Trusted(SIGNER.verifier_key, NOW, POLICY, against=[kept]))


def test_exported_shards_are_walked_like_the_database(whole: Database, tmp_path: Path) -> None:
    """Each shard goes to a folder of its own with the heads it began with; together they hold."""
    log = new_log(whole)
    for number in (1, 2, 3):
        key = shard_signer(number, log.of(number).shard().origin).verifier_key
        own = POLICY if number == 1 else own_policy(POLICY, key)
        export(log.of(number), tmp_path / str(number), own)
    folders = [tmp_path / str(number) for number in (1, 2, 3)]

    assert [(folder / "heads.json").is_file() for folder in folders] == [False, True, True]
    walks = walk_shards([DirectorySource(folder) for folder in folders], TRUSTED)
    assert [one.report.damage for one in walks] == [None, None, None]
    (folders[1] / "heads.json").write_bytes(b"{}")
    walks = walk_shards([DirectorySource(folder) for folder in folders], TRUSTED)
    assert [one.report.damage and one.report.damage.index for one in walks] == [None, 0]


# --- random histories -----------------------------------------------------------------------------

STEPS = st.lists(
    st.sampled_from(["append", "grant", "done", "expire", "publish", "close", "open", "restart"]), max_size=40
)


class _History:
    """A log under random steps, and what must be true of it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.log = new_log(database)
        self.log.start()
        self.subscription = Subscription()
        self.expired: set[int] = set()
        self.leaves: list[bytes] = []

    def close(self) -> None:
        self.log.close()

    def step(self, name: str) -> None:
        waiting = list(self.subscription.open)
        fresh = [place for place in waiting if place not in self.expired]
        match name:
            case "append":
                self._commit(appending(len(self.leaves), len(self.leaves) + 1))
            case "grant":
                self._commit(self.subscription.grant)
            case "done" if waiting:
                place = waiting[0]
                if self._commit(lambda unit: self.subscription.done(unit, place, late=place in self.expired)):
                    del self.subscription.open[place]
            case "expire" if fresh:
                if self._commit(lambda unit: self.subscription.expire(unit, fresh[0])):
                    self.expired.add(fresh[0])
            case "publish":
                self.log.publish_cosigned(cosigned(self.log.checkpoint()))
            case "close" if self.log.shard().size is None and self.log.size():
                close_shard(self.log, f"{ORIGIN}-{self.log.shard().number + 1}", publish=False)
            case "open":
                self._open()
            case "restart":
                self.log.close()
                self.log = new_log(self.database)
                self.log.start()

    def _commit(self, work: Callable[[Unit], object]) -> bool:
        before = (self.subscription.transfers, self.subscription.last, dict(self.subscription.open))
        try:
            self.log.commit_blocking(work)
        except ShardClosing:
            assert self.log.shard().size is not None
            self.subscription.transfers, self.subscription.last, self.subscription.open = before
            return False
        return True

    def _open(self) -> None:
        closed = self.log.shard()
        note = self.log.cosigned()
        ended = note is not None and Checkpoint.parse(parse_note(note).text).size == closed.size
        if closed.size is not None and ended:
            assert self.log.open_next_blocking().value.base == closed.base + closed.size
        else:
            with pytest.raises((ShardStillOpen, ShardNotWitnessed)):
                self.log.open_next_blocking()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_every_history_of_shards_holds(migrated_file: Path, tmp_path: Path, steps: list[str]) -> None:
    """Whatever is appended, published, closed, opened and restarted, in any order: every joint holds.

    Every entry is provable under the newest checkpoint of its shard, and places have no gap.
    """
    for old in tmp_path.glob("evidence.db*"):
        old.unlink()
    with copied(migrated_file, tmp_path) as database, closing(_History(database)) as history:
        for step in steps:
            history.step(step)
        log = history.log
        shards = log.shards()
        for shard in shards:
            reader = log.of(shard.number)
            claim = Checkpoint.parse(parse_note(reader.checkpoint()).text)
            assert claim.origin == shard.origin
            for index, leaf in enumerate(reader.entries(0, claim.size)):
                assert log.located(shard.base + index) == Located(shard.number, shard.origin, index)
                proof = reader.inclusion_path(index, claim.size)
                verify_inclusion(leaf_hash(leaf), index, claim.size, proof, claim.root)
        walks = _walk(database)
        assert len(walks) == len(shards)
        assert [one.report.damage for one in walks] == [None] * len(shards)


@pytest.fixture(scope="module")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an SQLite file with the newest schema and no rows."""
    return written(tmp_path_factory.mktemp("migrated"), lambda _database: None)
