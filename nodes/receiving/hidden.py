"""A consumer's check that a file shows no more than its grant allows, before any of it is kept.

A provider that sends too much harms the people whose data it is, and a consumer that keeps it shares the
blame. So the columns, every masked value, the row filter as far as it can be seen, the order of the rows and
the file's metadata are judged by the consumer's own reading of the obligations.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from contracts.errors import Refused
from contracts.filtering import could_hold
from contracts.masking import is_no_finer, masker
from contracts.messages import Expiry, Obligation, PurposeBinding, Receipt
from contracts.view import EXPIRY_MARK, MARKS, PURPOSE_MARK, WATERMARK_MARK, ViewShape, is_written_anew
from nodes.delivering.duties.canonical import is_canonical
from nodes.delivering.duties.watermarks import digest_of
from nodes.sources.artifact import READ_ROWS
from nodes.sources.cells import DTYPES, read_json
from nodes.sources.parquet_rows import read_frames, read_marks, read_schema

_WRITERS_OWN = frozenset({"ARROW:schema"})  # the types of the columns, as every file of ours has them
_REMEMBERED = 65_536


class ViewShowsMore(Refused):
    """The file shows more than the obligations of the grant allow."""

    code = "view-shows-more"
    title_zh = "收到的文件所含内容超出授权义务允许的范围"
    next_zh = "数据未保留,未签回执;请通知提供方检查其节点。"
    next_en = "Nothing was kept and no receipt signed; tell the provider to check its node."


def check_hidden(path: Path, shape: ViewShape) -> None:
    """Raise ViewShowsMore when a file that was written anew shows what the shape of its view hides."""
    if shape.whole:
        return
    schema = read_schema(path)
    columns = list(schema)
    if columns != shape.columns(columns):
        raise ViewShowsMore("the file has other columns than the obligations leave")
    types = {name: DTYPES[shape.contract.kind(name) or "string"] for name in columns}
    if schema != types:
        raise ViewShowsMore("the file has columns of other types than the obligations leave")
    metadata = pl.read_parquet_metadata(path)
    strangers = sorted(metadata.keys() - MARKS - _WRITERS_OWN)
    if strangers:
        raise ViewShowsMore("the file's metadata says more than it may", keys=strangers[:20])
    before: pl.DataFrame | None = None
    named = shape.contract.record["properties"]
    empty = {name for name in columns if name not in named}  # type: ignore[operator]  # linted: a map
    masks = dict(_masks(columns, shape))
    for frame in read_frames(path, READ_ROWS):
        if not is_canonical(frame) or (
            before is not None and not is_canonical(pl.concat([before, frame[:1]]))
        ):
            raise ViewShowsMore("the rows stand in an order that the visible values do not explain")
        _check_masks(frame, masks)
        _check_filter(frame, shape)
        empty -= {name for name in empty if frame[name].null_count() < len(frame)}
        before = frame[-1:]
    if empty:
        raise ViewShowsMore("a column of nothing tells of a row that is hidden", columns=sorted(empty)[:20])


def check_marks(path: Path, obligations: Sequence[Obligation], receipt: Receipt) -> None:
    """Raise ViewShowsMore when the marks of a file that was written anew are not those of grant and receipt.

    A mark that the receipt does not speak of may be another recipient's, or say anything at all.
    """
    if not any(map(is_written_anew, obligations)):
        return
    marks = read_marks(path)
    found = [digest_of(marks.pop(WATERMARK_MARK))] if WATERMARK_MARK in marks else []
    expected = {}
    for item in obligations:
        if isinstance(item, PurposeBinding):
            expected[PURPOSE_MARK] = item.purpose
        elif isinstance(item, Expiry):
            expected[EXPIRY_MARK] = str(item.days)
    vouched = [item.token for item in receipt.discharged if item.kind == "watermark"]
    if (marks, found) != (expected, vouched):
        raise ViewShowsMore("the file's marks are not those of its grant and receipt")


def _masks(columns: list[str], shape: ViewShape) -> Iterator[tuple[str, Any]]:  # Any: a cached predicate
    if shape.aggregate is not None:
        return
    for name in columns:
        how = shape.mask_of(name)
        if how is not None:
            yield name, _predicate(shape, name, masker(how, limit=shape.degrees(name)))


def _predicate(shape: ViewShape, name: str, mask: Any) -> Any:  # Any: functions of a cell
    nested = shape.contract.kind(name) in {"object", "array"}

    @lru_cache(_REMEMBERED)
    def fits(cell: Any) -> bool:  # Any: a cell
        return is_no_finer(mask, read_json(cell) if nested and isinstance(cell, str) else cell)

    return fits


def _check_masks(frame: pl.DataFrame, masks: dict[str, Any]) -> None:
    for name, fits in masks.items():
        if not all(cell is None or fits(cell) for cell in frame[name].to_list()):
            raise ViewShowsMore(f"{name} shows more than its mask leaves", field=name)


def _check_filter(frame: pl.DataFrame, shape: ViewShape) -> None:
    """Judge the filter on each row, as far as the fields that it speaks of are seen in the view."""
    if shape.rows is None or shape.aggregate is not None:
        return
    seen = sorted(shape.filtered - shape.unseen)
    if seen and not all(
        could_hold(shape.rows, row, shape.unseen) for row in frame.select(seen).iter_rows(named=True)
    ):
        raise ViewShowsMore("a row is there that the filter leaves out")
