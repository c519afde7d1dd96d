"""Two provinces that publish, deliver and receive while everything about their disks is recorded.

What they told anybody must be there after any crash: a release and its bytes, a receipt that was handed out,
a file that was received, and the proof of a receipt that has left the outbox.
"""

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from audit.keys.trust_file import TrustFile
from audit.proofs.verify import verify_transfer
from contracts.clock import FrozenClock
from contracts.errors import HeadwatersError
from contracts.messages import Receipt
from nodes.node import Node, open_node
from nodes.outbox import tick, waiting
from nodes.publishing.artifacts import artifact_path, hash_file
from nodes.receiving.download import present
from nodes.receiving.pull import PullOptions, proof_path, pull
from nodes.sharing_tables import DeliveryRow, OutboxRow, ReceivedRow, ReleaseRow, SubscriptionRow
from nodes.signed import peek_statement
from tests.crash.connections import connecting
from tests.crash.recorder import Fault, FaultKind, Recorder, recording
from tests.crash.rounds import Crash
from tests.nodes.completeness_exchange import CompletenessExchange
from tests.nodes.conftest import NOW
from tests.nodes.sharing import DATASET, Joined, World, rows

RELEASES = 4
TRIES = 8
_OFTEN = 20  # pages in the write-ahead log before it is carried over into the database
_REFUSALS = (HeadwatersError, DBAPIError, OSError)


def fresh(joined: Joined) -> tuple[CompletenessExchange, FrozenClock]:
    """Give the exchange as it was when both had joined, and its clock."""
    exchange, clock = copy.deepcopy(joined.exchange), FrozenClock(NOW)
    clock.advance((joined.at - clock.now()).total_seconds())
    exchange.clock = clock
    return exchange, clock


@contextmanager
def opened(folder: Path, exchange: CompletenessExchange, clock: FrozenClock) -> Iterator[World]:
    """Open both homes in ``folder``."""
    sources = folder.with_name(f"{folder.name}-sources")
    sources.mkdir(exist_ok=True)
    with (
        open_node(folder / "provider", clock=clock, transport=exchange.transport) as provider,
        open_node(folder / "consumer", clock=clock, transport=exchange.transport) as consumer,
    ):
        yield World(exchange, clock, provider, consumer, sources)


def share(
    folder: Path,
    exchange: CompletenessExchange,
    clock: FrozenClock,
    seed: int,
    *,
    fault: FaultKind | None = None,
    pragma: str = "",
    deaf: bool = False,
) -> Recorder:
    """Publish and pull until all is there and proven; under a ``fault`` the disks fail on the way."""
    chance = random.Random(seed)  # noqa: S311  # what to do next, no secret
    with (
        recording(folder) as recorder,
        connecting(pages=_OFTEN, pragma=pragma),
        opened(folder, exchange, clock) as world,
        _listening(recorder),
    ):
        recorder.deaf = deaf
        world.declare()
        for number in range(1, RELEASES + 1):
            for last in (False,) * TRIES + (True,):
                if fault is not None and not last and chance.random() < 0.6:
                    recorder.fault = Fault.soon(fault, chance, within=40)
                with suppress(*(_REFUSALS if fault and not last else ())):
                    _step(recorder, world, number)
                    break
                recorder.fault = None
                clock.advance(61)
            recorder.fault = None
    return recorder


def _step(recorder: Recorder, world: World, number: int) -> None:
    """Bring one release from its source to the proof of its receipts."""
    done = world.publish(rows(6, first=number * 10), name=f"{number}.ndjson").manifest.statement
    recorder.promise("published", str(done.number), done.distribution.sha256.encode())
    with world.consumer.database.read() as session:
        subscribed = session.exec(select(SubscriptionRow)).first()
    if subscribed is None:
        world.agree()
    for file in pull(world.consumer, DATASET, PullOptions(connect=world.direct)).files:
        recorder.promise("pulled", str(file.release), file.grant.encode())
    for _ in range(3):
        for node in (world.provider, world.consumer):
            before = {row["grant"] for row in waiting(node)}
            tick(node)
            for grant in before - {row["grant"] for row in waiting(node)}:
                recorder.promise(f"{'provider' if node is world.provider else 'consumer'} settled", grant)
        world.clock.advance(1)


