"""Views from the provider's handlers to the consumer's inbox, and a provider that shows more than it may."""

from collections.abc import Callable

import polars as pl
import pytest
from sqlmodel import select

from contracts.messages import (
    AggregateOnly,
    Discharged,
    Expiry,
    FieldFilter,
    Mask,
    MaskGeneralise,
    MaskHash,
    MaskHow,
    MaskNull,
    MaskRound,
    MaskTruncate,
    Measure,
    Obligation,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Watermark,
)
from nodes.delivering.duties import registry
from nodes.delivering.duties.canonical import put_in_order
from nodes.delivering.duties.handler import Draft
from nodes.receiving.hidden import ViewShowsMore
from nodes.receiving.judged import ReceiptUnfit
from nodes.receiving.pull import Pulled, PullOptions, pull
from nodes.sharing_tables import OutboxRow, ReceivedRow
from tests.nodes.flows.test_aborting import aborts
from tests.nodes.sharing import DATASET, World

FEW = RowFilter(rows=FieldFilter(operator="lte", field="record_number", value=10))


def pulled(world: World, *duties: Obligation) -> Pulled:
    world.ready()
    world.exchange.obligations = lambda terms: [*duties, PurposeBinding(purpose=terms.purpose)]
    return pull(world.consumer, DATASET, PullOptions(connect=world.direct))


def nothing_kept(world: World) -> None:
    """No file, no receipt, no row, and the log says that the consumer gave up and why."""
    folder = world.consumer.home.inbox / DATASET
    assert list(folder.rglob("[0-9]*.parquet")) == []
    with world.consumer.database.read() as session:
        assert session.exec(select(ReceivedRow)).all() == []
        assert session.exec(select(OutboxRow)).all() == []


@pytest.mark.parametrize(
    ("field", "how", "seen"),
    [
        ("ph", MaskNull(), {None}),
        ("ph", MaskRound(digits=0), {7.0, 8.0}),
        ("local_time", MaskTruncate(characters=4), {"2023"}),
        ("local_time", MaskGeneralise(to="month"), {"2023-08-01T00:00"}),
        ("record_number", MaskRound(digits=-2), {0}),
    ],
)
def test_a_masked_field_arrives_masked(world: World, field: str, how: MaskHow, seen: set[object]) -> None:
    """The consumer takes what the mask leaves; the other fields are as published."""
    (file,) = pulled(world, Mask(field=field, how=how)).files

    frame = pl.read_parquet(file.path)
    assert set(frame[field]) == seen
    assert (len(frame), file.rows) == (40, 40)


def test_a_hashed_field_arrives_as_text(world: World) -> None:
    """A number becomes text of 32 hex digits, one for each value."""
    how = MaskHash(recipient=world.consumer.participant)

    (file,) = pulled(world, Mask(field="ph", how=how)).files

    hashes = pl.read_parquet(file.path)["ph"]
    assert hashes.str.contains("^[0-9a-f]{32}$").all()
    assert hashes.n_unique() == 10


def test_filtered_rows_and_figures_arrive(world: World) -> None:
    """A filter and figures together: the rows below the least group are nowhere."""
    world.ready()
    figures = AggregateOnly(
        by=["water_direction"],
        measures=[Measure(field="ph", function="mean"), Measure(field="ph", function="count")],
        min_group=5,
    )
    world.exchange.obligations = lambda terms: [FEW, figures, PurposeBinding(purpose=terms.purpose)]

    (file,) = pull(world.consumer, DATASET, PullOptions(connect=world.direct)).files

    frame = pl.read_parquet(file.path)
    assert frame.columns == ["water_direction", "ph_mean", "ph_count"]
    assert (frame["ph_count"][0], frame["ph_mean"][0]) == (10, pytest.approx(7.45))


def test_a_view_without_a_row_arrives(world: World) -> None:
    """A filter may leave nothing; that too is an answer, with its receipt."""
    none = RowFilter(rows=FieldFilter(operator="lt", field="record_number", value=0))

    (file,) = pulled(world, none, Redact(fields=["ph"])).files

    assert (file.rows, len(pl.read_parquet(file.path))) == (0, 0)


