"""Working through the quarantine: what a person offers, takes back, or leaves to time."""

from datetime import timedelta
from typing import Any

import pytest

from nodes.publishing.datasets import DatasetNotDeclared
from nodes.quarantine.mending import change_fields, expire_due, resubmit, withdraw
from nodes.quarantine.model import (
    ChangesUnfit,
    MendedTwice,
    NoSuchRow,
    RowClosed,
    RowState,
    StillBroken,
)
from nodes.quarantine.rows import list_rows, standings
from tests.nodes.quarantine.rejecting import (
    BAD,
    CLERK,
    declare_own,
    mended,
    own_contract,
    reject,
    show,
    state,
    waiting,
)
from tests.nodes.sharing import DATASET, World, rows


def test_a_record_that_keeps_the_contract_takes_the_rows_place(world: World) -> None:
    """The row is resubmitted, by whom and when is kept, and the record it came as stays beside it."""
    (row,) = reject(world)

    done = resubmit(world.provider, row, mended()[0], CLERK)

    shown = show(world, row)
    assert not done.repeated
    assert (shown["state"], shown["by"]) == ("resubmitted", CLERK)
    assert (shown["mended"], shown["record"]["ph"]) == (mended()[0], "neutral")
    assert shown["changed_at"] is not None


def test_the_same_record_again_changes_nothing(world: World) -> None:
    """Re-submission is idempotent by the record's digest, whatever the order of its keys."""
    (row,) = reject(world)
    first = resubmit(world.provider, row, mended()[0], CLERK)
    before = show(world, row)
    world.clock.advance(60)

    again = resubmit(world.provider, row, dict(reversed(mended()[0].items())), "wang-fang")

    assert (again.record_digest, again.repeated) == (first.record_digest, True)
    assert show(world, row) == before


def test_another_record_replaces_the_one_that_waits(world: World) -> None:
    """Until it is released, a mended row may be mended again."""
    (row,) = reject(world)
    resubmit(world.provider, row, mended()[0], CLERK)

    resubmit(world.provider, row, {**mended()[0], "ph": 7.25}, CLERK)

    assert show(world, row)["mended"]["ph"] == 7.25


def test_a_record_that_still_breaks_the_contract_is_refused_with_every_reason(world: World) -> None:
    """Nothing changes, and the clerk reads all that is wrong at once."""
    (row,) = reject(world)

    with pytest.raises(StillBroken) as caught:
        resubmit(world.provider, row, {**mended()[0], "ph": 15, "salinity": -1}, CLERK)

    reasons = caught.value.facts["reasons"]
    assert isinstance(reasons, list)
    assert sorted(reason.split(":")[0] for reason in reasons) == ["/ph", "/salinity"]
    assert state(world, row) == "open"


def test_some_fields_can_be_changed(world: World) -> None:
    """What is not named stays as the source had it."""
    (row,) = reject(world)

    change_fields(world.provider, row, {"ph": 7.5}, CLERK)

    assert show(world, row)["mended"] == {**mended()[0], "ph": 7.5}


def test_a_row_that_was_no_record_needs_a_whole_one(world: World) -> None:
    """Fields of a line that is no JSON cannot be changed; a record can stand in its place."""
    world.declare()
    world.publish()
    source = world.folder / "torn.ndjson"
    source.write_bytes(b'{"ph": 7\n' + b"".join(_line(row) for row in rows(2, first=100)))
    from nodes.publishing.publish import publish

    publish(world.provider, source, DATASET)
    row = list_rows(world.provider, DATASET, 10, 0)[1][0]["id"]

    with pytest.raises(ChangesUnfit):
        change_fields(world.provider, row, {"ph": 7.0}, CLERK)
    resubmit(world.provider, row, rows(1, first=200)[0], CLERK)
    assert state(world, row) == "resubmitted"


def test_two_rows_are_not_mended_to_one_record(world: World) -> None:
    """The same record would be published twice; the second is refused and told which row has it."""
    first, second = reject(world, 2)
    resubmit(world.provider, first, mended()[0], CLERK)

    with pytest.raises(MendedTwice) as caught:
        resubmit(world.provider, second, mended()[0], CLERK)

    assert caught.value.facts["row"] == first
    withdraw(world.provider, second, CLERK, "the same reading twice")
    assert state(world, second) == "withdrawn"


