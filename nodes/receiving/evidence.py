"""The evidence in a provider's receipt, held against the grant: complete, in order, adding up.

What a consumer cannot see it cannot check, such as which rows a filter dropped; but a receipt that leaves an
obligation out, or whose numbers contradict the release's manifest, is not signed.
"""

from collections.abc import Iterator, Sequence

from contracts.messages import (
    AggregateOnly,
    Discharged,
    Expiry,
    Mask,
    Obligation,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Watermark,
    filtered_fields,
)


def evidence_faults(
    obligations: Sequence[Obligation], discharged: Sequence[Discharged], *, rows: int, published: int
) -> Iterator[str]:
    """Name what is wrong with the evidence for a view of ``rows``, of a release of ``published`` rows."""
    if [item.kind for item in discharged] != [duty.kind for duty in obligations]:
        yield "the receipt does not account for every obligation in order"
        return
    filtered = any(isinstance(duty, RowFilter) for duty in obligations)
    aggregate = next((duty for duty in obligations if isinstance(duty, AggregateOnly)), None)
    for duty, found in zip(obligations, discharged, strict=True):
        wanted = _expected(duty, found, rows, published, alone=not (filtered and aggregate))
        if found != wanted:
            yield f"the evidence of {duty.kind} does not add up"
    if not filtered and aggregate is None and rows != published:
        yield "rows are missing that no obligation drops"
    if rows * (aggregate.min_group if aggregate else 1) > published:
        yield "there are more rows than the release can give"


def _expected(  # noqa: PLR0911  # one answer for each kind of obligation
    duty: Obligation, found: Discharged, rows: int, published: int, *, alone: bool
) -> Discharged:
    """Say what the evidence of an obligation must be; only a count or a token is taken from what was found.

    Where an aggregate follows a filter, the number of rows between them is not told.
    """
    match duty:
        case Redact():
            return Discharged(kind=duty.kind, columns=sorted(duty.fields))
        case Mask():
            return Discharged(kind=duty.kind, columns=[duty.field])
        case RowFilter():
            fields, out = sorted(filtered_fields(duty.rows)), rows if alone else None
            return Discharged(kind=duty.kind, columns=fields, rows_in=published, rows_out=out)
        case AggregateOnly():
            into = published if alone else None
            return Discharged(kind=duty.kind, columns=duty.by, rows_in=into, rows_out=rows)
        case Quota():
            return Discharged(kind=duty.kind, used=_within(found.used, duty.limit))
        case Rate():
            return Discharged(kind=duty.kind, used=_within(found.used, duty.fetches))
        case Watermark():
            return Discharged(kind=duty.kind, token=found.token or "(none)")
        case PurposeBinding() | Expiry():
            return Discharged(kind=duty.kind)


def _within(used: int | None, limit: int) -> int:
    return limit if used is None else min(used, limit)
