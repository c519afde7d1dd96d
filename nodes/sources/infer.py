"""Draft a contract from a file of data: a start for a person, who knows what the data cannot say.

The draft is a whole contract that admits every row of the file that is a row at all; where a proposed rule
turned out too tight, it is dropped and noted. No value of a row stands in the draft but short ones that
return often: the example is made up.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from contracts.dialect import pointer_text
from contracts.sampling.sample import sample_record
from contracts.schema import Contract, parse_contract
from contracts.validation import RowValidator
from nodes.sources import csv_rows, geojson_rows, ndjson_rows, parquet_rows
from nodes.sources.batch import RecordBatch
from nodes.sources.faults import SourceFault
from nodes.sources.geometry import check_geo_columns, geometry_of
from nodes.sources.infer_columns import LOCAL_TIMES, Column, nullable
from nodes.sources.scan import Scan, scan_file
from nodes.sources.source import open_records, open_under

BATCH_ROWS = 20_000
MAX_COLUMNS = 400
MAX_ROUNDS = 6
_PROPOSED = frozenset({"format", "pattern", "enum", "minLength", "maxLength", "required", "maxItems"})
MAX_EXAMPLE_CHARS = 2000

_STATION = re.compile(r"station|site|section|plot|well|^mn$|_code$|^code$", re.IGNORECASE)


class NotDrafted(SourceFault):
    """No contract can be drafted from the file."""

    code = "not-drafted"
    title_zh = "无法从该文件起草契约"
    next_zh = "按 reasons 改正列名后重试。"
    next_en = "Change the column names that the reasons list, then try again."


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted contract, and in words what a person should look at."""

    contract: Contract
    notes: tuple[str, ...]


def draft(
    path: Path, *, contract_id: str | None = None, seen: Callable[[int], None] = lambda _rows: None
) -> Draft:
    """Read the whole file, propose a contract and try it on the file; raise a SourceFault or NotDrafted."""
    scan = scan_file(path)
    columns, rows = _columns(scan, seen)
    _check_names(columns, path.name)
    notes: list[str] = []
    document = _document(path, columns, rows, contract_id, cells=scan.form == "csv", notes=notes)
    contract = parse_contract(orjson.dumps(document))
    faults = _faults(path, contract, ndjson=scan.form == "ndjson")
    for _ in range(MAX_ROUNDS):
        if not sum(_loosen(document["record"], pointer, notes) for pointer in faults):
            break
        document["example"] = _example(document["record"])
        contract = parse_contract(orjson.dumps(document))
        faults = _faults(path, contract, ndjson=scan.form == "ndjson")
    broken = sum(faults.values())
    if broken:
        notes.append(
            f"仍有 {broken} 处不符合草案 / {broken} faults remain: broken rows, values of a rarer kind"
        )
    return Draft(contract, tuple(notes))


def _columns(scan: Scan, seen: Callable[[int], None]) -> tuple[dict[str, Column], int]:
    columns: dict[str, Column] = {}
    rows = 0
    for batch in _batches(scan):
        if isinstance(batch, pl.DataFrame):
            for series in batch.iter_columns():
                _take(columns.setdefault(series.name, Column()), series, cells=scan.form == "csv")
            rows += len(batch)
        else:
            found: dict[str, list[Any]] = {}
            for record in batch.records:
                for name, value in record.items():
                    found.setdefault(name, []).append(value)
            for name, values in found.items():
                columns.setdefault(name, Column()).take_values(values)
            rows += len(batch.records)
        seen(rows)
    if not columns:
        raise NotDrafted(f"{scan.path.name} holds no row")
    return columns, rows


def _take(column: Column, series: pl.Series, *, cells: bool) -> None:
    if series.dtype == pl.Binary:
        column.take_values([None if raw is None else geometry_of(raw) for raw in series.to_list()])
    elif series.dtype.is_nested():
        column.take_values(series.to_list())
    elif cells:
        column.take_series(series.set(series == "", None), cells=True)
    elif isinstance(series.dtype, pl.Datetime | pl.Date | pl.Time):
        column.take_series(parquet_rows.texts(series), cells=False)
    else:
        column.take_series(series, cells=False)


def _batches(scan: Scan) -> Iterator[pl.DataFrame | RecordBatch]:
    match scan.form:
        case "csv":
            csv_rows.read_header(scan)
            for rows in csv_rows.read_rows(scan, BATCH_ROWS):
                yield rows.frame
        case "ndjson":
            yield from ndjson_rows.read_records(scan, _anything(), BATCH_ROWS)
        case "geojson":
            yield from geojson_rows.read_features(scan, _anything(), BATCH_ROWS)
        case "parquet":
            check_geo_columns(scan.path)
            yield from parquet_rows.read_frames(scan.path, BATCH_ROWS)
        case "hj212":
            raise NotDrafted(
                f"{scan.path.name} holds HJ 212 packets, whose contract is pollution-source-online"
            )


def _anything() -> Contract:
    """Make a contract that knows no field, for the readers that ask for one."""
    record = {
        "type": "object",
        "properties": {"x": {"type": ["string", "null"]}},
        "additionalProperties": False,
    }
    return parse_contract(orjson.dumps(_frame("anything", record, ["x"], "{}")))


