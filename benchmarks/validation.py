"""C1, C2, C3 and C5: what it costs to judge a row and to say why it is refused, and whether all ways agree.

The engines judge the same rows (``tests/contracts/workload.py``: 19 fields, three conditions, one row in
a hundred broken) in one process, each compiled once, and are counted in CPU-seconds. ``contract check`` is
run as a person runs it, so its figures hold the look through the file and the report of each fault.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import orjson
import polars as pl
from jsonschema import Draft202012Validator as SecondJudge  # type: ignore[import-untyped]  # ships no types

from benchmarks.figures import Figure, Limit
from contracts.columns import ColumnJudge
from contracts.schema import compile_schema
from contracts.validation import RowValidator
from nodes.sources.check import check_file
from tests.contracts.workload import rows, workload_contract

ROWS = int(os.environ.get("HEADWATERS_BENCH_ROWS", "1000000"))
SLICE = 100_000
SLOW_ROWS = 4_000
COLUMN_DEFECTS = range(3, 12)
# A small process in between: a child's peak begins with what its parent held when it was made.
_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
TYPES = {"value": pl.Float64(), "sampler": pl.String(), "note": pl.String()}


def run(folder: Path) -> list[Figure]:
    """Write the files, then measure speed, agreement and memory."""
    files = _write(folder)
    return [*_records(files["ndjson"]), *_columns(files["parquet"]), *_agreement(), *_memory(folder, files)]


def _write(folder: Path) -> dict[str, Path]:
    """Write the rows as NDJSON, and those that columns can hold as Parquet and CSV."""
    files = {form: folder / f"rows.{form}" for form in ("ndjson", "parquet", "csv")}
    with files["ndjson"].open("wb") as file:
        file.writelines(orjson.dumps(row) + b"\n" for row in rows(ROWS))
    held = rows(ROWS, kinds=COLUMN_DEFECTS)
    parts = []
    while some := list(islice(held, SLICE)):
        parts.append(pl.DataFrame(some, schema_overrides=TYPES, infer_schema_length=None))
    frame = pl.concat(parts)
    frame.write_parquet(files["parquet"])
    frame.with_columns(pl.col("location").struct.json_encode()).write_csv(files["csv"])
    return files


def _cpu(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began


def _records(path: Path) -> list[Figure]:
    """Compare engines on lines of JSON, parsing included."""
    contract = workload_contract()
    engine, second = compile_schema(contract.record), SecondJudge(contract.record)
    with path.open("rb") as file:
        lines = list(islice(file, SLICE))

    def bare() -> None:
        for line in lines:
            row = orjson.loads(line)
            if not engine.is_valid(row):
                list(engine.iter_errors(row))

    def slow() -> None:
        for line in lines[:SLOW_ROWS]:
            row = orjson.loads(line)
            if not second.is_valid(row):
                list(second.iter_errors(row))

    part = path.with_suffix(".part")
    part.write_bytes(b"".join(lines))
    ours = len(lines) / min(_cpu(lambda: _check(part)) for _ in range(3))
    plain = len(lines) / min(_cpu(bare) for _ in range(3))
    jsonschemas = SLOW_ROWS / min(_cpu(slow) for _ in range(3))
    return [
        Figure(
            "C1",
            "NDJSON rows judged with every reason",
            ours,
            "/CPU-s",
            Limit("/CPU-s, jsonschema", jsonschemas),
            bar="25x",
            aim="40x",
        ),
        Figure(
            "C1",
            "the same, beside the bare row engine",
            ours,
            "/CPU-s",
            Limit("/CPU-s, jsonschema-rs", plain),
        ),
    ]


def _check(path: Path) -> int:
    with check_file(workload_contract(), path) as check:
        return sum(1 for _ in check.fault_lines())


def _columns(path: Path) -> list[Figure]:
    """Compare with Polars alone: the masks, without a word on why."""
    judge = ColumnJudge(workload_contract())

    def masks() -> None:
        lazy = pl.scan_parquet(path)
        for start in range(0, ROWS, SLICE):
            judge.doubtful(lazy.slice(start, SLICE).collect())

    ours = ROWS / min(_cpu(lambda: _check(path)) for _ in range(2))
    alone = ROWS / min(_cpu(masks) for _ in range(2))
    return [
        Figure(
            "C2",
            "Parquet rows judged with every reason",
            ours,
            "/CPU-s",
            Limit("/CPU-s, Polars without reasons", alone),
            bar="250,000",
            aim="450,000",
        )
    ]


def _agreement() -> list[Figure]:
    """Judge every row both ways, and count where the verdicts differ."""
    contract = workload_contract()
    validator, columns = RowValidator(contract), ColumnJudge(contract)
    made, differing = rows(ROWS, seed=5, broken=0.1, kinds=COLUMN_DEFECTS), 0
    while some := list(islice(made, SLICE)):
        frame = pl.DataFrame(some, schema_overrides=TYPES, infer_schema_length=None)
        differing += len(set(validator.doubtful_records(some)) ^ set(columns.doubtful(frame)))
    return [Figure("C3", f"verdicts that differ, {ROWS:,} rows", differing, "rows", bar="0", aim="0")]


def _memory(folder: Path, files: dict[str, Path]) -> list[Figure]:
    """Run ``contract check`` as a person does, and ask the system for its peak memory."""
    contract = folder / "contract.json"
    contract.write_bytes(workload_contract().canonical())
    command = [sys.executable, "-m", "exchange.cli", "contract", "check", str(contract), "--json", "--data"]
    figures = []
    for form, path in files.items():
        asked = subprocess.run(
            [sys.executable, "-c", _PEAK, *command, str(path)], check=True, capture_output=True, text=True
        )
        peak = int(asked.stdout) / 1024
        what = f"peak memory of a check, {ROWS:,} rows of {form}"
        figures.append(Figure("C5", what, peak, "MB", bar="200 MB", aim="100 MB"))
    return figures
