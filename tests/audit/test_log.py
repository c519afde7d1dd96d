"""The sequencer gives every unit its place, makes it durable, and only then answers."""

import asyncio
import hashlib
import threading

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from audit.database import Database
from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import leaf_hash, tree_root, verify_consistency, verify_inclusion
from audit.formats.note import parse_note
from audit.formats.tile import decode_bundle
from audit.log.entry import chain_digest, parse_entry
from audit.log.log_reader import LogReader, NoCheckpoint
from audit.log.log_store import NoSuchEntry
from audit.log.sequencer import LogUnavailable, NotOurCheckpoint
from audit.log.sequencer_lock import SequencerRunning
from audit.log.tables import Nonce
from audit.log.unit import Committed, LogSealed, Unit
from tests.audit.logs import NOW, ORIGIN, SIGNER, appending, cosigned, event, new_log, running


def _checkpoint(note: bytes) -> Checkpoint:
    parsed = parse_note(note)
    assert len(parsed.verified([SIGNER.verifier_key])) == 1
    return Checkpoint.parse(parsed.text)


def _remember(name: str) -> Nonce:
    return Nonce(keyid="k", nonce=name, expires_at=0)


def _remembered(database: Database) -> list[str]:
    with database.read() as session:
        return sorted(session.exec(select(Nonce.nonce)))


def test_a_new_log_signs_the_empty_tree(database: Database) -> None:
    """A log that starts empty has a signed checkpoint of size 0, even while it is sealed."""
    with running(database, sealed=True) as log:
        checkpoint = _checkpoint(log.checkpoint())

    assert checkpoint == Checkpoint(ORIGIN, 0, hashlib.sha256(b"").digest())


def test_committed_entries_are_under_the_checkpoint_that_comes_back(database: Database) -> None:
    """What commit returns proves the entries it returns."""
    with running(database) as log:
        log.commit_blocking(appending(1, 2, 3))
        committed = log.commit_blocking(appending(4, 5))
        checkpoint = _checkpoint(committed.checkpoint)
        leaf = leaf_hash(log.entry(4))
        verify_inclusion(leaf, 4, committed.size, log.inclusion_path(4, committed.size), checkpoint.root)

    assert (committed.value, committed.indexes) == ([3, 4], (3, 4))
    assert (committed.size, checkpoint.size, checkpoint.origin) == (5, 5, ORIGIN)


def test_a_unit_commits_rows_and_entries_together(database: Database) -> None:
    """A unit's rows are durable with its entries."""

    def work(unit: Unit) -> str:
        unit.session.add(_remember("row"))
        unit.append(event(1))
        return "value"

    with running(database) as log:
        committed = log.commit_blocking(work)

    assert (committed.value, committed.indexes, _remembered(database)) == ("value", (0,), ["row"])


def test_a_unit_that_raises_undoes_only_itself(database: Database) -> None:
    """In one batch, a unit that raises loses its rows and entries, and its neighbours keep theirs."""

    def good(name: str) -> Committed[None]:
        def work(unit: Unit) -> None:
            unit.session.add(_remember(name))
            unit.append(event(len(name)))

        return log.commit_blocking(work)

    def bad(unit: Unit) -> None:
        unit.session.add(_remember("bad"))
        unit.append(event(99))
        unit.session.flush()
        raise LookupError("no")

    async def together() -> list[object]:
        jobs = [
            asyncio.to_thread(good, "one"),
            log.commit(bad),
            asyncio.to_thread(good, "three"),
        ]
        return list(await asyncio.gather(*jobs, return_exceptions=True))

    with running(database, window_seconds=0.2) as log:
        first, second, third = asyncio.run(together())
        entries = log.entries(0, log.size())

    assert isinstance(second, LookupError)
    assert isinstance(first, Committed)
    assert isinstance(third, Committed)
    assert sorted([*first.indexes, *third.indexes]) == [0, 1]
    assert first.checkpoint == third.checkpoint
    assert sorted(entries) == sorted([event(3).encode(), event(5).encode()])
    assert _remembered(database) == ["one", "three"]


def test_a_broken_rule_of_the_database_belongs_to_its_unit(database: Database) -> None:
    """A row that violates a key fails its own unit, and the log goes on at once."""

    def twice(unit: Unit) -> None:
        unit.append(event(1))
        unit.session.add(_remember("same"))
        unit.session.flush()
        unit.session.expunge_all()
        unit.session.add(_remember("same"))

    with running(database) as log:
        with pytest.raises(IntegrityError):
            log.commit_blocking(twice)
        after = log.commit_blocking(appending(2))

    assert (after.indexes, _remembered(database)) == ((0,), [])


