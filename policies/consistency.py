"""What a permit must be in itself, whatever policy gave it: whole, in one order, about the question asked.

A rule that is broken here is a broken bundle or a hostile engine, never a denial: the answer is thrown away.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from contracts.messages import (
    AggregateOnly,
    Mask,
    MaskHash,
    Obligation,
    ObligationKind,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Watermark,
    filtered_fields,
    redacted_fields,
)
from policies.decision import Question, Reason

_ORDER = {kind: place for place, kind in enumerate(get_args(ObligationKind))}
_AT_MOST_ONE = frozenset(get_args(ObligationKind)) - {"mask", "quota", "rate"}

Check = Callable[[Question, tuple[Obligation, ...]], bool]


def obligations_hold(question: Question, obligations: tuple[Obligation, ...]) -> bool:
    """Say whether these obligations can stand together, and speak of this question."""
    return all(check(question, obligations) for check in _CHECKS)


def grounds_hold(question: Question, grounds: Sequence[Reason]) -> bool:
    """Say whether there are grounds, and they name the question's own agreement and emergency."""
    carried = {
        "agreement": question.agreement and question.agreement.agreement,
        "emergency": question.emergency and question.emergency.emergency,
    }
    named = [item for ground in grounds for item in ground.args.items()]
    return bool(grounds) and all(carried.get(name, value) == value for name, value in named)


def last_moment_ms(question: Question, grounds: Sequence[Reason]) -> int:
    """Give the moment that no permit may outlast: the first end of what it stands on."""
    ends: list[int] = []
    if question.application is not None:
        ends.append(question.application.until_ms)
    if question.agreement is not None:
        ends.append(question.agreement.expires_ms)
    if question.emergency is not None and any("emergency" in ground.args for ground in grounds):
        ends.append(question.emergency.until_ms)
    return min(ends, default=question.now_ms)


def _is_in_order(_: Question, obligations: tuple[Obligation, ...]) -> bool:
    """One order and no repetition, so that the same obligations have one digest."""
    places = [_ORDER[duty.kind] for duty in obligations]
    kinds = [duty.kind for duty in obligations if duty.kind in _AT_MOST_ONE]
    masked = [duty.field for duty in obligations if isinstance(duty, Mask)]
    redacted = [list(duty.fields) for duty in obligations if isinstance(duty, Redact)]
    counted = [duty for duty in obligations if isinstance(duty, Quota | Rate)]
    return (
        places == sorted(places)
        and len(kinds) == len(set(kinds))
        and masked == sorted(set(masked))
        and all(fields == sorted(set(fields)) for fields in redacted)
        and len(counted) == len(set(counted))
    )


def _binds_the_purpose(question: Question, obligations: tuple[Obligation, ...]) -> bool:
    bound = [duty.purpose for duty in obligations if isinstance(duty, PurposeBinding)]
    return bound == [question.purpose]


def _names_the_consumer(question: Question, obligations: tuple[Obligation, ...]) -> bool:
    named = [duty.recipient for duty in obligations if isinstance(duty, Watermark)]
    named += [
        duty.how.recipient
        for duty in obligations
        if isinstance(duty, Mask) and isinstance(duty.how, MaskHash)
    ]
    return all(recipient == question.participant.id for recipient in named)


def _knows_its_fields(question: Question, obligations: tuple[Obligation, ...]) -> bool:
    """Every field stands in the contract, and the purpose is left at least one of them."""
    known = {field.name for field in question.dataset.fields}
    return set(_named_fields(obligations)) <= known and set(redacted_fields(obligations)) < known


def _hides_once(_: Question, obligations: tuple[Obligation, ...]) -> bool:
    """No mask on a field that is gone, and no figure of one that is gone or changed; filters come first."""
    masked = {duty.field for duty in obligations if isinstance(duty, Mask)}
    redacted = set(redacted_fields(obligations))
    figures = {name for duty in obligations if isinstance(duty, AggregateOnly) for name in duty.figured}
    return masked.isdisjoint(redacted) and figures.isdisjoint(masked | redacted)


_CHECKS: tuple[Check, ...] = (
    _is_in_order,
    _binds_the_purpose,
    _names_the_consumer,
    _knows_its_fields,
    _hides_once,
)


def _named_fields(obligations: tuple[Obligation, ...]) -> Iterator[str]:
    for duty in obligations:
        match duty:
            case Redact():
                yield from duty.fields
            case Mask():
                yield duty.field
            case RowFilter():
                yield from filtered_fields(duty.rows)
            case AggregateOnly():
                yield from duty.figured
            case _:
                pass
