"""Nothing that a view hides can be recovered from it: not from values, order, statistics or metadata.

The strongest proof is that two releases which differ only in what is hidden give one and the same file.
"""

from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.filtering import could_hold
from contracts.messages import (
    AggregateOnly,
    FieldFilter,
    Mask,
    MaskHash,
    MaskNull,
    MaskRound,
    Measure,
    Obligation,
    PurposeBinding,
    Redact,
    RowFilter,
    Watermark,
)
from contracts.view import shape_view
from nodes.delivering.duties.canonical import put_in_order
from nodes.delivering.duties.handler import Draft
from nodes.receiving.hidden import ViewShowsMore, check_hidden
from nodes.receiving.judged import check_rows
from nodes.sources.artifact import write_view
from tests.nodes.delivering import registers
from tests.nodes.delivering.registers import CONTRACT, PATTERN, RECIPIENT, Register, frame_of
from tests.nodes.sharing import World

VIEWS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BOUND = PurposeBinding(purpose="flood-control")


def row(**cells: Any) -> dict[str, Any]:
    empty = dict.fromkeys(registers.CELLS)
    return empty | {"area": "510104", "visits": 1} | cells


def one_zero(value: Any) -> Any:
    return value + 0.0 if isinstance(value, float) else value


@VIEWS
@given(registers.twins())
def test_releases_that_differ_in_what_is_hidden_give_one_view(
    register: Register, drawn: tuple[list[Obligation], list[dict[str, Any]], list[dict[str, Any]]]
) -> None:
    """Redacted and masked cells, rows that a filter drops and the order of rows leave no trace."""
    duties, one, other = drawn

    assert register.view(one, duties)[1] == register.view(other, duties)[1]


@VIEWS
@given(registers.rows(10), registers.figures(), st.data())
def test_figures_do_not_depend_on_order_or_on_small_groups(
    register: Register, records: list[dict[str, Any]], figures: AggregateOnly, data: st.DataObject
) -> None:
    """Sums are exact whatever the order; rows of groups that are too small could be anything."""
    keys = [tuple(0.0 if one[name] == 0 else one[name] for name in figures.by) for one in records]
    small = [one for one, key in zip(records, keys, strict=True) if keys.count(key) < figures.min_group]
    large = [one for one in records if one not in small]
    changed = [one | {"keeper": "x", "w01": 3.0} for one in small]
    shuffled = data.draw(st.permutations([*large, *changed]))

    assert register.view(records, [figures, BOUND])[1] == register.view(shuffled, [figures, BOUND])[1]


@VIEWS
@given(registers.rows(), registers.obligations())
def test_a_view_holds_the_rows_and_values_that_it_should(
    register: Register, records: list[dict[str, Any]], duties: list[Obligation]
) -> None:
    """Rows that pass the filter are all there, and a field that no obligation names is as it was."""
    shape = shape_view(CONTRACT, duties)
    kept = [one for one in records if shape.rows is None or could_hold(shape.rows, one)]

    view, _ = register.view(records, duties)

    frame = frame_of(view)
    assert view.rows == len(frame) == len(kept)
    for name in set(registers.CELLS) - shape.unseen - {"place"}:
        assert sorted(map(repr, frame[name])) == sorted(repr(one_zero(one[name])) for one in kept)
    assert not set(frame.columns) & shape.hidden


@VIEWS
@given(registers.rows(), registers.obligations())
def test_a_consumer_takes_what_the_obligations_say(
    register: Register, records: list[dict[str, Any]], duties: list[Obligation]
) -> None:
    """Both sides mean the same by each obligation: what the provider makes, the consumer accepts."""
    view, _ = register.view(records, duties)

    check_rows(view.path, CONTRACT, duties, view.rows)


