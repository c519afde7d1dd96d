"""A node gives a grant up that can lead to nothing, and a person may do so too."""

import pytest

from audit.log.entry import EntryKind, parse_entry
from contracts.errors import NotFound
from contracts.messages import Abort
from nodes.aborting import abort
from nodes.counting import counts
from nodes.node import Node
from nodes.outbox import tick as outbox_tick
from nodes.outbox import waiting
from nodes.receiving.judged import ContractBroken, DataAltered
from nodes.receiving.pull import PullOptions, pull
from nodes.sharing_tables import FetchRow, ReleaseRow
from tests.nodes.sharing import DATASET, World, rows


def aborts(world: World) -> list[tuple[object, object]]:
    """Give who gave up and why, as the log says."""
    parsed = [parse_entry(raw) for raw in world.exchange.entries.values()]
    return [(one.fields["by"], one.fields["why"]) for one in parsed if one.kind is EntryKind.ABORT]


def test_data_that_breaks_the_contract_ends_its_grant(world: World) -> None:
    """The same bytes would break the contract again: the consumer gives the grant up, and may ask anew."""
    world.declare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodes.publishing.publish.RowValidator.judge", lambda *_: None)
        world.publish([{**row, "ph": 99} for row in rows(3)])
    world.agree()
    for _ in range(2):
        with pytest.raises(ContractBroken):
            pull(world.consumer, DATASET, PullOptions(connect=world.direct))

    assert aborts(world) == [(world.consumer.participant, "contract-broken")] * 2
    assert [one.grant.seq for one in world.exchange.transfers.values()] == [1, 2]
    with world.consumer.database.read() as session:
        assert session.get(FetchRow, (next(iter(world.exchange.subscriptions)), 1)) is None


def test_altered_bytes_do_not_end_a_grant(world: World) -> None:
    """What was altered on its way may arrive whole the next time, under the same grant."""
    world.ready()
    world.alter = lambda body: body[:-1] + bytes([body[-1] ^ 1])
    with pytest.raises(DataAltered):
        pull(world.consumer, DATASET, PullOptions(connect=world.direct))
    world.alter = lambda body: body
    pull(world.consumer, DATASET, PullOptions(connect=world.direct))

    assert aborts(world) == []
    assert len(world.exchange.transfers) == 1


def test_a_provider_gives_up_what_it_can_never_deliver(world: World) -> None:
    """A grant for a release that is not the provider's is refused, and the log says so at once."""
    logged = world.granted(world.ready())
    with world.provider.database.transaction() as session:
        row = session.get(ReleaseRow, (DATASET, 1))
        assert row is not None
        session.delete(row)
    answer = world.present(logged)

    assert answer.json()["code"] == "release-not-ours"
    assert aborts(world) == [(world.provider.participant, "release-not-ours")]


def test_a_forged_grant_makes_nobody_give_up(world: World) -> None:
    """Only a genuine grant to this node is given up: a stranger cannot make a provider abort."""
    logged = world.granted(world.ready())
    forged = logged.model_copy(update={"leaf": logged.leaf[:-8] + "AAAAAAA="})

    assert world.present(forged).status_code >= 400
    assert aborts(world) == []


def test_an_exchange_out_of_reach_is_no_obstacle(world: World) -> None:
    """The refusal is told all the same: an open grant expires by itself."""
    logged = world.granted(world.ready())
    with world.provider.database.transaction() as session:
        row = session.get(ReleaseRow, (DATASET, 1))
        assert row is not None
        session.delete(row)
    world.exchange.transfers.clear()

    assert world.present(logged).json()["code"] == "release-not-ours"
    assert aborts(world) == []


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_either_side_signs_what_it_gives_up(world: World, side: str) -> None:
    """The statement is signed by the node's own key, and the exchange's answer says how things stand."""
    logged = world.granted(world.ready())
    (transfer,) = world.exchange.transfers.values()
    node: Node = getattr(world, side)

    assert abort(node, transfer.grant.grant, logged.index, "download-broke").state == "aborted"
    assert aborts(world) == [(node.participant, "download-broke")]
    assert Abort.payload_type.startswith("application/vnd.headwaters.abort")
    with pytest.raises(NotFound):
        abort(node, "g-zzzzzzzzzzzz", logged.index, "download-broke")


def test_a_providers_receipt_leaves_after_an_abort(world: World) -> None:
    """A delivery that the consumer gave up does not wait in the provider's outbox for ever."""
    logged = world.granted(world.ready())
    world.present(logged)
    (transfer,) = world.exchange.transfers.values()
    abort(world.consumer, transfer.grant.grant, logged.index, "download-broke")
    for _ in range(2):
        outbox_tick(world.provider)
        world.clock.advance(0.6)

    assert waiting(world.provider) == []


def test_an_aborted_grant_is_no_contradiction(world: World) -> None:
    """Heads that list a grant as aborted fit the books of both sides, and nobody counts it."""
    logged = world.granted(world.ready())
    world.present(logged)
    (transfer,) = world.exchange.transfers.values()
    abort(world.consumer, transfer.grant.grant, logged.index, "download-broke")
    world.exchange.cut()
    for node in (world.provider, world.consumer):
        counts.tick(node)

    assert world.provider.alarms.after() == world.consumer.alarms.after() == []
    counted = [count.sent + count.received for count, _ in world.exchange.counts.values()]
    assert counted == [0, 0]
