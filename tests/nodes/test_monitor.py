"""A node replays the log it mirrors: it finds broken chains, and whatever is said of it that it never did."""

from typing import Any

import pytest

from audit.commitment import commit
from audit.keys.signing import SigningKey
from audit.log.entry import Entry, EntryKind, chain_digest
from contracts.canonical import Json
from contracts.clock import FrozenClock
from contracts.identifiers import Kind, new_id
from nodes.node import Node, open_node
from nodes.witnessing import monitor
from nodes.witnessing.monitor import BROKEN, UNKNOWN, UNREADABLE, replay
from tests.nodes.gossiping import cosigned
from tests.nodes.simulated_exchange import SimulatedExchange

DIGEST = "sha256:" + "7" * 64
STRANGERS_KEY = SigningKey.from_seed(b"\x09" * 32).public.text
COMMITMENT = commit(b"\x01" * 32, b"hidden")
STRANGER, OTHER = "p-strangeraaaa", "p-otherparties"


@pytest.fixture
def exchange(clock: FrozenClock) -> SimulatedExchange:
    """Give a log without entries that nobody can read."""
    return SimulatedExchange(clock)


class Writer:
    """Writes entries of one subscription, chained as they must be."""

    def __init__(self, exchange: SimulatedExchange, clock: FrozenClock, provider: str, consumer: str) -> None:
        self._exchange, self._clock = exchange, clock
        self._provider, self._consumer = provider, consumer
        self._seq, self._gid = 0, ""
        self._previous: str | None = None
        self.subscription = "s-watchedaaaaa"

    def write(self, kind: EntryKind, fields: dict[str, Json]) -> int:
        raw = Entry(kind, self._clock.now(), fields).encode()
        self._exchange.log_entries(raw)
        return len(self._exchange.leaves) - 1

    def grant(self, **changes: Json) -> int:
        self._seq += 1
        fields: dict[str, Json] = {
            "gid": f"g-watched{self._seq:05d}".replace("0", "a").replace("1", "b"),
            "sub": self.subscription,
            "seq": self._seq,
            "prev": self._previous,
            "prov": self._provider,
            "cons": self._consumer,
            "ckey": STRANGERS_KEY,
            "man": DIGEST,
            "agr": DIGEST,
            "rec": DIGEST,
            "obl": DIGEST,
            "pol": DIGEST,
            "dec": new_id(Kind.DECISION),
            "dsc": COMMITMENT,
            "pur": COMMITMENT,
            "exp": 1_800_000_000_000,
            "ev": COMMITMENT,
        }
        self._gid = str((fields | changes)["gid"])
        return self._chained(EntryKind.GRANT, fields | changes)

    def done(self, granted: int, **changes: Json) -> int:
        fields: dict[str, Json] = {
            "gid": self._gid,
            "gidx": granted,
            "sub": self.subscription,
            "seq": self._seq,
            "prev": self._previous,
            "cc": COMMITMENT,
            "len": 1,
            "pr": DIGEST,
            "cr": DIGEST,
            "late": False,
        }
        return self._chained(EntryKind.DONE, fields | changes)

    def _chained(self, kind: EntryKind, fields: dict[str, Json]) -> int:
        index = self.write(kind, fields)
        self._previous = chain_digest(self._exchange.leaves[index])
        return index


def mirrored(node: Node, exchange: SimulatedExchange) -> int:
    cosigned(exchange, node)
    node.mirror.update()
    return replay(node)


def found(node: Node) -> list[tuple[str, Any]]:
    return [(one.event_class, one.facts["index"]) for one in node.alarms.after()]


