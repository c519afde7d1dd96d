"""A consumer objects: to what it holds and signed for, sealed for the provider, and once after a crash."""

from pathlib import Path

import orjson
import pytest

from audit.keys.signing import SealingKey
from contracts.canonical import sha256_hex
from contracts.errors import Conflict, Unavailable
from contracts.messages import Objection, Particulars, StepWords
from nodes.correcting import store
from nodes.correcting.objecting import NotHeld, seal_anew
from nodes.correcting.records import Place, RecordUnknown
from nodes.correcting.sealed import seal_words
from nodes.correcting.stepping import checked_records, tick
from nodes.correcting.tables import ObjectionRow
from nodes.receiving.kept import holdings
from nodes.receiving.pull import pull
from nodes.signed import peek_statement
from tests.nodes.correcting.corrections_exchange import NotActive
from tests.nodes.correcting.disputes import WORDS, bring, dispute, exchange_of, received
from tests.nodes.sharing import DATASET, World


def test_the_provider_reads_what_the_exchange_cannot(world: World) -> None:
    """Rows, values and words reach the provider; the exchange holds a digest and sealed bytes."""
    row = dispute(received(world))
    bring(world, world.provider, row.objection)
    theirs = store.find(world.provider, row.objection)
    seen = exchange_of(world).view(row.objection).canonical()

    assert theirs is not None
    assert theirs.particulars is not None
    opened = Particulars.parse(theirs.particulars.encode())
    assert opened.words == WORDS
    assert [(one.row, one.pointer, one.found, one.expected) for one in opened.records] == [
        (3, "/ph", "7.3", "8.1")
    ]
    assert not any(secret in seen for secret in (WORDS.encode(), b"/ph", b"7.3", b"8.1"))
    assert peek_statement(row.envelope, Objection).statement.particulars == opened.content_digest()


def test_the_provider_compares_with_what_it_delivered(world: World) -> None:
    """A record that is as delivered is said to be; one that is not, too."""
    row = dispute(received(world), Place(3, "/ph", None), Place(4, "", None))
    bring(world, world.provider, row.objection)
    theirs = store.find(world.provider, row.objection)
    assert theirs is not None
    assert theirs.particulars is not None
    changed = orjson.loads(theirs.particulars)
    changed["records"][1]["record"] = sha256_hex(b"another record")
    theirs.particulars = orjson.dumps(changed).decode()

    assert checked_records(world.provider, theirs) == [True, False]


def test_what_is_not_in_the_file_is_not_disputed(world: World) -> None:
    """A row beyond the end, a field that is none, a pointer that is none: nothing is signed."""
    received(world)
    for place in (Place(41, "", None), Place(1, "/nothing", None), Place(1, "ph", None)):
        with pytest.raises(RecordUnknown):
            dispute(world, place)

    assert store.newest(world.consumer) == []


def test_only_what_is_held_is_objected_to(world: World) -> None:
    """Neither before it was received, nor once the file was changed."""
    world.declare()
    world.publish()
    world.agree()
    with pytest.raises(NotHeld):
        dispute(world)

    pull(world.consumer, DATASET)
    (held,) = holdings(world.consumer)
    Path(held.path).write_bytes(b"changed")
    with pytest.raises(NotHeld):
        dispute(world)


def test_an_objection_is_sent_once_after_a_crash(world: World) -> None:
    """Signed and kept before it is sent: the same bytes go again, whatever became of the answer."""
    received(world)
    exchange_of(world).lose_answers = 1
    with pytest.raises(Unavailable):
        dispute(world)
    (waiting,) = store.newest(world.consumer)
    sent = (waiting.sent, tick(world.consumer), tick(world.consumer))
    (row,) = store.newest(world.consumer)

    assert sent == (False, 1, 0)
    assert (row.sent, row.envelope, row.sealed) == (True, waiting.envelope, waiting.sealed)
    assert list(exchange_of(world).objections) == [row.objection]


def test_a_suspended_node_keeps_what_it_signed(world: World) -> None:
    """The objection may have arrived before the suspension; it is sent again afterwards."""
    received(world)
    exchange_of(world).lose_answers = 1
    with pytest.raises(Unavailable):
        dispute(world)
    exchange_of(world).refuse = NotActive()
    meanwhile = (tick(world.consumer), store.newest(world.consumer)[0].sent)
    exchange_of(world).refuse = None
    tick(world.consumer)
    (row,) = store.newest(world.consumer)

    assert meanwhile == (1, False)
    assert row.sent
    assert row.particulars is not None


def test_a_refused_objection_leaves_nothing(world: World) -> None:
    """The person sees why; nothing waits to be sent."""
    received(world)
    exchange_of(world).refuse = Conflict("not today")
    with pytest.raises(Conflict):
        dispute(world)

    assert store.newest(world.consumer) == []
    assert tick(world.consumer) == 0


def test_particulars_follow_the_providers_sealing_key(world: World) -> None:
    """What was sealed to a key that was replaced is sealed to the present one, and opens."""
    row = dispute(received(world))
    former = SealingKey.generate().public_text
    stale = {"sealed": seal_words(StepWords(salt="00" * 32, words="x"), row.objection, former)}
    store.keep(world.consumer, ObjectionRow(**(row.model_dump() | stale | {"sealed_to": former})), [])
    exchange_of(world).objections[row.objection].sealed = stale["sealed"]
    bring(world, world.provider, row.objection)
    unread = store.find(world.provider, row.objection)
    done = [seal_anew(world.consumer), seal_anew(world.consumer)]
    bring(world, world.provider, row.objection)
    read = store.find(world.provider, row.objection)

    assert done == [1, 0]
    assert unread is not None
    assert unread.particulars is None
    assert read is not None
    assert read.particulars == row.particulars
