"""One node: its home, keys and database, the exchange as it sees it, and whom it trusts.

Opening a node reads its own files only and calls nobody, so it starts while the exchange is down. Whoever
opens it closes it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from audit.database import Database, open_database, upgrade
from audit.keys.signing import SealingKey, SigningKey
from contracts.clock import Clock, SystemClock
from nodes.addresses import mailbox_base
from nodes.alarms import Alarms
from nodes.broker import Broker
from nodes.events import EventBook
from nodes.home import NodeHome, NodeIdentity
from nodes.people import People
from nodes.rotating.keys import NodeKeys
from nodes.trusting.trust import Trust
from nodes.witnessing.forks import Forks
from nodes.witnessing.mirror import Mirror
from nodes.witnessing.mirror_files import Mirrors
from nodes.witnessing.witness import Witness

MIGRATIONS = "nodes:migrations"


@dataclass(frozen=True, slots=True)
class Node:
    """Everything that one participant's process holds."""

    home: NodeHome
    identity: NodeIdentity
    keys: NodeKeys
    database: Database
    clock: Clock
    broker: Broker
    trust: Trust
    people: People
    events: EventBook
    alarms: Alarms
    forks: Forks
    mirror: Mirror
    witness: Witness | None

    @property
    def participant(self) -> str:
        """The participant that this node serves."""
        return self.identity.participant

    @property
    def node_key(self) -> SigningKey:
        """The present node key; take it once for one statement."""
        return self.keys.node

    @property
    def sealing_key(self) -> SealingKey:
        """The present key that opens what is sealed to this node."""
        return self.keys.sealing

    @property
    def mailbox_base(self) -> str:
        """The base URL under which the mailbox and the relay know this node."""
        return mailbox_base(self.identity.participant)

    def close(self) -> None:
        """Close the connections and the database."""
        self.broker.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_node(
    path: Path, *, clock: Clock | None = None, transport: httpx.BaseTransport | None = None
) -> Node:
    """Open the node in ``path``; raise NotJoined, KeyFileExposed or KeyFileMissing.

    ``transport`` carries the calls to the exchange; left out, they go over the network.
    """
    clock = clock or SystemClock()
    home = NodeHome(path)
    identity = home.read_identity()
    keys = NodeKeys(home, identity)
    broker = Broker(
        identity.exchange_url,
        participant=identity.participant,
        key=keys.signer,
        clock=clock,
        transport=transport,
    )
    database = open_node_database(home)
    alarms = Alarms(database=database, clock=clock)
    forks = Forks(database=database, clock=clock, alarms=alarms, folder=home.evidence)
    trust = Trust(identity, database=database, broker=broker, clock=clock, home=home, forks=forks)
    witness = None
    if keys.witness is not None:
        witness = Witness(
            identity,
            keys=keys,
            database=database,
            broker=broker,
            trust=trust,
        )
    return Node(
        home=home,
        identity=identity,
        keys=keys,
        database=database,
        clock=clock,
        broker=broker,
        trust=trust,
        people=People(database),
        events=EventBook(database=database, broker=broker, trust=trust, clock=clock),
        alarms=alarms,
        forks=forks,
        mirror=Mirror(Mirrors(home.mirror), source=broker, trust=trust, alarms=alarms),
        witness=witness,
    )


def open_node_database(home: NodeHome) -> Database:
    """Open the home's database and bring its schema to the newest revision."""
    database = open_database(home.database_url)
    upgrade(database, MIGRATIONS)
    return database
