"""The outbox: a receipt leaves when a quorum has witnessed it, and its proof then lies beside the file."""

import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from audit.formats.merkle import leaf_hash
from audit.keys.trust_file import TrustFile
from audit.proofs.verify import verify_transfer
from nodes.broker import ExchangeSilent
from nodes.exclusive import exclusively
from nodes.node import Node
from nodes.outbox import ProofUnwritable, tick, waiting
from nodes.receiving.pull import PullOptions, pull
from nodes.sharing_tables import OutboxRow, ReceivedRow
from tests.nodes.sharing import DATASET, World


def received(world: World, to: Path | None = None) -> Path:
    """Pull one release and give the file that the person sees."""
    world.ready()
    return pull(world.consumer, DATASET, PullOptions(connect=world.direct, to=to)).files[0].path


def settle(world: World, node: Node, ticks: int = 3) -> int:
    left = 0
    for _ in range(ticks):
        left += tick(node)
        world.clock.advance(0.6)
    return left


def only(node: Node) -> dict[str, Any]:
    (row,) = waiting(node)
    return row


def test_both_sides_receipts_leave_when_they_are_witnessed(world: World) -> None:
    """After `done` under a quorum nothing waits on either side."""
    received(world)

    assert settle(world, world.consumer) == 1
    assert settle(world, world.provider) == 1
    assert waiting(world.consumer) == waiting(world.provider) == []


def test_the_proof_beside_the_file_holds_offline(world: World) -> None:
    """Anyone with the trust root can verify the transfer and the very file, without a network."""
    path = received(world)
    settle(world, world.consumer)
    world.exchange.down = True

    proof = path.with_name("1.parquet.hwproof").read_bytes()
    root = TrustFile.load(world.consumer.home.trust_file)
    with path.open("rb") as data:
        verdict = verify_transfer(proof, data, root, now=world.clock.now())

    assert verdict.data_checked
    assert (verdict.dataset, verdict.release) == (DATASET, 1)
    assert verdict.provider.participant == world.provider.participant


def test_the_proof_is_copied_beside_the_copy(world: World, tmp_path: Path) -> None:
    """Where the file went, its proof goes."""
    path = received(world, tmp_path)
    settle(world, world.consumer)

    copied = path.with_name(path.name + ".hwproof")
    original = world.consumer.home.inbox / DATASET / "1.parquet.hwproof"
    assert copied.read_bytes() == original.read_bytes()
    assert stat.S_IMODE(original.stat().st_mode) == 0o600


def test_a_copy_that_was_moved_away_does_not_hold_up_the_receipt(world: World, tmp_path: Path) -> None:
    """The copy is the person's; the proof in the inbox is what counts."""
    target = tmp_path / "target"
    target.mkdir()
    received(world, target).unlink()
    target.rmdir()

    assert settle(world, world.consumer) == 1


def test_the_database_knows_where_the_proof_is(world: World) -> None:
    """A later pull shows the proof with its file."""
    received(world)
    settle(world, world.consumer)

    (file,) = pull(world.consumer, DATASET, PullOptions(connect=world.direct, since=0)).files
    assert file.proof_path is not None
    with world.consumer.database.read() as session:
        assert session.exec(select(ReceivedRow.proof_path)).one() == str(file.proof_path)


def test_a_receipt_stays_until_a_quorum_has_witnessed_it(world: World) -> None:
    """Being logged is not enough."""
    path = received(world)
    world.exchange.witnessing = False

    assert settle(world, world.consumer) == 0
    assert only(world.consumer)["reason"] == "not-yet-witnessed"
    assert not path.with_name("1.parquet.hwproof").exists()

    world.exchange.witnessing = True
    assert settle(world, world.consumer) == 1


def test_a_checkpoint_without_a_quorum_proves_nothing(world: World) -> None:
    """Cosignatures by unknown keys do not count."""
    received(world)
    world.exchange.witness_keys = []

    assert settle(world, world.consumer) == 0
    assert only(world.consumer)["reason"] == "quorum-missing"


def test_a_forked_log_keeps_the_receipt(world: World) -> None:
    """A history that contradicts the last one seen closes nothing."""
    received(world)
    world.exchange.leaves[0] = b"\x07" * 32

    assert settle(world, world.consumer) == 0
    assert only(world.consumer)["reason"].startswith("log-stopped")


@pytest.mark.parametrize("field", ["pr", "cr"])
def test_another_receipt_in_the_log_is_noticed(world: World, field: str) -> None:
    """A `done` that names other receipts than this node holds does not release them."""
    received(world)
    world.exchange.spoil_closing = {field: "sha256:" + "9" * 64}

    assert settle(world, world.consumer) == 0
    assert only(world.consumer)["reason"].startswith("closing-differs")