def test_every_kind_of_obligation_at_once(world: World) -> None:
    """All that is not an aggregate holds together, and both receipts carry the evidence."""
    world.ready()
    duties: list[Obligation] = [
        Redact(fields=["salinity"]),
        Mask(field="ph", how=MaskRound(digits=0)),
        FEW,
        Quota(unit="releases", limit=1, window_seconds=60),
        Rate(fetches=5, window_seconds=60),
        Watermark(recipient=world.consumer.participant),
        PurposeBinding(purpose="flood-control"),
        Expiry(days=30),
    ]
    world.exchange.obligations = lambda _terms: duties

    (file,) = pull(world.consumer, DATASET, PullOptions(connect=world.direct)).files

    assert (file.rows, file.redacted) == (10, ("salinity",))
    assert pl.read_parquet_metadata(file.path)["headwaters.delete-after-days"] == "30"


@pytest.mark.parametrize(
    "duty",
    [
        Mask(field="ph", how=MaskRound(digits=0)),
        Mask(field="ph", how=MaskNull()),
        Mask(field="local_time", how=MaskGeneralise(to="day")),
        Mask(field="ph", how=MaskHash(recipient="p-222222222222")),
    ],
    ids=lambda duty: duty.how.method,
)
def test_a_provider_that_does_not_mask_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, duty: Mask
) -> None:
    """Whatever its receipt says, the consumer looks for itself, keeps nothing and gives the grant up."""
    monkeypatch.setitem(
        registry.SHAPES, Mask, lambda _draft, asked: Discharged(kind="mask", columns=[asked.field])
    )
    monkeypatch.setattr("nodes.delivering.checks.check_recipients", lambda *_: None)

    with pytest.raises(ViewShowsMore):
        pulled(world, duty)
    nothing_kept(world)
    assert aborts(world) == [(world.consumer.participant, "view-shows-more")]


@pytest.mark.parametrize(
    "spoil",
    [lambda frame: frame.with_columns(secret=pl.lit("x")), lambda frame: frame.reverse()],
    ids=["stranger", "order"],
)
def test_a_telling_column_or_order_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    """A view has the columns that the obligations leave, in an order that its visible values explain."""

    def lying(draft: Draft) -> None:
        put_in_order(draft)
        draft.frame = spoil(draft.frame)

    monkeypatch.setattr(registry, "put_in_order", lying)

    with pytest.raises(ViewShowsMore):
        pulled(world, Redact(fields=["salinity"]))
    nothing_kept(world)


@pytest.mark.parametrize(
    "spoil",
    [
        {"headwaters.watermark": "ab" * 32},
        {"headwaters.purpose": "x-1-chongqing-plant-7"},
        {"headwaters.delete-after-days": "30"},
    ],
    ids=["watermark", "purpose", "days"],
)
def test_marks_that_nothing_vouches_for_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, spoil: dict[str, str]
) -> None:
    """A mark may be another recipient's, or say what is hidden: each is held against grant and receipt."""
    honest = registry.MARKS[PurposeBinding]

    def lying(draft: Draft, duty: PurposeBinding) -> None:
        honest(draft, duty)
        draft.marks.update(spoil)

    monkeypatch.setitem(registry.MARKS, PurposeBinding, lying)

    with pytest.raises(ViewShowsMore):
        pulled(world, Watermark(recipient=world.consumer.participant))
    nothing_kept(world)


def test_rows_that_the_filter_leaves_out_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that sends more rows than it says is caught by the count, or by the filter itself."""
    honest = registry.SHAPES[RowFilter]

    def lying(draft: Draft, duty: RowFilter) -> object:
        before = draft.frame
        said = honest(draft, duty)
        draft.frame = before
        return said.model_copy(update={"rows_out": len(before)})

    monkeypatch.setitem(registry.SHAPES, RowFilter, lying)

    with pytest.raises(ViewShowsMore):
        pulled(world, FEW)
    nothing_kept(world)


def test_a_receipt_without_evidence_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The consumer takes no data under a receipt that leaves an obligation out."""
    monkeypatch.setattr("nodes.delivering.deliver.discharge", lambda _delivery: [])

    with pytest.raises(ReceiptUnfit):
        pulled(world, FEW)
    nothing_kept(world)