@contextmanager
def _listening(recorder: Recorder) -> Iterator[None]:
    """Note each provider receipt when the consumer hears it."""

    def noted(*arguments: object) -> str:
        receipt = present(*arguments)  # type: ignore[arg-type]  # handed on as they came
        recorder.promise("receipt", peek_statement(receipt, Receipt).statement.grant, receipt.encode())
        return receipt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodes.receiving.pull.present", noted)
        yield


def broken_promises(crash: Crash, exchange: CompletenessExchange, clock: FrozenClock) -> list[str]:
    """Open both nodes on what their disks hold and name every promise that is not kept."""
    try:
        with opened(crash.folder, exchange, clock) as world:
            broken = [*_provider(world, crash), *_consumer(world.consumer, crash, clock)]
            if crash.at_the_end:
                broken += _goes_on(world)
    except _REFUSALS as error:
        return [f"a node does not start: {type(error).__name__}: {error}"]
    return broken


def _provider(world: World, crash: Crash) -> list[str]:
    node, broken = world.provider, []
    with node.database.read() as session:
        releases = {str(row.number): row for row in session.exec(select(ReleaseRow)).all()}
        deliveries = {row.grant_id: row.receipt for row in session.exec(select(DeliveryRow)).all()}
    waits, left = (
        {row["grant"] for row in waiting(node)},
        {one.about for one in crash.about("provider settled")},
    )
    for row in releases.values():
        path = artifact_path(node, row.artifact)
        if not path.is_file() or hash_file(path).sha256 != row.artifact:
            broken.append(f"the bytes of release {row.number} are not whole")
    broken += [
        f"release {one.about} is forgotten"
        for one in crash.about("published")
        if one.about not in releases or releases[one.about].artifact.encode() != one.content
    ]
    for one in crash.about("receipt"):
        if deliveries.get(one.about, "").encode() != one.content:
            broken.append(f"the receipt for {one.about} is forgotten")
        elif one.about not in waits | left and world.exchange.transfers[one.about].index is None:
            broken.append(f"the receipt for {one.about} will never be sent")
    return broken


def _consumer(node: Node, crash: Crash, clock: FrozenClock) -> list[str]:
    broken = []
    with node.database.read() as session:
        received = {row.grant_id: row for row in session.exec(select(ReceivedRow)).all()}
        kept = {row.grant_id for row in session.exec(select(OutboxRow)).all()}
        subscription = session.exec(select(SubscriptionRow)).first()
    for grant, row in received.items():
        path = Path(row.path)
        if not path.is_file() or hash_file(path).sha256 != row.sha256:
            broken.append(f"what came under {grant} is not whole")
        elif grant not in kept:
            broken += _unproven(node, path, clock)
    for one in crash.about("pulled"):
        if (
            one.content.decode() not in received
            or subscription is None
            or subscription.cursor < int(one.about)
        ):
            broken.append(f"release {one.about} was received and is forgotten")
    return broken


def _unproven(node: Node, path: Path, clock: FrozenClock) -> list[str]:
    """A receipt that has left the outbox has left a proof that holds."""
    try:
        proof, root = proof_path(path).read_bytes(), TrustFile.load(node.home.trust_file)
        with path.open("rb") as data:
            verify_transfer(proof, data, root, now=clock.now())
    except (HeadwatersError, OSError) as error:
        return [f"the receipt for {path.name} left without a proof: {error}"]
    return []


def _goes_on(world: World) -> list[str]:
    """After the last crash nobody else has moved on, so everything that was begun comes to its end."""
    world.clock.advance(61)
    pull(world.consumer, DATASET, PullOptions(connect=world.direct))
    for _ in range(6):
        for node in (world.provider, world.consumer):
            tick(node)
        world.clock.advance(61)
    left = [row for node in (world.provider, world.consumer) for row in waiting(node)]
    return [f"a receipt is stuck: {row['reason']}" for row in left]