def test_an_entry_about_another_grant_is_noticed(world: World) -> None:
    """The exchange cannot point to somebody else's closing entry."""
    received(world)
    world.exchange.witnessing = False
    settle(world, world.consumer)
    transfer = next(iter(world.exchange.transfers.values()))
    assert transfer.index is not None
    raw = world.exchange.entries[transfer.index].replace(transfer.grant.grant.encode(), b"g-222222222222")
    world.exchange.grow(1)
    world.exchange.leaves[-1] = leaf_hash(raw)
    transfer.index = len(world.exchange.leaves) - 1
    world.exchange.entries[transfer.index] = raw
    world.exchange.witnessing = True

    assert settle(world, world.consumer) == 0
    assert only(world.consumer)["reason"].startswith("closing-differs")


def test_a_refused_receipt_is_kept_with_the_reason(world: World) -> None:
    """A person sees what the exchange said, and the next try comes later."""
    received(world)
    world.exchange.refuse_receipts = True

    assert tick(world.consumer) == 0
    row = only(world.consumer)
    assert (row["state"], row["attempts"]) == ("stuck", 1)
    assert "refused today" in row["reason"]
    assert tick(world.consumer) == 0
    assert only(world.consumer)["attempts"] == 1

    world.exchange.refuse_receipts = False
    world.clock.advance(1)
    assert settle(world, world.consumer) == 1


def test_a_refusal_that_goes_on_is_asked_for_ever_more_rarely(world: World) -> None:
    """The first retry comes soon, for a suspension may be over; later ones come once a minute."""
    received(world)
    world.exchange.refuse_receipts = True
    pauses = []
    for _ in range(9):
        tick(world.consumer)
        row = only(world.consumer)
        pause = (datetime.fromisoformat(row["next_at"]) - world.clock.now()).total_seconds()
        pauses.append(pause)
        world.clock.advance(pause)

    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


def test_an_unknown_grant_is_kept_with_the_reason(world: World) -> None:
    """An exchange that forgot a grant does not make this node forget its receipt."""
    received(world)
    world.exchange.transfers.clear()

    assert tick(world.provider) == 0
    assert only(world.provider)["reason"].startswith("not-found")


def test_a_silent_exchange_is_raised_and_the_receipt_kept(world: World) -> None:
    """The loop hears that nobody answers; the row is as it was."""
    received(world)
    world.exchange.down = True

    with pytest.raises(ExchangeSilent):
        tick(world.consumer)
    world.exchange.down = False
    world.clock.advance(1)
    assert settle(world, world.consumer) == 1


def test_sending_twice_changes_nothing(world: World) -> None:
    """A crash after sending sends the same bytes again."""
    received(world)
    tick(world.consumer)
    with world.consumer.database.read() as session:
        left = session.exec(select(OutboxRow)).all()
    entries = len(world.exchange.entries)

    assert left == []
    settle(world, world.provider)
    assert len(world.exchange.entries) == entries


def test_a_provider_without_a_consumers_receipt_waits_for_the_expiry(world: World) -> None:
    """The provider's receipt leaves with `expire` when the log says that it exists."""
    logged = world.granted(world.ready())
    world.present(logged)
    assert settle(world, world.provider) == 0
    assert only(world.provider)["reason"] is None
    world.clock.advance(61)
    world.exchange.expire(next(iter(world.exchange.transfers)))

    assert settle(world, world.provider) == 1


def test_an_expiry_that_denies_the_receipt_does_not_release_it(world: World) -> None:
    """`expire` without the receipt that was sent is contradicted, not accepted."""
    logged = world.granted(world.ready())
    world.present(logged)
    transfer = next(iter(world.exchange.transfers.values()))
    settle(world, world.provider)
    transfer.provider_receipt = None
    world.clock.advance(61)
    world.exchange.expire(transfer.grant.grant)

    assert settle(world, world.provider) == 0
    assert only(world.provider)["reason"].startswith("closing-differs")


def test_two_ticks_at_a_time_are_one(world: World) -> None:
    """A tick beside another one does nothing."""
    received(world)

    with exclusively(world.consumer.home.path / "run" / "outbox.lock"):
        assert tick(world.consumer) == 0
    assert only(world.consumer)["attempts"] == 0


def test_the_pause_between_tries_grows(world: World) -> None:
    """At first quickly, later at most once a minute."""
    received(world)
    world.exchange.witnessing = False
    for _ in range(40):
        tick(world.consumer)
        world.clock.advance(61)

    tick(world.consumer)
    world.clock.advance(59)
    before = only(world.consumer)["attempts"]
    tick(world.consumer)
    assert only(world.consumer)["attempts"] == before


def test_a_proof_that_cannot_be_written_keeps_the_receipt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disk full: the row stays, and the person is told."""
    received(world)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("nodes.outbox.write_private", full)
        with pytest.raises(ProofUnwritable, match="No space left"):
            settle(world, world.consumer)
    world.clock.advance(1)
    assert settle(world, world.consumer) == 1
