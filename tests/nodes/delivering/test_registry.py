"""The registry of duties: every kind has its one handler, and where one fails no byte leaves."""

from typing import Any, get_args

import polars as pl
import pytest
from polars.exceptions import ComputeError
from sqlmodel import select

from contracts.messages import (
    Discharged,
    Expiry,
    FieldFilter,
    Mask,
    MaskHash,
    MaskRound,
    Obligation,
    ObligationKind,
    PurposeBinding,
    Quota,
    Receipt,
    Redact,
    RowFilter,
    Watermark,
)
from nodes.delivering.deliver import find_delivery
from nodes.delivering.duties import registry
from nodes.delivering.duties.handler import Draft
from nodes.delivering.duties.watermarks import digest_of
from nodes.sharing_tables import DeliveryRow, OutboxRow, UseRow, ViewRow
from nodes.signed import peek_statement
from tests.nodes.delivering.presented import refused
from tests.nodes.flows.test_aborting import aborts
from tests.nodes.sharing import World


def duties(world: World, *others: Obligation) -> str:
    """Let the exchange grant under these obligations; give the subscription."""
    subscription = world.ready()
    world.exchange.obligations = lambda terms: [*others, PurposeBinding(purpose=terms.purpose)]
    return subscription


def nothing_left(world: World, code: str) -> None:
    """The refusal used nothing up, left no file behind, and ended the grant in the log."""
    with world.provider.database.read() as session:
        for table in (DeliveryRow, OutboxRow, UseRow, ViewRow):
            assert session.exec(select(table)).all() == []
    assert list(world.provider.home.views.glob("*.parquet")) == []
    assert list(world.provider.home.views.glob(".draft-*")) == []
    assert aborts(world) == [(world.provider.participant, code)]


def test_every_kind_of_obligation_has_one_handler() -> None:
    """Each kind of the vocabulary is met on the view or on the delivery, never on both or on neither."""
    kinds = [kind.model_fields["kind"].default for kind in (*registry.SHAPES, *registry.KEEPS)]

    assert sorted(kinds) == sorted(get_args(ObligationKind))


def test_a_kind_without_a_handler_is_a_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this node cannot do it does not do halfway, and the alliance's log says why nothing came."""
    monkeypatch.delitem(registry.SHAPES, Mask)
    subscription = duties(world, Mask(field="ph", how=MaskRound(digits=0)))

    refused(world, world.present(world.granted(subscription)), "obligation-unknown")
    nothing_left(world, "obligation-unknown")


@pytest.mark.parametrize(
    "failure",
    [
        ValueError("x"),
        ZeroDivisionError(),
        ComputeError("x"),
        OSError("disk full"),
        MemoryError(),
        KeyError("x"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_handler_that_fails_is_a_refusal(
    world: World, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """However a handler fails, nothing leaves and no receipt is signed."""

    def fail(_draft: Draft, _duty: Mask) -> Discharged:
        raise failure

    monkeypatch.setitem(registry.SHAPES, Mask, fail)
    subscription = duties(world, Mask(field="ph", how=MaskRound(digits=0)))

    refused(world, world.present(world.granted(subscription)), "duty-failed")
    nothing_left(world, "duty-failed")


def test_a_handler_that_gives_no_evidence_is_a_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence of another kind stands for nothing, and what was counted by then is taken back."""

    def other(_delivery: Any, _duty: Expiry) -> Discharged:
        return Discharged(kind="quota", used=1)

    monkeypatch.setitem(registry.KEEPS, Expiry, other)
    subscription = duties(world, Quota(unit="rows", limit=100, window_seconds=60), Expiry(days=3))

    refused(world, world.present(world.granted(subscription)), "duty-failed")
    nothing_left(world, "duty-failed")


def test_a_mark_of_another_name_is_a_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler writes into the file's metadata only what consumers know."""

    def mark(draft: Draft, _duty: PurposeBinding) -> None:
        draft.marks["rows-dropped"] = "17"

    monkeypatch.setitem(registry.MARKS, PurposeBinding, mark)
    subscription = duties(world, Redact(fields=["ph"]))

    refused(world, world.present(world.granted(subscription)), "duty-failed")
    nothing_left(world, "duty-failed")


@pytest.mark.parametrize(
    "unfit",
    [
        Mask(field="ph", how=MaskHash()),
        Mask(field="local_time", how=MaskRound(digits=0)),
        RowFilter(rows=FieldFilter(operator="eq", field="ph", value="7")),
        Watermark(),
    ],
    ids=["no recipient", "type", "value", "no mark"],
)
def test_an_obligation_that_does_not_fit_ends_the_grant(world: World, unfit: Obligation) -> None:
    """A mask of another type, a comparison across types, a hash for nobody: refused, and said in the log."""
    subscription = duties(world, unfit)

    answer = world.present(world.granted(subscription))

    assert answer.status_code in {403, 409, 422}, answer.text
    nothing_left(world, answer.json()["code"])


def test_the_receipt_has_the_evidence_of_every_obligation_in_order(world: World) -> None:
    """Made on the view or counted for the delivery, each obligation has its one item."""
    others: list[Obligation] = [
        Redact(fields=["salinity"]),
        Mask(field="ph", how=MaskRound(digits=0)),
        RowFilter(rows=FieldFilter(operator="lte", field="record_number", value=10)),
        Quota(unit="rows", limit=100, window_seconds=60),
        Watermark(recipient=world.consumer.participant),
    ]
    logged = world.granted(duties(world, *others))

    receipt = peek_statement(world.present(logged).json()["receipt"], Receipt).statement

    assert [one.kind for one in receipt.discharged] == [one.kind for one in others] + ["purpose-binding"]
    filtered, quota, mark = receipt.discharged[2:5]
    assert (filtered.columns, filtered.rows_in, filtered.rows_out) == (["record_number"], 40, 10)
    assert (quota.used, receipt.view_rows) == (10, 10)
    metadata = pl.read_parquet_metadata(
        world.provider.home.views / f"{receipt.view_sha256.removeprefix('sha256:')}.parquet"
    )
    assert digest_of(metadata["headwaters.watermark"]) == mark.token
    assert metadata["headwaters.purpose"] == find_grant_purpose(world, receipt.grant)


def find_grant_purpose(world: World, grant: str) -> object:
    return pl.Series([find_delivery(world.provider, grant).grant]).str.json_path_match("$.purpose")[0]


def test_a_view_that_was_made_before_keeps_its_evidence(world: World) -> None:
    """The second grant under the same obligations moves the same bytes with the same words."""
    subscription = duties(world, Mask(field="ph", how=MaskRound(digits=0)))
    first = peek_statement(world.present(world.granted(subscription)).json()["receipt"], Receipt).statement
    world.exchange.transfers.clear()

    again = peek_statement(world.present(world.granted(subscription)).json()["receipt"], Receipt).statement

    assert first.grant != again.grant
    assert (again.discharged, again.view_sha256) == (first.discharged, first.view_sha256)
    with world.provider.database.read() as session:
        assert len(session.exec(select(ViewRow)).all()) == 1