def test_a_withdrawn_row_stays_withdrawn(world: World) -> None:
    """It keeps its reason; saying so twice is one withdrawal, and nothing brings it back."""
    (row,) = reject(world)
    for _ in range(2):
        withdraw(world.provider, row, CLERK, "sensor was out of the water")

    with pytest.raises(RowClosed):
        resubmit(world.provider, row, mended()[0], CLERK)
    with pytest.raises(RowClosed):
        withdraw(world.provider, row, CLERK, "another reason")
    assert show(world, row)["why"] == "sensor was out of the water"


def test_an_unknown_row_is_not_found(world: World) -> None:
    """Nothing is made up for a number that was never given."""
    reject(world)
    for act in (
        lambda: resubmit(world.provider, 99, mended()[0], CLERK),
        lambda: withdraw(world.provider, 99, CLERK, "why"),
        lambda: change_fields(world.provider, 99, {"ph": 7}, CLERK),
    ):
        with pytest.raises(NoSuchRow):
            act()


@pytest.mark.parametrize(("waited", "expected"), [(9.99, "open"), (10.0, "expired")])
def test_a_row_expires_when_it_has_waited_as_long_as_its_contract_says(
    world: World, waited: float, expected: str
) -> None:
    """The day is exact; an expired row is kept with its reasons and is closed."""
    declare_own(world, own_contract(service=waiting(10)))
    world.publish([*rows(3), {**rows(1, first=4)[0], **BAD}])
    row = list_rows(world.provider, DATASET, 10, 0)[1][0]["id"]
    world.clock.advance(timedelta(days=waited).total_seconds())

    expired = expire_due(world.provider)

    assert (expired, state(world, row)) == (int(expected == "expired"), expected)
    assert show(world, row)["record"]["ph"] == "neutral"


def test_a_mended_row_does_not_expire(world: World) -> None:
    """Whoever has done their part does not lose it to time."""
    declare_own(world, own_contract(service=waiting(1)))
    world.publish([*rows(3), {**rows(1, first=4)[0], **BAD}])
    row = list_rows(world.provider, DATASET, 10, 0)[1][0]["id"]
    resubmit(world.provider, row, mended()[0], CLERK)
    world.clock.advance(timedelta(days=30).total_seconds())

    assert expire_due(world.provider) == 0
    assert state(world, row) == "resubmitted"


def test_without_a_promise_no_row_expires(world: World) -> None:
    """A contract that says nothing of the quarantine leaves its rows to people."""
    declare_own(world, own_contract(service=None))
    world.publish([*rows(3), {**rows(1, first=4)[0], **BAD}])
    row = list_rows(world.provider, DATASET, 10, 0)[1][0]["id"]
    world.clock.advance(timedelta(days=4000).total_seconds())

    assert expire_due(world.provider) == 0
    assert state(world, row) == "open"


def test_the_standing_counts_rows_by_state(world: World) -> None:
    """What waits and since when can be read at a glance."""
    first, second, third = reject(world, 3)
    resubmit(world.provider, first, mended()[0], CLERK)
    withdraw(world.provider, second, CLERK, "twice")

    with world.provider.database.read() as session:
        (standing,) = standings(session, DATASET)

    counted = {one: standing.count(one) for one in RowState if standing.count(one)}
    assert counted == {RowState.RESUBMITTED: 1, RowState.WITHDRAWN: 1, RowState.OPEN: 1}
    assert standing.waiting == 2
    assert standing.oldest_open_at == world.clock.now()
    assert list_rows(world.provider, DATASET, 10, 0, RowState.OPEN)[1][0]["id"] == third


def test_reading_a_source_again_leaves_worked_rows_alone(world: World) -> None:
    """A second reading neither reopens a mended row nor adds it again; open rows are replaced."""
    from nodes.publishing.publish import EmptyRelease

    world.declare()
    bad = [{**row, **BAD} for row in rows(3)]
    with pytest.raises(EmptyRelease):
        world.publish(bad)
    first = list_rows(world.provider, DATASET, 10, 0)[1][0]["id"]
    resubmit(world.provider, first, rows(1)[0], CLERK)

    with pytest.raises(EmptyRelease):
        world.publish(bad)

    total, listed = list_rows(world.provider, DATASET, 10, 0)
    assert total == 3
    assert sorted(row["state"] for row in listed) == ["open", "open", "resubmitted"]


def test_a_dataset_that_is_not_declared_mends_nothing(world: World) -> None:
    """The contract to judge by is the one on record; without a record nothing is judged."""
    from nodes.quarantine.releasing import release_mended

    with pytest.raises(DatasetNotDeclared):
        release_mended(world.provider, "nobody-knows")


def _line(record: dict[str, Any]) -> bytes:
    import orjson

    return orjson.dumps(record) + b"\n"
