"""A file as a source of rows: recognised by its columns, never by its name, and read under one contract.

``recognise`` says what a file is; ``open_source`` gives its rows in batches with their original data row
numbers. Every row of the file comes out exactly once, either as a row to judge or as a broken one.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from contracts import library
from contracts.messages import SourceNote, Text
from contracts.schema import Contract
from nodes.sources import csv_rows, geojson_rows, ndjson_rows, parquet_rows
from nodes.sources.batch import Batch, ColumnBatch, RecordBatch
from nodes.sources.cells import null_where, type_text
from nodes.sources.faults import UnknownColumns
from nodes.sources.geometry import check_geo_columns, with_geometry
from nodes.sources.hj212 import ROW_KEYS, open_hj212
from nodes.sources.layouts import PRSA, Layout, layout_of
from nodes.sources.places import origin_of
from nodes.sources.scan import MAX_CONTENT_BYTES, Encoding, Scan, scan_file

BATCH_ROWS = 10_000
PARQUET_ROWS = 20_000
RECORD_ROWS = 512
"""Few enough that what was parsed is still near at hand when it is judged."""

_BATCH_ROWS = {"parquet": PARQUET_ROWS, "ndjson": RECORD_ROWS}
_BLANK = frozenset({""})


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a file says of itself; ``format`` is the set or ``contract``, and the form, as ``prsa-csv``."""

    file_name: str
    sha256: str
    encoding: Encoding
    place: str
    synthetic: bool
    format: str
    station: str | None

    def note(self) -> SourceNote:
        """Give the part that a release manifest carries."""
        return SourceNote(
            file_name=self.file_name, sha256=self.sha256, place=self.place, synthetic=self.synthetic
        )


@dataclass(frozen=True, slots=True)
class RecognisedFile:
    """A file that can be read, with a suggested dataset and title."""

    path: Path
    info: SourceInfo
    contract: Contract
    dataset: str
    title: Text
    stations: tuple[str, ...]
    columns: tuple[str, ...]
    layout: Layout | None
    scan: Scan

    @property
    def contract_id(self) -> str:
        """Name the contract that fits."""
        return self.contract.id


class RowSource(Protocol):
    """Rows under a contract, and what is known of where they come from."""

    @property
    def info(self) -> SourceInfo:
        """Say what the rows came as."""
        ...

    @property
    def contract(self) -> Contract:
        """Give the contract that judges them."""
        ...

    def batches(self) -> Generator[Batch, None, None]:
        """Read them from their start; raise a SourceFault when the rest cannot be read."""
        ...

    def files(self) -> list[tuple[Path, str]]:
        """Give the files that they are read from, with their digests."""
        ...


class Source:
    """A recognised file under its contract."""

    def __init__(self, file: RecognisedFile) -> None:
        self.file = file
        self.info = file.info
        self.contract = file.contract

    def batches(self, batch_rows: int | None = None) -> Generator[Batch, None, None]:
        """Read the file from its start; raise a SourceFault when the rest cannot be read."""
        return _batches(self.file.scan, self.contract, self.file.layout, batch_rows)

    def files(self) -> list[tuple[Path, str]]:
        """Give the one file."""
        return [(self.file.path, self.file.scan.sha256)]


def recognise(
    path: Path, contracts: Sequence[Contract] | None = None, *, max_bytes: int = MAX_CONTENT_BYTES
) -> RecognisedFile | None:
    """Say what a file is; None for unknown columns; raise a SourceFault for a file that cannot be read.

    ``contracts`` are those whose own field names are understood; the shipped library by default.
    """
    scan = scan_file(path, max_bytes=max_bytes)
    header = _header(scan)
    layout = layout_of(header) if scan.form in {"csv", "parquet"} else None
    known = library.shipped_contracts() if contracts is None else contracts
    if layout is not None:
        return _recognised(scan, header, layout, _contract_of(layout, known))
    contract = next((contract for contract in known if _speaks(contract, header)), None)
    return _recognised(scan, header, None, contract) if contract is not None else None


def open_source(
    path: Path | RecognisedFile, contract: Contract | str | None = None, *, max_bytes: int = MAX_CONTENT_BYTES
) -> Source:
    """Open a file under the contract it fits, or under the one that is named.

    Raises UnknownColumns when the columns fit no contract, or not the named one.
    """
    if isinstance(path, RecognisedFile):
        return Source(path)
    named = library.load(contract) if isinstance(contract, str) else contract
    file = recognise(path, None if named is None else [named], max_bytes=max_bytes)
    if file is None:
        raise UnknownColumns(
            f"the columns of {path.name} fit no contract" + (f" {named.id}" if named else "")
        )
    if named is not None and file.contract.id != named.id:
        raise UnknownColumns(f"{path.name} fits {file.contract.id}, not {named.id}")
    return Source(file)


def open_records(path: Path, contract: Contract, *, max_bytes: int = MAX_CONTENT_BYTES) -> Source:
    """Open NDJSON lines under a contract whatever their fields: each row is judged, none decides for all."""
    scan = replace(scan_file(path, max_bytes=max_bytes), form="ndjson")
    return Source(_recognised(scan, ndjson_rows.read_keys(scan), None, contract))


