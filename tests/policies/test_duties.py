"""What the policy makes of a record's duties, held against the same rules written a second time in Python."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import TypeVar

import orjson
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import (
    AggregateOnly,
    CompoundFilter,
    Duty,
    Expiry,
    Mask,
    MaskHash,
    MaskNull,
    Obligation,
    PurposeBinding,
    PurposeFields,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Watermark,
    Wire,
)
from policies.decision import Decision
from policies.embedded import EmbeddedEngine, open_embedded
from policies.guard import outgoing, read_obligations
from tests.policies.obligations import demanded, masks, obligations
from tests.policies.questions import APPLY, CONSUMER, DATASET, PARTICIPANT, apply_for

Part = TypeVar("Part", bound=Wire)


@cache
def engine() -> EmbeddedEngine:
    """Open the shipped policy once."""
    return open_embedded("")


@given(obligation=obligations)
def test_the_schema_takes_every_obligation_of_the_vocabulary(obligation: Obligation) -> None:
    """What the types allow, the schema around each engine allows too, and reads back the same."""
    assert read_obligations([obligation.model_dump(mode="json")]) == (obligation,)


@given(
    asked=st.lists(st.one_of(masks, demanded), max_size=6),
    named=st.none() | st.sets(st.sampled_from(["station", "pm25", "operator", "运维单位"]), min_size=1),
    sector=st.sampled_from(["government", "finance"]),
    classification=st.integers(1, 4),
)
def test_duties_are_merged_by_the_rules(
    asked: list[Obligation], named: set[str] | None, sector: str, classification: int
) -> None:
    """One mask a field, filters joined, no figure of what is hidden, in one order, for this consumer."""
    lists = () if named is None else (PurposeFields(purpose="green-credit", fields=sorted(named)),)
    dataset = replace(
        DATASET,
        classification=classification,
        purpose_fields=lists,
        duties=tuple(Duty(obligation=item) for item in asked),  # type: ignore[arg-type]  # drawn from demanded
    )
    participant = replace(PARTICIPANT, level="national", sector=sector)
    question = replace(apply_for("green-credit"), dataset=dataset, participant=participant)
    hidden = sorted({field.name for field in DATASET.fields} - named) if named is not None else []
    expected = list(
        merged(asked, hidden, marked=sector == "finance" or classification > 2, outside=sector == "finance")
    )

    decision = engine().decide_now(question)

    assert decision.outcome != "indeterminate", decision.codes
    if sector == "finance" and named is None:
        assert "sector-not-named" in decision.codes
    elif in_conflict(asked, hidden):
        assert decision.codes == ["duties-conflict"]
    else:
        assert list(decision.obligations) == expected


def merged(
    asked: Iterable[Obligation], hidden: list[str], *, marked: bool, outside: bool
) -> Iterator[Obligation]:
    """Write the list of obligations a second time."""
    if hidden:
        yield Redact(fields=hidden)
    ways: dict[str, set[bytes]] = {}
    for item in asked:
        if isinstance(item, Mask):
            how = MaskHash(recipient=CONSUMER) if isinstance(item.how, MaskHash) else item.how
            ways.setdefault(item.field, set()).add(Mask(field=item.field, how=how).canonical())
    for field in sorted(ways.keys() - set(hidden)):
        whole = sorted(ways[field])
        yield Mask.parse(whole[0]) if len(whole) == 1 else Mask(field=field, how=MaskNull())
    rows = distinct(item.rows for item in asked if isinstance(item, RowFilter))
    if rows:
        yield RowFilter(rows=rows[0] if len(rows) == 1 else CompoundFilter(operator="and", value=rows))
    for kind in (AggregateOnly, Quota, Rate):
        yield from distinct(item for item in asked if isinstance(item, kind))
    if marked or any(isinstance(item, Watermark) for item in asked):
        yield Watermark(recipient=CONSUMER)
    yield PurposeBinding(purpose="green-credit")
    days = [item.days for item in asked if isinstance(item, Expiry)] + [365] * outside
    if days:
        yield Expiry(days=min(days))


def in_conflict(asked: list[Obligation], hidden: list[str]) -> bool:
    """Say whether two aggregates are asked, or a figure of a hidden or masked field."""
    aggregates = distinct(item for item in asked if isinstance(item, AggregateOnly))
    figures = {name for item in aggregates for name in [*item.by, *(part.field for part in item.measures)]}
    masked = {item.field for item in asked if isinstance(item, Mask)}
    return len(aggregates) > 1 or bool(figures & (masked | set(hidden)))


def distinct(parts: Iterable[Part]) -> list[Part]:
    """Drop repetitions, and sort as Rego sorts: by type, then by value, objects by their sorted pairs."""
    found = {part.canonical(): part for part in parts}
    return [found[raw] for raw in sorted(found, key=lambda raw: rank(orjson.loads(raw)))]


def rank(value: object) -> tuple[object, ...]:
    """Give Rego's order as a key: null, booleans, numbers, strings, arrays, objects."""
    match value:
        case None:
            return (0,)
        case bool():
            return (1, value)
        case int():
            return (2, value)
        case str():
            return (3, value.encode())
        case list():
            return (4, tuple(rank(item) for item in value))
        case dict():
            return (5, tuple((key.encode(), rank(item)) for key, item in sorted(value.items())))
        case _:
            raise TypeError(type(value))


def decide_with(*duties: Duty) -> Decision:
    """Ask to apply for the dataset whose record has these duties."""
    return engine().decide_now(replace(APPLY, dataset=replace(DATASET, duties=duties)))


def test_the_order_of_a_record_does_not_change_the_digest() -> None:
    """The same duties in another order, and repeated, impose the same list."""
    duties = [
        Duty(obligation=Mask(field="pm25", how=MaskNull())),
        Duty(obligation=Mask(field="station", how=MaskHash())),
        Duty(obligation=Quota(unit="rows", limit=9, window_seconds=60)),
        Duty(obligation=Rate(fetches=9, window_seconds=60)),
    ]

    assert decide_with(*duties).obligations == decide_with(*reversed(duties), duties[0]).obligations


def test_joined_filters_beyond_the_limits_are_undecided() -> None:
    """Filters that fit one by one but not together give no permit; a record should not carry such."""
    wide = CompoundFilter.model_validate(
        {
            "operator": "or",
            "value": [{"type": "field", "operator": "eq", "field": "pm25", "value": n} for n in range(60)],
        }
    )
    other = wide.model_copy(update={"operator": "and"})

    decision = decide_with(Duty(obligation=RowFilter(rows=wide)), Duty(obligation=RowFilter(rows=other)))

    assert (decision.outcome, decision.codes) == ("indeterminate", ["pdp:bad-answer"])


def test_what_the_engine_is_asked_names_the_duties() -> None:
    """Duties travel in the question, so they are part of its revision."""
    asked = replace(APPLY, dataset=replace(DATASET, duties=(Duty(obligation=Expiry(days=3)),)))

    assert b'"kind":"expiry"' in outgoing(asked)
    assert asked.revision != APPLY.revision
