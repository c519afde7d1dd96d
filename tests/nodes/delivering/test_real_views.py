"""Views of real data: half a city's air and a province's register, as the demonstration would send them."""

from pathlib import Path

import polars as pl
import pytest

from contracts.messages import (
    AggregateOnly,
    FieldFilter,
    Mask,
    MaskGeneralise,
    MaskHash,
    MaskRound,
    Measure,
    Obligation,
    PurposeBinding,
    Redact,
    RowFilter,
)
from nodes.publishing.artifacts import keep_file
from nodes.receiving.judged import check_rows
from nodes.sources.source import Source, open_source
from tests.nodes.delivering.registers import RECIPIENT, Register, frame_of
from tests.nodes.sources.taking import take_in

DATA = Path(__file__).parents[3].parent / "shared" / "data"
BOUND = PurposeBinding(purpose="flood-control")

pytestmark = [
    pytest.mark.skipif(
        not (DATA / "SOURCES.md").exists(),
        reason="the sample data is not beside the project (../shared/data)",
    ),
    pytest.mark.xdist_group("real-files"),
]


def made(
    register: Register, name: str, duties: list[Obligation]
) -> tuple[Source, pl.DataFrame, pl.DataFrame]:
    """Take a real file in and make its view; give the source, the release and the view."""
    from audit.log.grant_entry import obligations_digest
    from nodes.delivering.views import make_view

    source = open_source(DATA / name)
    draft = register.folder / "real.parquet"
    intake = take_in(source, draft)
    content, path = keep_file(draft, register.node.home.artifacts)
    changes = {"sha256": content.sha256, "chunk_root": content.chunk_root, "size_bytes": content.size_bytes}
    manifest = register.manifest.model_copy(
        update={
            "distribution": register.manifest.distribution.model_copy(update=changes),
            "counts": intake.counts,
        }
    )
    view = make_view(register.node, manifest, source.contract, duties, obligations_digest(duties))
    check_rows(view.path, source.contract, duties, view.rows)
    return source, pl.read_parquet(path), frame_of(view)


def test_a_masked_and_filtered_view_of_a_buoy(register: Register) -> None:
    """Against the release's own columns: the filter's rows, whole days, tenths, one hash for each value."""
    duties: list[Obligation] = [
        Redact(fields=["salinity"]),
        Mask(field="local_time", how=MaskGeneralise(to="day")),
        Mask(field="ph", how=MaskRound(digits=1)),
        Mask(field="turbidity", how=MaskHash(recipient=RECIPIENT)),
        RowFilter(rows=FieldFilter(operator="gte", field="temperature", value=20)),
        BOUND,
    ]

    _, release, view = made(register, "water_brisbane_river_2023_2024.csv.gz", duties)

    warm = release.filter(pl.col("temperature") >= 20)
    assert 0 < len(view) == len(warm) < len(release)
    assert sorted(view["local_time"]) == sorted(time[:10] + "T00:00" for time in warm["local_time"])
    assert view["ph"].drop_nulls().sort().to_list() == sorted(
        round(value, 1) for value in warm["ph"].drop_nulls()
    )
    assert view["turbidity"].n_unique() == warm["turbidity"].n_unique()
    assert "salinity" not in view.columns


def test_figures_of_a_plant(register: Register) -> None:
    """Monthly figures would need a month; by date every group has one row, and nothing leaves."""
    duties: list[Obligation] = [
        AggregateOnly(by=["date"], measures=[Measure(field="inlet_flow", function="mean")], min_group=2),
        BOUND,
    ]

    _, release, view = made(register, "wwtp_daily_1990_1991.csv", duties)

    assert len(release) > 500
    assert len(view) == 0


def test_figures_of_the_winds(register: Register) -> None:
    """Means by wind direction agree with those that are worked out from the release."""
    duties: list[Obligation] = [
        AggregateOnly(
            by=["wind_direction"],
            measures=[Measure(field="pm2_5", function="mean"), Measure(field="pm2_5", function="count")],
            min_group=100,
        ),
        BOUND,
    ]

    _, release, view = made(register, "air_beijing_prsa/Gucheng.csv.gz", duties)

    expected = (
        release.group_by("wind_direction")
        .agg(pl.len(), mean=pl.col("pm2_5").mean(), count=pl.col("pm2_5").count())
        .filter(pl.col("len") >= 100)
        .sort("wind_direction")
    )
    assert view["wind_direction"].to_list() == expected["wind_direction"].to_list()
    assert view["pm2_5_count"].to_list() == expected["count"].to_list()
    assert view["pm2_5_mean"].to_list() == pytest.approx(expected["mean"].to_list())
