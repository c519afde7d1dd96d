"""Masks and redactions on the draft of a view, column by column, a slice of rows at a time.

A mask that is set on a pattern field masks every column that the pattern admits. Hashes are keyed for one
dataset, column and recipient, so no two recipients can join what they got.
"""

from functools import lru_cache
from typing import Any

import polars as pl

from contracts.masking import Masked, hashed, masker
from contracts.messages import Discharged, Mask, MaskHash, MaskHow, Redact
from contracts.view import ObligationUnfit
from nodes.delivering.duties.handler import Draft
from nodes.delivering.duties.mask_key import mask_key
from nodes.sources.cells import DTYPES, read_json, write_json

SLICE_ROWS = 50_000
_REMEMBERED = 65_536


def mask_field(draft: Draft, duty: Mask) -> Discharged:
    """Replace the values of one field by what its mask leaves of them."""
    for column in draft.frame.columns:
        masking = [
            field.name for field in draft.shape.source.fields_of(column) if field.name in draft.shape.masks
        ]
        how = draft.shape.mask_of(column)
        if how is not None and masking[0] == duty.field:  # where two fields admit a column, it is masked once
            draft.frame = draft.frame.with_columns(_masked(draft, draft.frame[column], how))
    return Discharged(kind="mask", columns=[duty.field])


def drop_fields(draft: Draft, duty: Redact) -> Discharged:
    """Drop every column of the named fields."""
    gone = [
        column
        for column in draft.frame.columns
        if any(field.name in duty.fields for field in draft.shape.source.fields_of(column))
    ]
    draft.frame = draft.frame.drop(gone)
    # The fields as the obligation names them: which columns of a pattern were there is hidden too.
    return Discharged(kind="redact", columns=sorted(duty.fields))


def _masked(draft: Draft, column: pl.Series, how: MaskHow) -> pl.Series:
    dtype = DTYPES[draft.shape.contract.kind(column.name) or "string"]
    mask = lru_cache(_REMEMBERED)(_cell_mask(draft, column.name, how))
    parts = [
        pl.Series(column.name, [None if cell is None else mask(cell) for cell in part.to_list()], dtype=dtype)
        for part in (column.slice(start, SLICE_ROWS) for start in range(0, len(column), SLICE_ROWS))
    ]
    return pl.concat(parts) if parts else pl.Series(column.name, [], dtype=dtype)


def _cell_mask(draft: Draft, column: str, how: MaskHow) -> Masked:
    if isinstance(how, MaskHash):
        if how.recipient is None:
            raise ObligationUnfit(f"the hash of {column} names no recipient")
        key = mask_key(draft.node.home, draft.dataset, column, how.recipient)
        return lambda cell: hashed(key, cell)
    mask = masker(how, limit=draft.shape.degrees(column))
    if draft.shape.source.kind(column) in {"object", "array"}:
        return lambda text: _nested(mask, text)
    return mask


def _nested(mask: Masked, text: str) -> str | None:
    made: Any = mask(read_json(text))  # Any: a JSON value
    return None if made is None else write_json(made)
