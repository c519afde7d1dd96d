"""What landed is durable and lands once; a release is made from all that waits, and from nothing twice."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import library
from nodes.broker import ExchangeSilent
from nodes.intake import spool
from nodes.intake.model import KeyTaken, LotState, NoSuchSource, SpoolFull, WrongSourceKind
from nodes.intake.spool import BadRows, land, sweep
from nodes.publishing.datasets import register_contract
from nodes.publishing.publish import own_releases
from nodes.quarantine.rows import list_rows
from tests.nodes.intake.feeding import (
    NAME,
    add_folder,
    add_push,
    add_station,
    batch,
    lines,
    once_each,
    pieces,
    released,
    run_source,
    spooled,
)
from tests.nodes.sharing import CONTRACT, DATASET, World, rows


def test_batches_wait_for_one_release(world: World) -> None:
    """Every batch that landed before the run is in its release, in the order of landing."""
    add_station(world)
    land(world.provider, NAME, batch(1, 5))
    land(world.provider, NAME, batch(6, 3))

    done = run_source(world)

    assert [(lot.state, lot.release, lot.rows_read) for lot in done.lots] == [(LotState.RELEASED, 1, 8)]
    assert released(world.provider) == once_each(1, 8)
    assert spooled(world.provider) == []


def test_a_batch_lands_once(world: World) -> None:
    """The same bytes under the same key change nothing, before and after their release."""
    add_push(world)
    first = land(world.provider, NAME, batch(1, 5), key="2026-11-22T04")
    second = land(world.provider, NAME, batch(1, 5), key="2026-11-22T04")
    run_source(world)
    third = land(world.provider, NAME, batch(1, 5), key="2026-11-22T04")

    assert (first.repeated, second.repeated, third.repeated) == (False, True, True)
    assert run_source(world).lots == []
    assert released(world.provider) == once_each(1, 5)


def test_a_key_holds_one_batch(world: World) -> None:
    """Other rows under a key that landed are refused, and leave no file behind."""
    add_push(world)
    land(world.provider, NAME, batch(1, 5), key="monday")

    with pytest.raises(KeyTaken):
        land(world.provider, NAME, batch(6, 5), key="monday")
    assert len(spooled(world.provider)) == 1


def test_equal_batches_under_their_own_keys_are_two(world: World) -> None:
    """A sender that names its batches may send the same rows twice on purpose."""
    add_push(world)
    land(world.provider, NAME, batch(1, 2), key="a")
    land(world.provider, NAME, batch(1, 2), key="b")
    run_source(world)

    assert released(world.provider) == once_each(1, 2) + once_each(1, 2)


def test_a_bad_row_keeps_no_other_row_out(world: World) -> None:
    """Lines are judged one by one, also where the first line is no record and fields are strange."""
    add_station(world)
    strange = {"quite": "another", "record": 1}
    land(world.provider, NAME, b"not json\n" + lines(strange) + batch(1, 3))
    land(world.provider, NAME, lines({**rows(1)[0], "ph": "neutral"}) + batch(4, 2))

    lot = run_source(world).lots[0]

    assert (lot.rows_read, lot.rows_quarantined) == (8, 3)
    assert released(world.provider) == once_each(1, 5)
    total, listed = list_rows(world.provider, DATASET, 10, 0)
    assert (total, sorted(row["row"] for row in listed)) == (3, [1, 2, 6])


def test_a_lot_without_a_good_row_is_done(world: World) -> None:
    """Rows that all break the contract are in quarantine; the source goes on."""
    add_station(world)
    land(world.provider, NAME, lines({"ph": "neutral"}))
    first = run_source(world)
    land(world.provider, NAME, batch(1, 2))
    second = run_source(world)

    assert [lot.state for lot in (*first.lots, *second.lots)] == [LotState.QUARANTINED, LotState.RELEASED]
    assert spooled(world.provider) == []


def test_while_the_exchange_is_silent_rows_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lot that could not be published is the next one's content, whatever landed in between."""
    add_station(world)
    land(world.provider, NAME, batch(1, 5))
    with monkeypatch.context() as broken:
        broken.setattr(world.provider.broker, "publish_release", _silent)
        with pytest.raises(ExchangeSilent):
            run_source(world)
    land(world.provider, NAME, batch(6, 5))

    done = run_source(world)

    assert [lot.rows_read for lot in done.lots] == [5, 5]
    assert released(world.provider) == once_each(1, 10)