def test_units_that_wait_share_one_checkpoint(database: Database) -> None:
    """Everything that waits is integrated in one batch, in order, without gaps."""

    async def many() -> list[Committed[list[int]]]:
        return await asyncio.gather(*(log.commit(appending(number)) for number in range(300)))

    with running(database, window_seconds=0.3) as log:
        results = asyncio.run(many())
        root = tree_root(leaf_hash(leaf) for leaf in log.entries(0, 300))

    assert [result.indexes for result in results] == [(index,) for index in range(300)]
    assert {result.checkpoint for result in results} == {results[0].checkpoint}
    assert _checkpoint(results[0].checkpoint).root == root


def test_a_batch_without_entries_signs_nothing(database: Database) -> None:
    """A unit that appends nothing comes back with the checkpoint that stood before it."""
    with running(database) as log:
        before = log.commit_blocking(appending(1))
        after = log.commit_blocking(lambda unit: unit.size)

    assert (after.value, after.size, after.indexes, after.checkpoint) == (1, 1, (), before.checkpoint)


def test_a_unit_sees_the_log_as_it_will_be(database: Database) -> None:
    """A unit can name the leaf of an earlier entry, of its batch and of its own, and of no later one."""

    def chained(unit: Unit) -> list[str]:
        names = [unit.leaf_hash(0)]
        index = unit.append(event(2))
        names.append(unit.leaf_hash(index))
        with pytest.raises(NoSuchEntry):
            unit.leaf_hash(index + 1)
        with pytest.raises(NoSuchEntry):
            unit.leaf_hash(-1)
        return names

    with running(database) as log:
        log.commit_blocking(appending(1))
        committed = log.commit_blocking(chained)

    assert committed.value == [chain_digest(leaf_hash(event(n).encode())) for n in (1, 2)]


