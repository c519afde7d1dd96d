"""A file is examined before anything is published, and its row numbers are the file's own."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.clock import parse_rfc3339
from nodes.quality.trying import NothingToExamine, Tried, try_file
from tests.nodes.quality.conftest import ruled
from tests.nodes.sharing import rows, write_source

AT = parse_rfc3339("2023-08-03T00:00:00+10:00")


def tried(path: Path, rule: str) -> tuple[int, list[int]]:
    """Give how many rows were rejected, and which rows a rule names."""
    seen: list[tuple[int, list[int]]] = []

    def use(result: Tried) -> None:
        named = [row for one in result.findings() if one.rule == rule for row in one.rows]
        seen.append((result.rejected, named))

    try_file(ruled(), path, use, at=AT)
    return seen[0]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["good", "salty", "bad"]), min_size=1, max_size=10))
def test_rows_are_named_as_the_file_numbers_them(
    tmp_path_factory: pytest.TempPathFactory, plan: list[str]
) -> None:
    """Rejected rows stand in no finding, and shift no number."""
    changes: dict[str, dict[str, object]] = {
        "good": {"salinity": 1},
        "salty": {"salinity": 45},
        "bad": {"ph": "neutral"},
    }
    records = [row | changes[kind] for row, kind in zip(rows(len(plan)), plan, strict=True)]
    path = write_source(tmp_path_factory.mktemp("tried") / "a.ndjson", records)
    if set(plan) == {"bad"}:
        with pytest.raises(NothingToExamine):
            tried(path, "salty")
        return

    rejected, named = tried(path, "salty")

    assert rejected == plan.count("bad")
    assert named == [at + 1 for at, kind in enumerate(plan) if kind == "salty"]


def test_progress_tells_the_rows_read(tmp_path: Path) -> None:
    """Long work says how far it is."""
    heard: list[int] = []

    try_file(ruled(), write_source(tmp_path / "a.ndjson", rows(9)), lambda _: None, progress=heard.append)

    assert heard[-1] == 9


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The accepted rows lie in a temporary file only while the report is used."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    source = write_source(tmp_path / "a.ndjson", rows(3))

    try_file(ruled(), source, lambda _: None)

    assert list((tmp_path / "temporary").iterdir()) == []
