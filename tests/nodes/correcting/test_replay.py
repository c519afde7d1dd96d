"""A node replays the log and knows the objections and steps that it signed, and no other in its name."""

from contracts.messages import ObjectionStep, StepKind
from nodes.node import Node
from nodes.signed import peek_statement, sign_statement
from nodes.witnessing.monitor import UNKNOWN, replay
from tests.nodes.correcting.disputes import dispute, exchange_of, received, step
from tests.nodes.sharing import World


def strangers(world: World, node: Node) -> int:
    """Replay the log at a node; count the entries in its name that it never made."""
    published, world.exchange.published = world.exchange.published, world.exchange.cosigned  # type: ignore[method-assign]  # as the exchange publishes it
    node.mirror.update()
    world.exchange.published = published  # type: ignore[method-assign]  # as it was
    replay(node)
    return sum(one.event_class == UNKNOWN for one in node.alarms.after())


def test_own_objections_and_steps_raise_nothing(world: World) -> None:
    """Each side knows what it signed; the other's statements are the other's business."""
    name = dispute(received(world)).objection
    step(world.provider, name, StepKind.ACKNOWLEDGE)
    step(world.consumer, name, StepKind.WITHDRAW)

    assert [strangers(world, node) for node in (world.provider, world.consumer)] == [0, 0]


def test_a_step_in_a_nodes_name_that_it_never_took_is_found(world: World) -> None:
    """An exchange that logs a rejection which the provider never signed is found out by the provider."""
    name = dispute(received(world)).objection
    step(world.provider, name, StepKind.ACKNOWLEDGE)
    (filed,) = exchange_of(world).view(name).steps
    invented = peek_statement(filed.envelope, ObjectionStep).statement.model_copy(
        update={"number": 2, "step": StepKind.REJECT}
    )
    exchange_of(world).log_step(sign_statement(invented, world.exchange.statement_key))

    assert strangers(world, world.provider) == 1
