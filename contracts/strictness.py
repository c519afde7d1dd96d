"""Whether obligations demand at least as much as one that is asked for: the one meaning of "stricter".

Pure. A provider holds a grant against its own duties by it, and a replay says by it whether another policy
would hide less. A recipient that is left open is met by any that is named. In doubt the answer is no.
"""

from collections.abc import Iterator, Sequence

from contracts.messages.obligations import (
    AggregateOnly,
    CompoundFilter,
    Expiry,
    FieldFilter,
    Mask,
    MaskHash,
    MaskHow,
    MaskNull,
    Obligation,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Watermark,
    filter_parts,
    redacted_fields,
)
from contracts.schema import Contract


def is_met(asked: Obligation, given: Sequence[Obligation]) -> bool:
    """Say whether the given obligations, taken together, demand all that one asks for."""
    redacted = redacted_fields(given)
    match asked:
        case Redact():
            return set(asked.fields) <= set(redacted)
        case Mask() if asked.field in redacted:
            return True
        case RowFilter():
            return _conditions(given).keys() >= _conditions([asked]).keys()
        case _:
            return any(_is_as_strict(item, asked) for item in given)


def telling_fields(
    asked: Sequence[Obligation], given: Sequence[Obligation], contract: Contract
) -> frozenset[str]:
    """Name what conditions that nobody asked for tell of: hidden fields, and where figures leave every field.

    Which rows stay under one bound after the other spells a hidden value out, and two sums whose rows differ
    by one tell that row.
    """
    unseen = {*redacted_fields(given), *(item.field for item in given if isinstance(item, Mask))}
    figures = any(isinstance(item, AggregateOnly) for item in asked)
    known = _conditions(asked)
    return frozenset(
        one.field
        for spelling, part in _conditions(given).items()
        if spelling not in known
        for _, one in filter_parts(part)
        if isinstance(one, FieldFilter)
        and (figures or any(field.name in unseen for field in contract.fields_of(one.field)))
    )


def _is_as_strict(given: Obligation, asked: Obligation) -> bool:
    match given, asked:
        case Mask(), Mask():
            strict = given.field == asked.field and _hides_as_much(given.how, asked.how)
        case AggregateOnly(), AggregateOnly():
            strict = _is_coarser(given, asked)
        case Quota(), Quota():
            lasts = given.window_seconds >= asked.window_seconds
            strict = given.unit == asked.unit and given.limit <= asked.limit and lasts
        case Rate(), Rate():
            strict = given.fetches <= asked.fetches and given.window_seconds >= asked.window_seconds
        case Watermark(), Watermark():
            strict = _names(given.recipient, asked.recipient)
        case PurposeBinding(), PurposeBinding():
            strict = given == asked
        case Expiry(), Expiry():
            strict = given.days <= asked.days
        case _:
            strict = False  # another kind says nothing about this one
    return strict


def _hides_as_much(given: MaskHow, asked: MaskHow) -> bool:
    """Say whether a mask hides what another one would: the same one, or an emptied field."""
    if isinstance(given, MaskNull):
        return True
    if isinstance(given, MaskHash) and isinstance(asked, MaskHash):
        return _names(given.recipient, asked.recipient)
    return given == asked


def _names(given: str | None, asked: str | None) -> bool:
    return given is not None and asked in {None, given}


def _conditions(obligations: Sequence[Obligation]) -> dict[bytes, FieldFilter | CompoundFilter]:
    """Give the conditions that row filters join by ``and``, by their one spelling."""
    filters = [item.rows for item in obligations if isinstance(item, RowFilter)]
    return {part.canonical(): part for rows in filters for part in _joined(rows)}


def _joined(rows: FieldFilter | CompoundFilter) -> Iterator[FieldFilter | CompoundFilter]:
    if isinstance(rows, CompoundFilter) and rows.operator == "and":
        for part in rows.value:
            yield from _joined(part)
    else:
        yield rows


def _is_coarser(given: AggregateOnly, asked: AggregateOnly) -> bool:
    """Say whether figures are of the very same groups: one that is left out shows in larger ones."""
    return (
        set(given.by) == set(asked.by)
        and all(measure in asked.measures for measure in given.measures)
        and given.min_group >= asked.min_group
    )
