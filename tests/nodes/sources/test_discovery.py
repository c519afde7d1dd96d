"""A folder is looked through: each file once, and a reason for each one left out."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from nodes.sources.discovery import discover

Put = Callable[..., Path]


def test_each_file_comes_once_and_the_rest_has_reasons(
    put: Put, texts: dict[str, str], tmp_path: Path
) -> None:
    """Known files come in path order; copies, strangers, broken files and links are left out with reasons."""
    put(texts["turbine"], "stack/2012.csv")
    put(texts["turbine"].replace("1018.7", "1018.8"), "stack/2011.csv.gz")
    put(texts["prsa"], "air/dongsi.csv")
    put(texts["prsa"], "air/dongsi-copy.csv.gz")
    put("a,b\n1,2\n", "codes.csv")
    put(b"", "empty.csv")
    put("# Read me\n", "README.md")
    (tmp_path / "link.csv").symlink_to(tmp_path / "codes.csv")

    found = discover(tmp_path)

    assert [(f.path.name, f.dataset) for f in found.files] == [
        ("dongsi-copy.csv.gz", "air-dongsi"),
        ("2011.csv.gz", "stack-gas-turbine"),
        ("2012.csv", "stack-gas-turbine"),
    ]  # fmt: skip
    assert {s.path.name: s.code for s in found.skipped} == {
        "dongsi.csv": "repeated", "codes.csv": "unknown-columns", "empty.csv": "empty-file",
        "README.md": "unknown-columns", "link.csv": "not-a-file",
    }  # fmt: skip
    assert all(s.reason.zh and s.reason.en for s in found.skipped)


def test_a_collection_is_left_out_when_its_stations_are_there(
    put: Put, texts: dict[str, str], tmp_path: Path
) -> None:
    """A collection is left out when each station has a file of its own; otherwise it takes their place."""
    put(texts["prsa"], "dongsi.csv")
    both = pl.concat(
        pl.read_csv(texts["prsa"].replace("Dongsi", name).encode(), null_values=["NA", " "])
        for name in ("Dongsi", "Tiantan")
    )
    both.write_parquet(tmp_path / "all.parquet")

    assert [f.dataset for f in discover(tmp_path).files] == ["air-beijing-stations"]
    put(texts["prsa"].replace("Dongsi", "Tiantan"), "tiantan.csv")
    found = discover(tmp_path)
    assert [f.dataset for f in found.files] == ["air-dongsi", "air-tiantan"]
    assert [s.code for s in found.skipped] == ["covered"]
