"""One node: its home, keys and database, the exchange as it sees it, and whom it trusts.

Opening a node reads its own files only and calls nobody, so it starts while the exchange is down. Whoever
opens it closes it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from audit.database import Database, open_database, upgrade
from audit.keys import SealingKey, SigningKey, load_key, load_sealing_key
from contracts.clock import Clock, SystemClock
from nodes.addresses import mailbox_base
from nodes.broker import Broker
from nodes.events import EventBook
from nodes.home import NodeHome, NodeIdentity
from nodes.people import People
from nodes.trust import Trust
from nodes.witness import Witness

MIGRATIONS = "nodes:migrations"


@dataclass(frozen=True, slots=True)
class Node:
    """Everything that one participant's process holds."""

    home: NodeHome
    identity: NodeIdentity
    node_key: SigningKey
    witness_key: SigningKey | None
    sealing_key: SealingKey
    database: Database
    clock: Clock
    broker: Broker
    trust: Trust
    people: People
    events: EventBook
    witness: Witness | None

    @property
    def participant(self) -> str:
        """The participant that this node serves."""
        return self.identity.participant

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
    node_key = load_key(home.node_key)
    witness_key = load_key(home.witness_key) if identity.witness else None
    sealing_key = load_sealing_key(home.sealing_key)
    broker = Broker(
        identity.exchange_url,
        participant=identity.participant,
        key=node_key,
        clock=clock,
        transport=transport,
    )
    database = open_node_database(home)
    trust = Trust(identity, database=database, broker=broker, clock=clock, file=home.trust_file)
    witness = None
    if witness_key is not None:
        witness = Witness(
            identity,
            witness_key=witness_key,
            node_key=node_key,
            database=database,
            broker=broker,
            trust=trust,
        )
    return Node(
        home=home,
        identity=identity,
        node_key=node_key,
        witness_key=witness_key,
        sealing_key=sealing_key,
        database=database,
        clock=clock,
        broker=broker,
        trust=trust,
        people=People(database),
        events=EventBook(database=database, broker=broker, trust=trust, clock=clock),
        witness=witness,
    )


def open_node_database(home: NodeHome) -> Database:
    """Open the home's database and bring its schema to the newest revision."""
    database = open_database(home.database_url)
    upgrade(database, MIGRATIONS)
    return database
