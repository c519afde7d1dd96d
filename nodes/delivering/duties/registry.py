"""The registry of duties: one handler for each kind of obligation, and the order in which they are met.

    rows are filtered → masked → redacted → aggregated → put in canonical order → marked → written
    and, for each grant: counted against quotas and rates, bound to the purpose, given a term

The vocabulary is closed. A kind without a handler cannot be met, a handler that fails in any way meets
nothing: either is a refusal, and no byte leaves.
"""

from collections.abc import Callable, Sequence
from typing import Any

from polars.exceptions import PanicException, PolarsError
from sqlalchemy.exc import SQLAlchemyError

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
)
from nodes.delivering.duties import keeping, quotas, watermarks
from nodes.delivering.duties.aggregates import aggregate
from nodes.delivering.duties.canonical import put_in_order
from nodes.delivering.duties.handler import Delivery, Draft, DutyFailed, Keep, Mark, Shape
from nodes.delivering.duties.masks import drop_fields, mask_field
from nodes.delivering.duties.rows import filter_rows
from nodes.granted import ObligationUnknown

# Any: each handler takes the one kind of obligation that it stands beside.
SHAPES: dict[type[Obligation], Shape[Any]] = {
    RowFilter: filter_rows,
    Mask: mask_field,
    Redact: drop_fields,
    AggregateOnly: aggregate,
    Watermark: watermarks.mark_view,
}

_VALUES = (RowFilter, Mask, Redact, AggregateOnly)
"""What changes the values of a view, in this order; then its rows are put in order, and it is marked."""

MARKS: dict[type[Obligation], Mark[Any]] = {
    PurposeBinding: keeping.mark_purpose,
    Expiry: keeping.mark_expiry,
}
KEEPS: dict[type[Obligation], Keep[Any]] = {
    Quota: quotas.spend_quota,
    Rate: quotas.open_rate,
    PurposeBinding: keeping.bind_purpose,
    Expiry: keeping.set_expiry,
}

# What a failing handler raises beside refusals of its own: arithmetic, odd values, the disk, the database.
_FAILURES = (
    PolarsError, PanicException, SQLAlchemyError, ArithmeticError, ValueError, TypeError, LookupError,
    OSError, MemoryError, RecursionError,
)  # fmt: skip


def make_draft(draft: Draft) -> tuple[Discharged, ...]:
    """Meet every obligation that shapes the view; give their evidence in the order of the obligations.

    Raises ObligationUnknown for a kind without a handler, DutyFailed for a handler that fails.
    """
    _check_known(draft.obligations)
    found: dict[int, Discharged] = {}

    def meet_all(kind: type[Obligation]) -> None:
        for at, duty in enumerate(draft.obligations):
            if type(duty) is kind:
                found[at] = _meet(duty.kind, SHAPES[kind], draft, duty)

    for kind in _VALUES:
        meet_all(kind)
    _meet("canonical-order", put_in_order, draft)
    meet_all(Watermark)
    for duty in draft.obligations:
        if type(duty) in MARKS:
            _meet(duty.kind, MARKS[type(duty)], draft, duty)
    return tuple(evidence for _, evidence in sorted(found.items()))


def discharge(delivery: Delivery) -> list[Discharged]:
    """Meet what is counted for each grant; give the evidence of every obligation, in their order."""
    obligations = delivery.grant.obligations
    _check_known(obligations)
    shaped = iter(delivery.view.evidence)
    evidence = []
    for duty in obligations:
        keep = KEEPS.get(type(duty))
        made = next(shaped, None) if keep is None else _meet(duty.kind, keep, delivery, duty)
        if made is None or made.kind != duty.kind:
            raise DutyFailed(f"there is no evidence of the obligation {duty.kind}", duty=duty.kind)
        evidence.append(made)
    return evidence


def _check_known(obligations: Sequence[Obligation]) -> None:
    for duty in obligations:
        if type(duty) not in SHAPES and type(duty) not in KEEPS:
            raise ObligationUnknown(f"no handler meets an obligation of the kind {duty.kind}")


def _meet(kind: str, handler: Callable[..., Any], *given: object) -> Any:  # Any: what the handler gives
    try:
        return handler(*given)
    except _FAILURES as error:
        raise DutyFailed(f"{kind}: {type(error).__name__}", duty=kind) from error