@VIEWS
@given(registers.rows(), registers.obligations())
def test_a_consumer_refuses_a_view_that_shows_more(
    register: Register, records: list[dict[str, Any]], duties: list[Obligation]
) -> None:
    """The release's own rows, in the columns and the order of the view, pass only where they are the view."""
    shape = shape_view(CONTRACT, duties)
    view, _ = register.view(records, duties)
    unmasked = shape_view(CONTRACT, [item for item in duties if isinstance(item, Redact)])
    whole = pl.read_parquet(register.node.home.artifacts / register_file(register, records))
    path = register.folder / "more.parquet"
    draft = Draft(register.node, "register", 1, "", "", len(whole), unmasked, (), whole)
    put_in_order(draft)
    write_view(path, draft.frame, {})

    try:
        check_hidden(path, shape)
    except ViewShowsMore:
        return
    unseen = [item for item in duties if isinstance(item, RowFilter) and shape.filtered & shape.unseen]
    assert unseen or pl.read_parquet(path).equals(frame_of(view))


def register_file(register: Register, records: list[dict[str, Any]]) -> str:
    sha256 = register.publish(records).distribution.sha256
    return f"{sha256.removeprefix('sha256:')}.parquet"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: frame.reverse(),
        lambda frame: frame.with_columns(pl.col("visits") + 1),
        lambda frame: frame.with_columns(secret=pl.lit("x")),
        lambda frame: frame.with_columns(keeper=pl.lit("x")),
        lambda frame: frame.with_columns(w02=pl.lit(None, pl.Float64)).select(
            *[name for name in frame.columns if name < "w"], "w01", "w02"
        ),
        lambda frame: frame.with_columns(pl.col("level").cast(pl.Float32)),
        lambda frame: frame.with_columns(pl.col("level") + 0.25),
        lambda frame: frame.with_columns(pl.lit("530102").alias("area")),
        lambda frame: frame.select(frame.columns[::-1]),
    ],
    ids=["order", "finer", "stranger", "redacted", "empty", "type", "unrounded", "filtered", "columns"],
)
def test_each_way_of_showing_more_is_refused(register: Register, spoil: Any) -> None:
    """A finer value, a hidden column, an order, a type or a row that the obligations do not leave."""
    duties: list[Obligation] = [
        Redact(fields=["keeper"]),
        Mask(field="level", how=MaskRound(digits=0)),
        Mask(field="visits", how=MaskRound(digits=-1)),
        RowFilter(rows=FieldFilter(operator="startswith", field="area", value="51")),
        BOUND,
    ]
    view, _ = register.view([row(level=n / 3, visits=n * 7, w01=1.0) for n in range(9)], duties)
    shape = shape_view(CONTRACT, duties)
    path = register.folder / "spoilt.parquet"
    write_view(path, spoil(frame_of(view)), {})
    check_hidden(view.path, shape)

    with pytest.raises(ViewShowsMore):
        check_hidden(path, shape)


def test_metadata_of_other_names_is_refused(register: Register) -> None:
    """Beside the marks that consumers know, a file carries nothing."""
    duties: list[Obligation] = [Redact(fields=["keeper"]), BOUND]
    view, _ = register.view([row()], duties)
    path = register.folder / "marked.parquet"
    write_view(path, frame_of(view), {"headwaters.purpose": "flood-control", "note": "keeper: 王"})

    with pytest.raises(ViewShowsMore):
        check_hidden(path, shape_view(CONTRACT, duties))


def test_a_column_that_only_hidden_rows_filled_is_not_there(register: Register) -> None:
    """An empty column of a pattern would tell that a row which was dropped had a value in it."""
    duties: list[Obligation] = [
        RowFilter(rows=FieldFilter(operator="eq", field="area", value="510104")),
        BOUND,
    ]
    records = [row(w01=1.0), row(area="530102", w02=9.0)]

    view, raw = register.view(records, duties)

    assert [name for name in frame_of(view).columns if name.startswith("w")] == ["w01"]
    assert b"w02" not in raw


