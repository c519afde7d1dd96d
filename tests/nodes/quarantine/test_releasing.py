"""Mended rows are published once, as a release of their own, whatever breaks off in between."""

from collections.abc import Callable

import polars as pl
import pytest

from contracts.errors import HeadwatersError
from nodes.broker import ExchangeSilent
from nodes.exclusive import Busy
from nodes.publishing.artifacts import artifact_path
from nodes.publishing.publish import own_releases
from nodes.quarantine import releasing
from nodes.quarantine.mending import resubmit, withdraw
from nodes.quarantine.model import NothingResubmitted
from nodes.quarantine.releasing import release_mended
from tests.nodes.quarantine.rejecting import (
    CLERK,
    declare_own,
    mended,
    own_contract,
    reject,
    show,
    state,
)
from tests.nodes.sharing import DATASET, World


def test_mended_rows_become_the_next_release(world: World) -> None:
    """Exactly the mended records are in it; the manifest says that they come from the quarantine."""
    ids = reject(world, 3)
    for row, record in zip(ids[:2], mended(2), strict=True):
        resubmit(world.provider, row, record, CLERK)

    done = release_mended(world.provider, DATASET)

    manifest = done.manifest.statement
    assert (manifest.number, manifest.resubmitted, manifest.counts.published) == (2, 2, 2)
    frame = pl.read_parquet(artifact_path(world.provider, manifest.distribution.sha256))
    assert frame["record_number"].to_list() == [4, 5]
    assert [state(world, row) for row in ids] == ["accepted", "accepted", "open"]
    assert show(world, ids[0])["release"] == 2


def test_an_accepted_row_is_closed(world: World) -> None:
    """What was published is corrected by a release, not in the quarantine; the same offer is answered."""
    (row,) = reject(world)
    resubmit(world.provider, row, mended()[0], CLERK)
    release_mended(world.provider, DATASET)

    assert resubmit(world.provider, row, mended()[0], CLERK).repeated
    for act in (
        lambda: resubmit(world.provider, row, {**mended()[0], "ph": 7.9}, CLERK),
        lambda: withdraw(world.provider, row, CLERK, "why"),
    ):
        with pytest.raises(HeadwatersError) as caught:
            act()
        assert caught.value.code == "row-closed"


def test_without_a_mended_row_there_is_no_release(world: World) -> None:
    """Open rows are not published by asking."""
    reject(world)

    with pytest.raises(NothingResubmitted):
        release_mended(world.provider, DATASET)
    assert len(own_releases(world.provider, DATASET)) == 1


def test_a_row_that_a_newer_contract_rejects_opens_again(world: World) -> None:
    """Rows are judged by the contract on record when they are released, and told its reasons."""
    (row,) = reject(world)
    resubmit(world.provider, row, {**mended()[0], "turbidity": 5000}, CLERK)
    strict = own_contract()
    strict.record["properties"]["turbidity"]["maximum"] = 100  # type: ignore[index,call-overload]
    declare_own(world, strict)

    with pytest.raises(NothingResubmitted):
        release_mended(world.provider, DATASET)

    shown = show(world, row)
    assert (shown["state"], shown["reasons"][0]["pointer"]) == ("open", "/turbidity")
    assert shown["record"]["turbidity"] == 5000


def _silent(world: World, monkeypatch: pytest.MonkeyPatch, *, arrives: bool) -> None:
    send = world.provider.broker.publish_release

    def lose(dataset: str, manifest: str) -> None:
        if arrives:
            send(dataset, manifest)
        raise ExchangeSilent("the answer was lost")

    monkeypatch.setattr(world.provider.broker, "publish_release", lose)


@pytest.mark.parametrize("arrives", [True, False])
def test_a_lost_answer_leads_to_one_release(world: World, arrives: bool) -> None:
    """Whether or not the exchange had it, the same bytes are sent again and the rows accepted once."""
    first, second = reject(world, 2)
    resubmit(world.provider, first, mended()[0], CLERK)
    with pytest.MonkeyPatch.context() as patch:
        _silent(world, patch, arrives=arrives)
        with pytest.raises(ExchangeSilent):
            release_mended(world.provider, DATASET)
    resubmit(world.provider, second, mended(2)[1], CLERK)

    done = release_mended(world.provider, DATASET)

    assert [one.counts.published for one in own_releases(world.provider, DATASET)] == [3, 1, 1]
    assert done.manifest.statement.number == 3
    assert [show(world, row)["release"] for row in (first, second)] == [2, 3]


def test_a_row_of_a_release_under_way_cannot_change(world: World) -> None:
    """Between signing and logging, neither a new record nor a withdrawal gets in."""
    (row,) = reject(world)
    resubmit(world.provider, row, mended()[0], CLERK)
    with pytest.MonkeyPatch.context() as patch:
        _silent(world, patch, arrives=False)
        with pytest.raises(ExchangeSilent):
            release_mended(world.provider, DATASET)

    with pytest.raises(Busy):
        withdraw(world.provider, row, CLERK, "why")
    with pytest.raises(Busy):
        resubmit(world.provider, row, {**mended()[0], "ph": 7.9}, CLERK)


Crash = Callable[[pytest.MonkeyPatch], None]


def _at_marking(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(releasing, "_mark", _die)


def _at_publishing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(releasing, "publish", _die)


def _after_publishing(patch: pytest.MonkeyPatch) -> None:
    settle = releasing.settle_batches
    calls: list[int] = []

    def second_dies(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        settle(*arguments)  # type: ignore[arg-type]

    patch.setattr(releasing, "settle_batches", second_dies)


def _die(*_arguments: object, **_options: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("crash", [_at_marking, _at_publishing, _after_publishing])
def test_a_crash_loses_no_row_and_publishes_none_twice(world: World, crash: Crash) -> None:
    """Wherever the process dies, asking again ends with each mended row in one release."""
    (row,) = reject(world)
    resubmit(world.provider, row, mended()[0], CLERK)
    with pytest.MonkeyPatch.context() as patch:
        crash(patch)
        with pytest.raises(KeyboardInterrupt):
            release_mended(world.provider, DATASET)

    try:
        release_mended(world.provider, DATASET)
    except NothingResubmitted:
        assert crash is _after_publishing

    assert [one.counts.published for one in own_releases(world.provider, DATASET)] == [3, 1]
    assert (state(world, row), show(world, row)["release"]) == ("accepted", 2)
