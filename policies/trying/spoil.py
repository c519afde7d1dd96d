"""Ways to spoil a question: each changes it so that a rule should bite, or comes within an inch of it.

They are the other half of ``policies.trying.generate``; a rule that no way here touches shows as a reason
code that the generated questions never meet.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from contracts.canonical import MAX_INTEGER
from contracts.messages import (
    EMERGENCY_PURPOSE,
    AggregateOnly,
    Condition,
    Duty,
    Hours,
    Level,
    Mask,
    MaskNull,
    Measure,
    PurposeFields,
)
from policies.decision import Question
from policies.facts import FieldFacts

Spoiler = Callable[[Question, random.Random], Question]

STATUSES = ("invited", "pending", "suspended", "quarantined", "revoked")
STATES = ("pending", "paused", "ended", "suspended", "cancelled")
NOBODY = "p-zzzzzzzzzzzz"


def other(items: Sequence[str], than: str, rng: random.Random) -> str:
    """Draw one of ``items`` that is not ``than``."""
    return rng.choice([item for item in items if item != than])


def _dataset(question: Question, **changes: Any) -> Question:  # fields of DatasetFacts
    return replace(question, dataset=replace(question.dataset, **changes))


def _participant(question: Question, **changes: Any) -> Question:  # fields of ParticipantFacts
    return replace(question, participant=replace(question.participant, **changes))


def _agreement(question: Question, **changes: Any) -> Question:  # fields of AgreementFacts
    if question.agreement is None:
        return question
    return replace(question, agreement=replace(question.agreement, **changes))


def _subscription(question: Question, **changes: Any) -> Question:  # fields of SubscriptionFacts
    if question.subscription is None:
        return question
    return replace(question, subscription=replace(question.subscription, **changes))


def _condition(question: Question, **limits: Any) -> Question:  # fields of Condition
    """Add a condition that is asked of every purpose; on a dataset that may carry one."""
    condition = Condition().model_copy(update=limits)
    return _dataset(question, sharing="conditional", conditions=(*question.dataset.conditions, condition))


def _duty(question: Question, obligation: Any) -> Question:  # what a Duty may demand
    return _dataset(question, duties=(*question.dataset.duties, Duty(obligation=obligation)))


def _aggregate(name: str, min_group: int) -> AggregateOnly:
    return AggregateOnly(by=[name], measures=[Measure(field=name, function="count")], min_group=min_group)


def _first(question: Question) -> str:
    return question.dataset.fields[0].name


def _seen_without(question: Question, rng: random.Random) -> Question:
    """Let the purpose see all but one field, and let an aggregate name that one, or a mask touch it."""
    hidden, *rest = [field.name for field in question.dataset.fields]
    entry = PurposeFields(purpose=question.purpose, fields=rest)
    spoilt = _dataset(question, purpose_fields=(entry,))
    return _duty(spoilt, rng.choice([_aggregate(hidden, 5), Mask(field=hidden, how=MaskNull())]))


def _territory(question: Question, rng: random.Random) -> Question:
    stem = rng.choice(["42", "52", "51", "510107001"])
    return _condition(_participant(question, territory=rng.choice(["51", "5101", None])), territories=[stem])


def _hours(question: Question, rng: random.Random) -> Question:
    begin = rng.randrange(24)
    return _condition(question, hours=Hours(begin=begin, end=rng.randint(1, 24)))


def _network(question: Question, rng: random.Random) -> Question:
    networks = rng.sample(
        ["10.0.0.0/8", "10.51.3.4/32", "2001:db8::/64", "203.0.113.0/24", "fe80::/10", "::/0", "0.0.0.0/0"], 2
    )
    return _condition(question, networks=networks)


def _emergency(question: Question, rng: random.Random) -> Question:
    """Use an emergency that is over, or that nobody declared, or one without need."""
    if question.emergency is None:
        return replace(question, purpose=EMERGENCY_PURPOSE)
    ended = replace(question.emergency, until_ms=question.now_ms - rng.choice([0, 1]))
    return replace(question, emergency=rng.choice([None, ended]))


def _moments(question: Question, rng: random.Random) -> Question:
    """Move a moment to just before, at or just after the moment of asking."""
    near_ms = question.now_ms + rng.choice([-1, 0, 1])
    if question.application is not None:
        return replace(question, application=replace(question.application, until_ms=near_ms))
    return _agreement(question, **{rng.choice(["not_before_ms", "expires_ms"]): near_ms})


def _outsider(question: Question, rng: random.Random) -> Question:
    """Ask from outside government; now and then for a purpose that the record does not name."""
    entries = () if rng.random() < 0.5 else question.dataset.purpose_fields
    asked = _participant(question, sector="finance", level="none")
    return _dataset(asked, purpose_fields=entries)


def _sensitive(question: Question, rng: random.Random) -> Question:
    """Raise a class, of the dataset or of one field, and ask from a lower level."""
    level = rng.choice(["city", "county", "none", "province"])
    asked = _participant(question, level=level)
    entries = () if rng.random() < 0.7 else question.dataset.purpose_fields
    classification = rng.choice([3, 4])
    if rng.random() < 0.5:
        return _dataset(asked, classification=classification, purpose_fields=entries)
    first, *rest = question.dataset.fields
    raised = (FieldFacts(first.name, classification), *rest)
    return _dataset(asked, fields=raised, purpose_fields=entries)


SPOILERS: tuple[Spoiler, ...] = (
    lambda question, rng: _participant(question, status=rng.choice(STATUSES)),
    lambda question, rng: _dataset(question, provider_status=rng.choice(STATUSES)),
    lambda question, _: _dataset(question, sharing="not-shared"),
    lambda question, _: _dataset(_condition(question), sharing="unconditional"),
    lambda question, _: _dataset(question, purposes=("another-purpose",)),
    lambda question, _: _dataset(question, fields=(*question.dataset.fields, question.dataset.fields[0])),
    lambda question, _: _dataset(
        question, purpose_fields=(PurposeFields(purpose=question.purpose, fields=["no-such-field"]),)
    ),
    _sensitive,
    _sensitive,
    _outsider,
    _territory,
    lambda question, rng: _condition(question, levels=[rng.choice(list(Level))]),
    lambda question, rng: _condition(question, sectors=[rng.choice(["government", "forestry"])]),
    _network,
    lambda question, rng: _condition(question, weekdays=[rng.randint(1, 7)]),
    _hours,
    lambda question, _: replace(question, address=None),
    lambda question, _: _duty(
        _duty(question, _aggregate(_first(question), 2)), _aggregate(_first(question), 3)
    ),
    lambda question, _: _duty(question, Mask(field="no such field", how=MaskNull())),
    lambda question, _: _duty(question, _aggregate("nor this", 9)),
    _seen_without,
    _emergency,
    _emergency,
    _moments,
    lambda question, rng: _agreement(question, state=rng.choice(STATES)),
    lambda question, _: _agreement(question, not_before_ms=question.now_ms + 1),
    lambda question, _: _agreement(question, consumer=NOBODY),
    lambda question, _: _agreement(question, provider=NOBODY),
    lambda question, _: _agreement(question, dataset="another-dataset"),
    lambda question, _: _agreement(question, purpose="another-purpose"),
    lambda question, _: _agreement(question, record_digest_matches=False),
    lambda question, _: _agreement(question, onward_sharing=True),
    lambda question, rng: _subscription(question, state=rng.choice(STATES)),
    lambda question, rng: _subscription(question, owed_receipts=rng.choice([1, MAX_INTEGER])),
    lambda question, rng: _subscription(question, open_grants=rng.choice([32, 33, MAX_INTEGER])),
)
