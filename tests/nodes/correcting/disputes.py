"""What the two sides of an objection do at their nodes."""

from typing import Any

from contracts.messages import CorrectionNews, Fault, ObjectionState, StepKind
from nodes.correcting.hearing import hear_news
from nodes.correcting.linking import Correction
from nodes.correcting.objecting import object_to
from nodes.correcting.records import Place
from nodes.correcting.stepping import take_step
from nodes.correcting.tables import ObjectionRow
from nodes.node import Node
from nodes.publishing.publish import Published, publish
from nodes.receiving.pull import pull
from tests.nodes.correcting.corrections_exchange import CorrectionsExchange
from tests.nodes.sharing import DATASET, World, rows, write_source

WORDS = "row 3 reads 7.2 where the certificate of calibration says 8.1"


def exchange_of(world: World) -> CorrectionsExchange:
    """Give the exchange with its objections."""
    assert isinstance(world.exchange, CorrectionsExchange)
    return world.exchange


def received(world: World) -> World:
    """Publish a release and receive it."""
    world.declare()
    world.publish()
    world.agree()
    pull(world.consumer, DATASET)
    return world


def dispute(world: World, *places: Place, **changes: Any) -> ObjectionRow:
    """Object to a record of the first release."""
    values: dict[str, Any] = {"fault": Fault.WRONG_VALUE, "words": WORDS, "person": "li-wei"}
    asked = list(places) or [Place(3, "/ph", "8.1")]
    return object_to(world.consumer, DATASET, 1, places=asked, **{**values, **changes})


def bring(world: World, node: Node, name: str) -> None:
    """Bring an objection to a node, as the exchange's mailbox does."""
    hear_news(node, CorrectionNews(objections=[exchange_of(world).view(name)], corrections=[]))


def step(node: Node, name: str, kind: StepKind, words: str | None = None) -> ObjectionRow:
    """Take a step in somebody's name."""
    return take_step(node, name, kind, words=words, person="li-wei")


def verified(world: World) -> str:
    """Object to a release and let the provider verify the fault; give the objection's id."""
    name = dispute(world).objection
    step(world.provider, name, StepKind.ACKNOWLEDGE)
    assert step(world.provider, name, StepKind.VERIFY).state == ObjectionState.VERIFIED.value
    return name


def correct(world: World, *objections: str, release: int = 1, count: int = 41) -> Published:
    """Publish a release with mended rows in the place of an earlier one."""
    source = write_source(world.folder / f"mended-{count}.ndjson", rows(count))
    return publish(world.provider, source, DATASET, corrects=Correction(release, tuple(objections)))
