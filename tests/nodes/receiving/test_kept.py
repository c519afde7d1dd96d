"""What a consumer holds: until when, and gone when its time is up, with nothing else touched."""

from datetime import timedelta

import pytest

from contracts.messages import Expiry, Obligation, PurposeBinding
from nodes.exclusive import Busy, exclusively
from nodes.receiving.kept import holdings, purge
from nodes.receiving.pull import PullOptions, Received, pull
from nodes.sharing_tables import ReceivedRow
from tests.nodes.sharing import DATASET, PURPOSE, World

DAY = 86400


def lasting(world: World, *days: int) -> None:
    """Have every grant from now on end so many days after the delivery."""
    ends: list[Obligation] = [Expiry(days=number) for number in days]
    world.exchange.obligations = lambda terms: [PurposeBinding(purpose=terms.purpose), *ends]


def take(world: World, *, copied: bool = False, since: int | None = None) -> Received:
    to = world.folder if copied else None
    return pull(world.consumer, DATASET, PullOptions(since=since, to=to, connect=world.direct)).files[0]


def test_a_received_release_says_what_for_and_until_when(world: World) -> None:
    """The end counts from the provider's receipt."""
    lasting(world, 30)
    world.ready()
    file = take(world)

    (held,) = holdings(world.consumer)

    assert (held.dataset, held.release, held.grant, held.purpose) == (DATASET, 1, file.grant, PURPOSE)
    assert held.delete_after == world.clock.now() + timedelta(days=30)
    assert (held.due, held.purged_at) == (False, None)


def test_nothing_is_due_without_an_end_or_before_it(world: World) -> None:
    """A grant without an expiry sets no end; with one, the last millisecond is still the consumer's."""
    world.ready()
    take(world)
    world.clock.advance(400 * DAY)
    endless = purge(world.consumer)

    assert endless.grants == ()
    assert holdings(world.consumer, DATASET)[0].delete_after is None


def test_what_is_due_is_deleted_with_its_copy_and_the_proof_stays(world: World) -> None:
    """Inbox and copy go, once; the proof holds no data, and the book remembers."""
    lasting(world, 30)
    world.ready()
    file = take(world, copied=True)
    inbox = holdings(world.consumer)[0].path
    proof = inbox.with_name(inbox.name + ".hwproof")
    proof.write_text("proof")
    world.clock.advance(30 * DAY - 0.001)
    early = purge(world.consumer)
    world.clock.advance(0.001)
    planned = purge(world.consumer, dry_run=True)
    still_there = inbox.exists() and file.path.exists()
    done = purge(world.consumer)

    assert early.grants == ()
    assert planned == done
    assert still_there
    assert set(done.files) == {inbox, file.path}
    assert not inbox.exists()
    assert not file.path.exists()
    assert proof.exists()
    assert holdings(world.consumer)[0].purged_at == world.clock.now()
    assert purge(world.consumer).grants == ()


def test_a_copy_that_was_changed_is_left_and_named(world: World) -> None:
    """Only a person can say what it has become."""
    lasting(world, 1)
    world.ready()
    file = take(world, copied=True)
    file.path.write_bytes(b"notes of mine")
    world.clock.advance(DAY)

    done = purge(world.consumer)

    assert done.left == (file.path,)
    assert file.path.read_bytes() == b"notes of mine"


def test_a_file_that_was_received_again_under_a_later_end_stays(world: World) -> None:
    """The newest grant says how long the file in the inbox may be kept."""
    lasting(world, 1)
    world.ready()
    path = take(world).path
    path.unlink()
    world.clock.advance(DAY - 60)
    lasting(world, 30)
    world.exchange.transfers.clear()
    take(world, since=0)
    world.clock.advance(60)

    done = purge(world.consumer)

    assert (len(done.grants), done.files) == (1, ())
    assert path.exists()


def test_a_purge_waits_for_no_pull(world: World) -> None:
    """While releases of the dataset come in, the person is told to try again."""
    lasting(world, 1)
    world.ready()
    path = take(world).path
    world.clock.advance(DAY)

    with exclusively(path.parent / ".lock"), pytest.raises(Busy):
        purge(world.consumer)

    assert path.exists()


def test_a_purge_that_was_killed_is_finished_by_the_next(world: World) -> None:
    """The file went before the book knew; the next purge writes it down."""
    lasting(world, 1)
    world.ready()
    take(world).path.unlink()
    world.clock.advance(DAY)

    done = purge(world.consumer)

    assert (len(done.grants), done.files) == (1, ())
    assert holdings(world.consumer)[0].purged_at is not None


def test_what_was_deleted_can_be_received_again(world: World) -> None:
    """A purge is no loss of the right: under an open agreement a pull brings the release anew."""
    lasting(world, 1)
    world.ready()
    grant = take(world).grant
    with world.consumer.database.transaction() as session:
        row = session.get_one(ReceivedRow, grant)
        row.delete_after = row.at
        session.add(row)
    purge(world.consumer)
    world.exchange.transfers.clear()

    assert take(world, since=0).path.exists()
    assert sorted(held.purged_at is None for held in holdings(world.consumer)) == [False, True]