def test_a_masked_pattern_masks_every_column_that_it_admits(register: Register) -> None:
    """Emptied columns of a pattern are gone altogether, rounded ones are all rounded."""
    records = [row(w01=1.26, w02=2.74), row(w07=3.5)]

    emptied, _ = register.view(records, [Mask(field=PATTERN, how=MaskNull()), BOUND])
    rounded, _ = register.view(records, [Mask(field=PATTERN, how=MaskRound(digits=1)), BOUND])

    assert not [name for name in frame_of(emptied).columns if name.startswith("w")]
    assert frame_of(rounded).select("w01", "w02", "w07").rows() == [(None, None, 3.5), (1.3, 2.7, None)]


def test_a_hash_is_of_one_dataset_field_and_recipient(register: Register) -> None:
    """The same value has one hash within a feed and a recipient, and nowhere else."""
    records = [row(keeper="王", seen="王"), row(keeper="李", seen="李", visits=2)]

    def hashes(recipient: str, dataset: str | None = None) -> pl.DataFrame:
        how = MaskHash(recipient=recipient)
        duties: list[Obligation] = [Mask(field="keeper", how=how), Mask(field="seen", how=how), BOUND]
        register.manifest = register.manifest.model_copy(
            update={"dataset": dataset or register.manifest.dataset}
        )
        return frame_of(register.view(records, duties)[0]).sort("visits")

    one, other = hashes(RECIPIENT), hashes("p-333333333333")

    assert one["keeper"][0] not in {*one["seen"], *other["keeper"], "王"}
    assert hashes(RECIPIENT)["keeper"].to_list() == one["keeper"].to_list()
    assert register.node.home.mask_key.stat().st_mode & 0o777 == 0o600


def test_a_sum_of_one_value_is_not_given(register: Register) -> None:
    """A large group in which one row has the value gives no figure of it, nor its count."""
    records = [row(level=None) for _ in range(9)] + [row(level=7.25, visits=3)]
    measures = [
        Measure(field="level", function="sum"),
        Measure(field="level", function="mean"),
        Measure(field="level", function="count"),
        Measure(field="visits", function="sum"),
    ]

    view, _ = register.view(records, [AggregateOnly(by=["area"], measures=measures, min_group=2), BOUND])

    assert frame_of(view).rows() == [("510104", None, None, None, 12.0)]


def test_a_group_below_the_least_size_is_left_out(register: Register) -> None:
    """Neither its key nor its number of rows is told; the number between filter and figures is not either."""
    records = [row() for _ in range(3)] + [row(area="530102")]
    duties: list[Obligation] = [
        RowFilter(rows=FieldFilter(operator="gte", field="visits", value=0)),
        AggregateOnly(by=["area"], measures=[Measure(field="visits", function="count")], min_group=3),
        BOUND,
    ]

    view, raw = register.view(records, duties)

    assert frame_of(view).rows() == [("510104", 3)]
    assert b"530102" not in raw
    assert [(one.kind, one.rows_in, one.rows_out) for one in view.evidence] == [
        ("row-filter", 4, None),
        ("aggregate-only", None, 1),
    ]


def test_a_watermark_alone_changes_the_order_and_nothing_else(register: Register) -> None:
    """A marked file is written anew, so it too stands in canonical order; the values are the release's."""
    records = [row(visits=n, level=float(n % 3)) for n in range(9, 0, -1)]

    view, _ = register.view(records, [Watermark(recipient=RECIPIENT), BOUND])

    frame = frame_of(view)
    assert sorted(frame["visits"]) == sorted(one["visits"] for one in records)
    assert frame.equals(frame.sort(frame.columns))
    check_hidden(view.path, shape_view(CONTRACT, [Watermark(recipient=RECIPIENT), BOUND]))


def test_two_recipients_never_share_a_view(register: Register, world: World) -> None:
    """A view is kept under obligations that name the recipient, so one's hashes never reach another."""
    manifest = register.publish([row(keeper="王")])
    made = []
    for recipient in (RECIPIENT, world.consumer.participant):
        duties: list[Obligation] = [Mask(field="keeper", how=MaskHash(recipient=recipient)), BOUND]
        made.append(register.view([row(keeper="王")], duties)[0].path)

    assert made[0] != made[1]
    assert manifest.counts.published == 1
