"""What people of a node see and do about the network, signed, on this machine."""

from nodes.witnessing.gossip_store import note_answer, note_silence
from tests.nodes.flows.test_local_routes import Person
from tests.nodes.sharing import World


def test_the_network_is_shown(world: World) -> None:
    """Mirror, peers, open questions and stopped logs, in Beijing time; nobody is called."""
    with world.consumer.database.transaction() as session:
        note_answer(session, "p-answeringaaa", size=7, trouble=None, at=1_795_310_000_000)
        note_silence(session, "p-silentaaaaaa", "peer-silent", 1_795_310_000_000)
    world.exchange.calls.clear()

    seen = Person(world, world.consumer).get("network")

    assert world.exchange.calls == []
    assert seen["mirror"]["size"] == seen["mirror"]["replayed"] == 0
    assert [(one["participant"], one["size"], one["trouble"]) for one in seen["peers"]] == [
        ("p-answeringaaa", 7, None),
        ("p-silentaaaaaa", None, "peer-silent"),
    ]
    assert seen["peers"][1]["silent_since"] == "2026-11-22 09:13:20"
    assert (seen["unsettled"], seen["stopped"]) == (0, [])


def test_a_person_brings_the_mirror_up_to_date(world: World) -> None:
    """The whole copy is fetched and every file of it checked."""
    world.exchange.published = world.exchange.cosigned  # type: ignore[method-assign]  # as it is published
    person = Person(world, world.consumer)

    done = person.post("mirror")

    assert done["size"] == len(world.exchange.leaves)
    assert done["checked"] >= 1
    assert done["mended"] == []
    assert person.get("network")["mirror"]["entries"] == done["size"]
