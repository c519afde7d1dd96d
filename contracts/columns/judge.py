"""Which rows of a frame may break a contract: compiled once for each set of columns, run on each batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson
import polars as pl
from polars.datatypes import DataTypeClass
from polars.exceptions import PolarsError

from contracts.columns.cells import Asked, Cell, Inexpressible, Questions, Shape, all_of
from contracts.columns.records import Members, plain, record_verdict
from contracts.schema import Contract

_VERDICT = "\0verdict"
_SHAPES: Mapping[pl.DataType, Shape] = {
    pl.String(): Shape.TEXT,
    pl.Float64(): Shape.NUMBER,
    pl.Int64(): Shape.WHOLE,
    pl.Boolean(): Shape.FLAG,
}


@dataclass(frozen=True, slots=True)
class _Plan:
    verdict: pl.Expr
    asked: tuple[Asked, ...]


class ColumnJudge:
    """Judges frames whose columns are typed by the contract (``nodes.sources.cells``); see ``doubtful``."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._plans: dict[tuple[tuple[str, pl.DataType], ...], _Plan | None] = {}

    def doubtful(self, frame: pl.DataFrame) -> list[int]:
        """List the rows that may break the contract, in order; every other row keeps it.

        A contract or a frame that no expression can judge leaves every row in doubt.
        """
        key = tuple(frame.schema.items())
        if key not in self._plans:
            self._plans[key] = self._compile(frame)
        plan = self._plans[key]
        if plan is None:
            return list(range(len(frame)))
        answers = [_answer(asked, frame) for asked in plan.asked]
        valid = frame.with_columns(answers).select(plan.verdict.alias(_VERDICT)).to_series()
        if len(valid) != len(frame):  # a verdict that depends on no cell is one value
            return [] if valid.all() else list(range(len(frame)))
        return (~valid.fill_null(value=False)).arg_true().to_list()

    def _compile(self, frame: pl.DataFrame) -> _Plan | None:
        questions = Questions()
        try:
            members = Members(None, {name: self._member(name, kind) for name, kind in frame.schema.items()})
            verdict = record_verdict(self._contract.record, members, questions)
            plan = _Plan(all_of([*plain(members), verdict]), tuple(questions.asked))
            frame.clear().with_columns(
                pl.lit(None, dtype=pl.Boolean).alias(asked.name) for asked in plan.asked
            ).select(plan.verdict)
        except (Inexpressible, PolarsError):
            return None
        return plan

    def _member(self, name: str, kind: pl.DataType) -> Cell | Members:
        if self._contract.kind(name) in {"object", "array"} and kind == pl.String():
            return Cell(pl.col(name), Shape.NESTED)
        return _member(pl.col(name), kind)


def _member(value: pl.Expr, kind: pl.DataType) -> Cell | Members:
    if isinstance(kind, pl.Struct):
        inside = {
            field.name: _member(value.struct.field(field.name), _made(field.dtype)) for field in kind.fields
        }
        return Members(value, inside)
    if kind not in _SHAPES:
        raise Inexpressible
    return Cell(value, _SHAPES[kind])


def _made(kind: DataTypeClass | pl.DataType) -> pl.DataType:
    return kind if isinstance(kind, pl.DataType) else kind()


def _answer(asked: Asked, frame: pl.DataFrame) -> pl.Series:
    """Ask the row engine about each distinct cell that is not sure, and give the verdicts as a column."""
    cells = frame.select(cell=asked.cell.value).to_series()
    open_cells = (
        cells if asked.sure is None else frame.filter(~asked.sure).select(asked.cell.value).to_series()
    )
    accepts = _nested_judge(asked) if asked.cell.shape is Shape.NESTED else asked.judge.is_valid
    bad = [cell for cell in open_cells.unique().to_list() if cell is not None and not accepts(cell)]
    if not bad:
        return pl.repeat(value=True, n=len(frame), dtype=pl.Boolean, eager=True).alias(asked.name)
    return (~cells.is_in(pl.Series(bad, dtype=cells.dtype).implode())).alias(asked.name)


def _nested_judge(asked: Asked) -> Callable[[str], bool]:
    is_valid = asked.judge.is_valid

    def accepts(text: str) -> bool:
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            return False
        return isinstance(value, dict | list) and is_valid(value)

    return accepts
