"""What is worked out piece by piece, to spare memory, is what it is for all rows at once."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.clock import parse_rfc3339
from contracts.promises import Series
from contracts.quality import completeness
from contracts.quality.sequence import sequence
from tests.contracts.quality.making import HOURLY, FrameRows, frame, look, rule

AT = parse_rfc3339("2026-06-09T00:00:00+08:00")
RULES = (
    rule("complete-series", minimum_percent=100),
    rule("complete-series", id="complete-x", fields=["x"], minimum_percent=90, per="hour"),
    rule("clock-shift"),
    rule("duplicate", fields=["station", "at"]),
    rule("missing", fields=["x"], maximum_percent=10),
)
TIMES = [
    *(f"2026-06-0{day}T{hour:02}:{part}" for day in (1, 2) for hour in (0, 1, 5) for part in ("00", "31"))
]

rows = st.lists(
    st.fixed_dictionaries(
        {
            "station": st.sampled_from(["a", "b", "c", None]),
            "at": st.sampled_from([*TIMES, "soon", None]),
            "x": st.none() | st.integers(0, 3).map(float),
        }
    ),
    max_size=40,
)


def made(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Make a frame of rows."""
    return frame(**{name: [row[name] for row in rows] for name in ("station", "at", "x")})


@settings(max_examples=80, deadline=None)
@given(rows=rows, piece=st.integers(1, 7), cells=st.integers(1, 50))
def test_the_report_does_not_depend_on_the_pieces(
    rows: list[dict[str, object]], piece: int, cells: int
) -> None:
    """However few rows and cells are looked at together, the report is the same, byte for byte."""
    data = made(rows)
    whole = b"".join(look(data, *RULES, at=AT).lines())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completeness, "PIECE_ROWS", piece)
        patch.setattr(completeness, "_CELLS_AT_ONCE", cells)
        assert b"".join(look(data, *RULES, at=AT).lines()) == whole


@settings(max_examples=80, deadline=None)
@given(rows=rows)
def test_rows_are_sorted_by_series_time_and_row(rows: list[dict[str, object]]) -> None:
    """Null is the first series, rows without a time come last in theirs, and equals keep their order."""
    found = sequence(FrameRows(made(rows)), Series.model_validate(HOURLY))

    def place(index: int) -> tuple[str, bool, str, int]:
        row = rows[index]
        at = str(row["at"]) if row["at"] in TIMES else ""
        return str(row["station"] or ""), not at, at, index

    order = range(len(rows)) if found.order is None else found.order.to_list()
    assert list(order) == sorted(range(len(rows)), key=place)
    assert found.at.null_count() == sum(row["at"] not in TIMES for row in rows)