def test_an_entry_keeps_the_moment_of_its_unit(database: Database) -> None:
    """A unit's now is the clock's, aware and in whole milliseconds."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        entry = parse_entry(log.entry(0))

    assert entry.at == NOW


def test_a_sealed_log_takes_no_entry(database: Database) -> None:
    """Sealed, units that append are refused and others run; unsealed, all run."""
    with running(database, sealed=True) as log:
        with pytest.raises(LogSealed):
            log.commit_blocking(appending(1))
        other = log.commit_blocking(lambda unit: unit.size)
        log.unseal()
        committed = log.commit_blocking(appending(1))

    assert (other.value, committed.indexes) == (0, (0,))


def test_close_finishes_what_waits(database: Database) -> None:
    """Units that were accepted before close are durable after it; later ones are refused."""
    log = new_log(database, window_seconds=30)
    log.start()
    waiting = [log._submit(appending(number)) for number in range(3)]

    log.close()

    assert [future.result(timeout=0).indexes for future in waiting] == [(0,), (1,), (2,)]
    with pytest.raises(LogUnavailable):
        log.commit_blocking(appending(8))
    log.close()


def test_a_log_that_has_not_started_refuses(database: Database) -> None:
    """Before start there is nobody to write, so commit refuses instead of waiting."""
    with pytest.raises(LogUnavailable):
        new_log(database).commit_blocking(appending(1))


def test_a_unit_cannot_wait_for_a_unit(database: Database) -> None:
    """A unit that would wait for its own thread is refused instead."""
    with running(database) as log, pytest.raises(LogUnavailable):
        log.commit_blocking(lambda _unit: log.commit_blocking(appending(1)))


def test_a_cancelled_caller_leaves_the_log_running(database: Database) -> None:
    """A caller who gives up while waiting harms nobody."""

    async def give_up() -> Committed[list[int]]:
        waiting = asyncio.create_task(log.commit(appending(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return await log.commit(appending(2))

    with running(database, window_seconds=0.05) as log:
        committed = asyncio.run(give_up())
        last = log.entry(committed.indexes[0])

    assert last == event(2).encode()


def test_a_second_sequencer_is_refused(database: Database) -> None:
    """One log has one writer; the next may start when the first has closed."""
    second = new_log(database)
    with running(database) as first:
        first.commit_blocking(appending(1))
        with pytest.raises(SequencerRunning):
            second.start()

    second.start()
    committed = second.commit_blocking(appending(2))
    second.close()
    assert committed.indexes == (1,)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
def test_a_restarted_log_goes_on_where_it_stopped(database: Database, size: int) -> None:
    """A restart reads the right edge back, at tile borders too, and extends the same tree."""
    with running(database) as log:
        log.commit_blocking(appending(*range(size)))
        old = _checkpoint(log.checkpoint())
    with running(database) as log:
        log.commit_blocking(appending(*range(size, size + 300)))
        new = _checkpoint(log.checkpoint())
        path = log.consistency_path(size, size + 300)
        root = tree_root(leaf_hash(leaf) for leaf in log.entries(0, size + 300))

    verify_consistency(size, size + 300, path, old.root, new.root)
    assert (new.size, new.root) == (size + 300, root)


def test_readers_cut_tiles_and_bundles_to_the_width_asked_for(database: Database) -> None:
    """A partial tile or bundle of any width up to the stored one is served, and none beyond."""
    with running(database) as log:
        log.commit_blocking(appending(*range(300)))
        leaves = log.entries(0, 300)
        hashes = [leaf_hash(leaf) for leaf in leaves]

        assert log.tile(0, 0) == b"".join(hashes[:256])
        assert log.tile(0, 1, 44) == b"".join(hashes[256:])
        assert log.tile(0, 1, 3) == b"".join(hashes[256:259])
        assert log.tile(1, 0, 1) == tree_root(hashes[:256])
        assert decode_bundle(log.bundle(1, 44)) == leaves[256:]
        for read in (
            lambda: log.tile(0, 1, 45),
            lambda: log.tile(1, 0, 2),
            lambda: log.tile(2, 0, 1),
            lambda: log.bundle(1, 45),
            lambda: log.entry(300),
            lambda: log.entries(-1, 2),
            lambda: log.leaf_hash(300),
            lambda: log.inclusion_path(0, 301),
            lambda: log.root(301),
        ):
            with pytest.raises(NoSuchEntry):
                read()


def test_proofs_for_earlier_sizes_hold(database: Database) -> None:
    """An inclusion path at an earlier size leads to the root of that size."""
    with running(database) as log:
        log.commit_blocking(appending(*range(520)))
        hashes = [leaf_hash(leaf) for leaf in log.entries(0, 520)]
        for index, size in [(0, 1), (3, 7), (255, 256), (100, 257), (511, 512), (519, 520)]:
            root = tree_root(hashes[:size])
            verify_inclusion(hashes[index], index, size, log.inclusion_path(index, size), root)
            assert log.root(size) == root
            assert log.leaf_hash(index) == hashes[index]


def test_readers_see_nothing_before_the_first_checkpoint(database: Database) -> None:
    """A database without a log has no size and no checkpoint."""
    reader = LogReader(database)

    assert (reader.size(), reader.cosigned()) == (0, None)
    with pytest.raises(NoCheckpoint):
        reader.checkpoint()


def test_the_newest_cosigned_checkpoint_is_published(database: Database) -> None:
    """Publishing keeps the largest cosigned checkpoint, and a fresher one of the same size."""
    with running(database) as log:
        first = log.commit_blocking(appending(1)).checkpoint
        second = log.commit_blocking(appending(2)).checkpoint
        log.publish_cosigned(cosigned(second))
        log.publish_cosigned(cosigned(first))
        assert log.cosigned() == cosigned(second)
        log.publish_cosigned(cosigned(second, 3))

        assert log.cosigned() == cosigned(second, 3)
        assert log.checkpoint() == second


def test_a_checkpoint_that_the_log_never_signed_is_not_published(database: Database) -> None:
    """Another root at the same size, or a size that was never signed, is refused."""
    with running(database) as log:
        log.commit_blocking(appending(1, 2))
        for foreign in (Checkpoint(ORIGIN, 2, bytes(32)), Checkpoint(ORIGIN, 1, bytes(32))):
            text = str(foreign)
            note = f"{text}\n{SIGNER.sign(text)}".encode()
            with pytest.raises(NotOurCheckpoint):
                log.publish_cosigned(cosigned(note))

        assert log.cosigned() is None


def test_readers_and_the_writer_run_side_by_side(database: Database) -> None:
    """Proofs read while the log grows hold under the checkpoint they were read with."""
    stop = threading.Event()
    checked: list[int] = []
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.is_set() or not checked:
                checkpoint = _checkpoint(log.checkpoint())
                if checkpoint.size:
                    index = checkpoint.size // 2
                    path = log.inclusion_path(index, checkpoint.size)
                    leaf = leaf_hash(log.entry(index))
                    verify_inclusion(leaf, index, checkpoint.size, path, checkpoint.root)
                    checked.append(index)
        except Exception as error:  # noqa: BLE001  # shown by the assertion below
            failures.append(error)

    with running(database) as log:
        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for start in range(0, 400, 10):
            log.commit_blocking(appending(*range(start, start + 10)))
        stop.set()
        for reader in readers:
            reader.join()

    assert failures == []
    assert checked
