"""What people ask their node about completeness: judged cuts, giving a grant up, and proofs it verifies."""

import pytest

from audit.formats.packed import pack
from nodes.counting import counts
from nodes.receiving.judged import DataAltered
from nodes.receiving.pull import PullOptions, pull
from tests.nodes.flows.test_local_routes import Person
from tests.nodes.sharing import DATASET, World


def test_a_person_reads_which_cuts_were_judged(world: World) -> None:
    """Each cut with its contradictions, and how far this node's count has come."""
    world.ready()
    pull(world.consumer, DATASET, PullOptions(connect=world.direct))
    world.exchange.cut()
    counts.tick(world.consumer)
    person = Person(world, world.consumer)
    with person.client:
        (cut,) = person.get("heads")["cuts"]

    assert (cut["number"], cut["contradictions"], cut["counted"], cut["count_proved"]) == (1, 0, True, True)


def test_a_person_gives_a_grant_up(world: World) -> None:
    """A grant that this node holds can be given up by name; one that it does not hold is not found."""
    world.ready()
    world.alter = lambda body: body[:-1] + bytes([body[-1] ^ 1])
    with pytest.raises(DataAltered):
        pull(world.consumer, DATASET, PullOptions(connect=world.direct))
    (grant,) = world.exchange.transfers
    person = Person(world, world.consumer)
    with person.client:
        state = person.post(f"transfers/{grant}/abort", {"reason": "download-broke"})["state"]
        unknown = person.post("transfers/g-zzzzzzzzzzzz/abort", {"reason": "download-broke"})["code"]

    assert (state, unknown) == ("aborted", "grant-not-here")


def test_a_proof_of_silence_that_does_not_hold_is_not_handed_on(world: World) -> None:
    """The node verifies what the exchange sends before a person gets it."""
    subscription = world.ready()
    world.consumer.broker.silence = lambda *_: pack(b"{}")  # type: ignore[method-assign]  # a bad file
    person = Person(world, world.consumer)
    with person.client:
        answer = person.get(f"subscriptions/{subscription}/silence", since=0, until=1)

    assert answer["code"] == "silence-not-proven"