def _silent(*_: object) -> None:
    raise ExchangeSilent("nobody answers")


def test_a_new_contract_does_not_repeat_a_release(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that was signed before a crash is found by its lot, also under another contract version."""
    add_station(world)
    land(world.provider, NAME, batch(1, 5))
    with monkeypatch.context() as broken:
        broken.setattr(world.provider.broker, "publish_release", _silent)
        with pytest.raises(ExchangeSilent):
            run_source(world)
    register_contract(world.provider, _next_version())
    world.declare(place="Brisbane")

    assert [lot.release for lot in run_source(world).lots] == [1]
    assert len(own_releases(world.provider, DATASET)) == 1


def _next_version() -> str:
    contract = library.load(CONTRACT)
    return contract.model_copy(update={"version": "9.0.0"}).canonical().decode()


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe{}", b'{"a": "\0"}\n'])
def test_what_is_no_text_does_not_land(world: World, content: bytes) -> None:
    """Nothing, bytes that are not UTF-8, and NUL bytes are refused before anybody is told they arrived."""
    add_push(world)

    with pytest.raises(BadRows):
        land(world.provider, NAME, content)
    assert spooled(world.provider) == []


@pytest.mark.parametrize("key", ["a\nb", "x" * 201, "\u202ea"])
def test_a_key_is_short_and_printable(world: World, key: str) -> None:
    """A batch id that could spoil a terminal or the database is refused."""
    add_push(world)

    with pytest.raises(BadRows):
        land(world.provider, NAME, batch(1, 1), key=key)
    assert spooled(world.provider) == []


def test_rows_are_handed_to_some_sources_only(world: World) -> None:
    """A folder's rows come from its files, and nobody lands in a source that is not there."""
    add_folder(world)

    with pytest.raises(WrongSourceKind):
        land(world.provider, NAME, batch(1, 1))
    with pytest.raises(NoSuchSource):
        land(world.provider, "nobody", batch(1, 1))


def test_a_full_spool_takes_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the sender is told to wait; a repeated batch is known, and a release makes room."""
    add_push(world)
    monkeypatch.setattr(spool, "MAX_SPOOL_BYTES", len(batch(1, 5)) + 10)
    land(world.provider, NAME, batch(1, 5))

    with pytest.raises(SpoolFull):
        land(world.provider, NAME, batch(6, 5))
    assert land(world.provider, NAME, batch(1, 5)).repeated
    run_source(world)
    assert not land(world.provider, NAME, batch(6, 5)).repeated


def test_a_spool_of_crumbs_takes_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of one row each are limited in number; what landed before is still known."""
    add_push(world)
    monkeypatch.setattr(spool, "MAX_SPOOL_PIECES", 2)
    land(world.provider, NAME, batch(1, 1))
    land(world.provider, NAME, batch(2, 1))

    with pytest.raises(SpoolFull):
        land(world.provider, NAME, batch(3, 1))
    assert land(world.provider, NAME, batch(1, 1)).repeated
    run_source(world)
    assert not land(world.provider, NAME, batch(3, 1)).repeated


def test_what_a_crash_left_goes_at_the_start(world: World) -> None:
    """A file that no piece names is removed, and no other."""
    add_station(world)
    land(world.provider, NAME, batch(1, 5))
    (spooled(world.provider)[0].parent / "0123").write_bytes(b"half")

    assert sweep(world.provider) == 1
    assert [path.name for path in spooled(world.provider)] == [piece.file for piece in pieces(world.provider)]


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 4), max_size=4), lots=st.sets(st.integers(0, 3)))
def test_every_row_is_released_once(world: World, sizes: list[int], lots: set[int]) -> None:
    """However batches and releases alternate, and however often a batch is sent, a row is released once."""
    if not world.exchange.records:
        add_station(world)
    first = sum(released(world.provider).values()) + 1
    for number, size in enumerate(sizes):
        for _ in range(2):
            land(world.provider, NAME, batch(first, size), key=f"from-{first}-{size}")
        first += size
        if number in lots:
            run_source(world)
    run_source(world)

    assert released(world.provider) == once_each(1, first - 1)
