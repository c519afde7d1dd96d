"""C1, C2, C3 and C5: what it costs to judge a row and to say why it is refused, and whether all ways agree.

The engines judge the same rows (``tests/contracts/workload.py``: 19 fields, three conditions, one row in
a hundred broken) in one process, each compiled once, and are counted in CPU-seconds. ``contract check`` is
run as a person runs it, so its figures hold the look through the file and the report of each fault. So is
datacontract-cli, which counts what is wrong in each column and names no row; it is given the contract without
its formats, as the first bad date would end its run, and cannot express the conditions.
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
from contracts.odcs import EDITIONS, to_document
from contracts.odcs.text import write_yaml
from contracts.schema import compile_schema, parse_contract
from contracts.validation import RowValidator
from nodes.sources.check import check_file
from tests.contracts.workload import rows, workload_contract
from tests.parts import CACHE

ROWS = int(os.environ.get("HEADWATERS_BENCH_ROWS", "1000000"))
SLICE = 100_000
SLOW_ROWS = 4_000
COLUMN_DEFECTS = range(3, 12)
DATACONTRACT = CACHE / "datacontract" / "bin" / "datacontract"
LARGE = "parquet, one row group"
_POLARS = "_RJEM_MALLOC_CONF"  # which Polars sets for its own process, and a child would take over
# A small process in between: a child's peak begins with what its parent held when it was made.
_USE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
TYPES = {"value": pl.Float64(), "sampler": pl.String(), "note": pl.String()}


def run(folder: Path) -> list[Figure]:
    """Write the files, then measure speed, agreement and memory."""
    files = _write(folder)
    return [
        *_records(files["ndjson"]),
        *_columns(files["parquet"]),
        *_agreement(),
        *_commands(folder, files),
    ]


def _write(folder: Path) -> dict[str, Path]:
    """Write the rows as NDJSON, and those that columns can hold as Parquet and CSV."""
    files = {form: folder / f"rows.{form}" for form in ("ndjson", "parquet", "csv")}
    files[LARGE] = folder / "one.parquet"
    with files["ndjson"].open("wb") as file:
        file.writelines(orjson.dumps(row) + b"\n" for row in rows(ROWS))
    held = rows(ROWS, kinds=COLUMN_DEFECTS)
    parts = []
    while some := list(islice(held, SLICE)):
        parts.append(pl.DataFrame(some, schema_overrides=TYPES, infer_schema_length=None))
    frame = pl.concat(parts)
    frame.write_parquet(files["parquet"])
    frame.rechunk().write_parquet(files[LARGE], row_group_size=ROWS)
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


def _commands(folder: Path, files: dict[str, Path]) -> list[Figure]:
    """Run commands as a person does, start-up included, and ask the system for CPU time and peak memory."""
    contract = folder / "contract.json"
    contract.write_bytes(workload_contract().canonical())
    check = [sys.executable, "-m", "exchange.cli", "contract", "check", str(contract), "--json", "--data"]
    used = {form: _use(*check, str(path)) for form, path in files.items()}
    other = _datacontract(folder, files["parquet"])
    rate = None if other is None else Limit("/CPU-s, datacontract-cli, counts only", ROWS / other[0])
    peak = None if other is None else Limit("MB, datacontract-cli", other[1])
    figures = [
        Figure("C2", f"contract check as a command, {form}", ROWS / used[form][0], "/CPU-s", rate)
        for form in ("parquet", LARGE)
    ]
    for form, (_, megabytes) in used.items():
        what = f"peak memory of a check, {ROWS:,} rows of {form}"
        figures.append(Figure("C5", what, megabytes, "MB", peak, bar="200 MB", aim="100 MB"))
    return figures


def _use(*command: str) -> tuple[float, float]:
    """Give the CPU seconds and the peak megabytes of a command."""
    own = {name: value for name, value in os.environ.items() if name != _POLARS}
    asked = subprocess.run(
        [sys.executable, "-c", _USE, *command], check=True, capture_output=True, text=True, env=own
    )
    seconds, megabytes = asked.stdout.split()
    return float(seconds), float(megabytes)


def _datacontract(folder: Path, path: Path) -> tuple[float, float] | None:
    """Let datacontract-cli test the same Parquet file; None where it is not here, and say so."""
    if not DATACONTRACT.is_file():
        print(f"missing part: datacontract-cli ({DATACONTRACT}); no figure stands beside it", file=sys.stderr)
        return None
    document = orjson.loads(workload_contract().canonical())
    for schema in document["record"]["properties"].values():
        schema.pop("format", None)
    server = {"server": "local", "type": "local", "path": str(path), "format": "parquet"}
    told = to_document(parse_contract(orjson.dumps(document)), EDITIONS[0]) | {"servers": [server]}
    file = folder / "contract.odcs.yaml"
    file.write_text(write_yaml(told), encoding="utf-8")
    return _use(str(DATACONTRACT), "test", str(file))