def open_under(path: Path, contract: Contract) -> Source:
    """Open a file to try it under a contract: a column too many or too few is a fault of each row.

    Raises UnknownColumns when not one column is the contract's, which is another file.
    """
    scan = scan_file(path)
    header = _header(scan)
    layout = layout_of(header) if scan.form in {"csv", "parquet"} else None
    if layout is not None and layout.contract_id != contract.id:
        layout = None
    if layout is None and header and all(contract.kind(name) is None for name in header):
        raise UnknownColumns(f"no column of {path.name} is a field of {contract.id}")
    return Source(_recognised(scan, header, layout, contract))


def _contract_of(layout: Layout, known: Sequence[Contract]) -> Contract:
    """Take the edition that was asked for, or the shipped one of a set that was recognised by itself."""
    asked = next((contract for contract in known if contract.id == layout.contract_id), None)
    return asked or library.load(layout.contract_id)


def _header(scan: Scan) -> list[str]:
    match scan.form:
        case "csv":
            return csv_rows.read_header(scan)
        case "ndjson":
            return ndjson_rows.read_keys(scan)
        case "geojson":
            return geojson_rows.read_keys(scan)
        case "parquet":
            check_geo_columns(scan.path)
            return parquet_rows.read_columns(scan.path)
        case "hj212":
            return list(ROW_KEYS)


def _speaks(contract: Contract, header: Sequence[str]) -> bool:
    required = contract.record.get("required", [])
    return (
        bool(header)
        and isinstance(required, list)
        and set(required) <= set(header)
        and all(contract.kind(name) is not None for name in header)
    )


def _recognised(scan: Scan, header: list[str], layout: Layout | None, contract: Contract) -> RecognisedFile:
    stations = _stations(scan) if layout is PRSA else []
    origin = origin_of(layout, contract, header, stations)
    info = SourceInfo(
        file_name=scan.path.name,
        sha256=scan.sha256,
        encoding=scan.encoding,
        place=origin.place,
        synthetic=layout is None and _says_synthetic(scan, header, contract),
        format=f"{layout.name if layout else 'contract'}-{scan.form}",
        station=origin.station,
    )
    return RecognisedFile(
        path=scan.path,
        info=info,
        contract=contract,
        dataset=origin.dataset,
        title=origin.title,
        stations=tuple(stations),
        columns=tuple(header),
        layout=layout,
        scan=scan,
    )


def _stations(scan: Scan) -> list[str]:
    if scan.form == "csv":
        return csv_rows.distinct_cells(scan, "station")
    frames = parquet_rows.read_frames(scan.path, BATCH_ROWS, ["station"])
    return list(dict.fromkeys(str(name) for frame in frames for name in frame["station"].to_list()))


def _says_synthetic(scan: Scan, header: list[str], contract: Contract) -> bool:
    if scan.form == "parquet":  # one column is soon read, and it need not be there
        columns = [name for name in header if name == "synthetic"]
        frames = parquet_rows.read_frames(scan.path, 1, columns) if columns else iter(())
        return any(frame.item() is True for frame in islice(frames, 1))
    with closing(_batches(scan, contract, None, 1)) as batches:
        first = next(batches, None)
    return first is not None and any(row.get("synthetic") is True for _, row in first.rows())


def _batches(
    scan: Scan, contract: Contract, layout: Layout | None, wanted_rows: int | None
) -> Generator[Batch, None, None]:
    batch_rows = wanted_rows or _BATCH_ROWS.get(scan.form, BATCH_ROWS)
    match scan.form:
        case "csv":
            for rows in csv_rows.read_rows(scan, batch_rows):
                frame = null_where(rows.frame, layout.missing if layout else _BLANK)
                named = layout.fields(frame, rows.numbers) if layout else frame
                typed, odd = type_text(named, contract)
                yield ColumnBatch(contract, rows.numbers, typed, odd, rows.broken)
        case "ndjson":
            yield from ndjson_rows.read_records(scan, contract, batch_rows)
        case "geojson":
            yield from geojson_rows.read_features(scan, contract, batch_rows)
        case "parquet":
            yield from _parquet(scan, contract, layout, batch_rows)
        case "hj212":
            packets = open_hj212(scan.path)
            while numbered := list(islice(packets, batch_rows)):
                numbers, records = zip(*numbered, strict=True)
                yield RecordBatch(contract, list(numbers), list(records), [])
            scan.check_unchanged()


def _parquet(scan: Scan, contract: Contract, layout: Layout | None, batch_rows: int) -> Iterator[Batch]:
    first = 1
    for frame in parquet_rows.read_frames(scan.path, batch_rows):
        numbers = range(first, first + len(frame))
        if layout is None:
            yield parquet_rows.typed_batch(with_geometry(frame, contract), contract, first)
        else:
            text = null_where(parquet_rows.as_text(frame), layout.missing)
            typed, odd = type_text(layout.fields(text, numbers), contract)
            yield ColumnBatch(contract, numbers, typed, odd)
            del text, typed, odd
        first += len(frame)
        del frame  # before the next rows are read
    scan.check_unchanged()