def _check_names(columns: dict[str, Column], name: str) -> None:
    strange = [
        column for column in columns if not (column.isascii() and column.isprintable() and len(column) <= 200)
    ]
    if strange or len(columns) > MAX_COLUMNS:
        reasons = [f"列名须为 ASCII / not an ASCII name: {column[:80]}" for column in strange]
        raise NotDrafted(
            f"{name}: {len(strange)} of {len(columns)} column names are not ASCII", reasons=reasons[:50]
        )


def _document(
    path: Path,
    columns: dict[str, Column],
    rows: int,
    contract_id: str | None,
    *,
    cells: bool,
    notes: list[str],
) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required = []
    for name, column in columns.items():
        schema = column.schema(name, cells=cells)
        if column.mixed:
            notes.append(f"{name}: 取值类型不一,按多数起草 / several kinds; drafted as most of them")
        if column.present == rows:
            required.append(name)
        if column.empty or column.present < rows:
            schema = nullable(schema)
        notes += _markers(name, column)
        properties[name] = schema
    record = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    if len(_example(record)) > MAX_EXAMPLE_CHARS:
        record["required"] = [name for name in required if not _nullable(record, name)]
        notes.append(
            "字段过多,可空字段不列为必填 / very many fields: those that may be null are not required"
        )
    slug = contract_id or _slug(path)
    document = _frame(slug, record, list(properties), _example(record))
    series = _series(properties, columns, rows)
    notes += [
        "分级一律按 2 起草,单位未填,标题为列名 / each class is 2, units are empty, titles are the names",
        "上下限取所见值之外的整数 / limits are the next round numbers beyond what was seen",
    ]
    return document | ({"series": series} if series else {})


def _frame(contract_id: str, record: dict[str, Any], names: list[str], example: str) -> dict[str, Any]:
    words = {"zh": f"由数据起草:{contract_id}", "en": f"drafted from data: {contract_id}"}
    return {
        "contract": 1,
        "id": contract_id,
        "version": "0.1.0",
        "title": words,
        "description": words,
        "theme": "unsorted",
        "classification": 2,
        "update_frequency": "not stated",
        "editions": [],
        "fields": [
            {"name": name, "title": {"zh": name, "en": name}, "unit": None, "classification": 2}
            for name in names
        ],
        "record": record,
        "example": example,
    }


def _example(record: dict[str, Any]) -> str:
    """Make up a record; of a very wide one, only what must be there."""
    row = sample_record(record, {})
    text = orjson.dumps(row).decode()
    if len(text) <= MAX_EXAMPLE_CHARS:
        return text
    bare = {name: None if _nullable(record, name) else row[name] for name in record["required"]}
    return orjson.dumps(bare).decode()


def _nullable(record: dict[str, Any], name: str) -> bool:
    return "null" in record["properties"][name]["type"]


def _slug(path: Path) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", path.name.split(".")[0].lower()).strip("-")[:40]
    return slug if re.fullmatch(r"[a-z][a-z0-9-]+", slug) else "drafted-contract"


def _series(properties: dict[str, Any], columns: dict[str, Column], rows: int) -> dict[str, Any] | None:
    """Propose the time of the records, and what tells stations apart."""
    times = [
        name
        for name, schema in properties.items()
        if schema.get("format") in {"date-time", "date"} or schema.get("pattern") in LOCAL_TIMES
    ]
    if not times:
        return None
    stations = [
        name
        for name, column in columns.items()
        if _STATION.search(name)
        and column.texts.options is not None
        and rows >= len(column.texts.options) * 2
    ]
    return {"time": times[0], "by": stations[:1]}


def _markers(name: str, column: Column) -> Iterator[str]:
    texts = column.texts
    if 0 < texts.numbers.count < texts.count:
        told = "数值列中混有文字,按文本起草;若为缺测标记,请改为空"
        yield f"{name}: {told} / numbers beside words: drafted as text; make missing marks blank"


def _faults(path: Path, contract: Contract, *, ndjson: bool) -> Counter[str]:
    """Count the rules of the draft that rows of its own file break."""
    validator = RowValidator(contract)
    found: Counter[str] = Counter()
    source = open_records(path, contract) if ndjson else open_under(path, contract)
    with closing(source.batches()) as batches:
        for batch in batches:
            for _, row in batch.rows():
                if not validator.is_valid(row):
                    found.update(fault.schema_pointer for fault in validator.violations(row))
            found.update("" for _ in batch.broken)
    return found


def _loosen(record: dict[str, Any], pointer: str, notes: list[str]) -> bool:
    """Drop a proposed rule that the file itself breaks; tell whether there was one to drop."""
    *path, rule = pointer.strip("/").split("/")
    place: Any = record
    for token in path:
        place = place.get(pointer_text(token)) if isinstance(place, dict) else None
    if not isinstance(place, dict) or rule not in place or not path:
        return False
    if rule not in _PROPOSED:
        return False
    del place[rule]
    notes.append(
        f"/{'/'.join(path)}: 规则 {rule} 与数据不符,已去掉 / the rule {rule} did not hold and was dropped"
    )
    return True