def test_what_others_do_is_their_own_affair(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """Transfers between others are followed and raise nothing."""
    writer = Writer(exchange, clock, STRANGER, OTHER)
    for _ in range(3):
        writer.done(writer.grant())

    assert mirrored(node, exchange) == 6
    assert replay(node) == 0
    assert found(node) == []


@pytest.mark.parametrize("change", [{"seq": 7}, {"prev": DIGEST}, {"agr": "sha256:" + "8" * 64}])
def test_a_broken_chain_is_an_alarm(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock, change: dict[str, Json]
) -> None:
    """A gap, a wrong link or changed parties are found, once for the subscription, in whoever's chain."""
    writer = Writer(exchange, clock, STRANGER, OTHER)
    writer.done(writer.grant())
    broken = writer.grant(**change)
    writer.done(broken)
    writer.grant()

    mirrored(node, exchange)

    assert found(node) == [(BROKEN, broken)]


def test_the_chain_is_followed_across_rounds_and_restarts(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was replayed is remembered with the heads, so a gap between two rounds is found."""
    monkeypatch.setattr(monitor, "_SAVE_EVERY", 2)
    writer = Writer(exchange, clock, STRANGER, OTHER)
    writer.done(writer.grant())
    granted = writer.grant()
    mirrored(node, exchange)
    writer.done(granted)
    writer.grant()
    mirrored(node, exchange)
    assert found(node) == []

    broken = writer.grant(seq=9)
    with open_node(node.home.path, clock=clock, transport=exchange.transport) as again:
        mirrored(again, exchange)
        writer.grant()
        mirrored(again, exchange)
        assert found(again) == [(BROKEN, broken)]


@pytest.mark.parametrize("role", ["prov", "cons"])
def test_a_grant_that_names_this_participant_without_its_consent_is_an_alarm(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock, role: str
) -> None:
    """An agreement that this node never signed permits nothing in its name, on either side."""
    parties = (node.participant, OTHER) if role == "prov" else (OTHER, node.participant)
    writer = Writer(exchange, clock, *parties)
    granted = writer.grant()
    closed = writer.done(granted)

    mirrored(node, exchange)

    assert found(node) == [(UNKNOWN, granted), (UNKNOWN, closed)]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (EntryKind.RELEASE_PUBLISH, {"dsc": COMMITMENT, "n": 1, "man": DIGEST, "prev": None}),
        (EntryKind.DATASET_PUBLISH, {"dsc": COMMITMENT, "dig": DIGEST, "n": 1}),
        (EntryKind.CONTRACT_PUBLISH, {"ctr": "buoy@1.0.0", "dig": DIGEST}),
    ],
)
def test_a_publication_in_our_name_is_an_alarm(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock, kind: EntryKind, fields: dict[str, Json]
) -> None:
    """A release, record or contract that this node never signed is found; another's is not looked at."""
    writer = Writer(exchange, clock, STRANGER, OTHER)
    writer.write(kind, {"part": STRANGER, **fields})
    ours = writer.write(kind, {"part": node.participant, **fields})

    mirrored(node, exchange)

    assert found(node) == [(UNKNOWN, ours)]


def test_an_agreement_and_an_application_in_our_name_are_alarms(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """Terms and applications that this node never signed are found."""
    writer = Writer(exchange, clock, STRANGER, OTHER)
    fields: dict[str, Json] = {"prov": STRANGER, "cons": node.participant, "dig": DIGEST}
    application = {"app": "q-applicationa", "dsc": COMMITMENT, "pur": COMMITMENT}
    one = writer.write(EntryKind.APPLICATION_OPEN, {**fields, **application})
    two = writer.write(EntryKind.AGREEMENT, {**fields, "agr": "a-agreementaaa", "app": "q-applicationa"})

    mirrored(node, exchange)

    assert found(node) == [(UNKNOWN, one), (UNKNOWN, two)]


def test_an_entry_that_cannot_be_read_is_an_alarm(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """What this node's version does not know is told to people, and the replay goes on."""
    exchange.log_entries(b'{"v":1,"t":"unheard.of","ts":1}')
    writer = Writer(exchange, clock, STRANGER, OTHER)
    broken = writer.grant(seq=2)

    mirrored(node, exchange)

    assert found(node) == [(UNREADABLE, 0), (BROKEN, broken)]
