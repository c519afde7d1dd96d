"""The policy and the provider read one record alike: what the policy imposes is what the provider demands.

The two are written apart, in Rego and in Python, so that neither has to be trusted; here they are held
against each other on signed records drawn at random.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import assume, given, settings

from contracts.errors import Refused
from contracts.messages import (
    AggregateOnly,
    CompoundFilter,
    Duty,
    Expiry,
    FieldFilter,
    Mask,
    MaskHash,
    MaskHow,
    MaskRound,
    MaskTruncate,
    Measure,
    Obligation,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Watermark,
)
from contracts.view import shape_view
from nodes.delivering.minimum import check_conditions, check_minimum, check_recipients
from nodes.publishing.terms import term_faults
from policies.decision import Decision
from policies.embedded import EmbeddedEngine, open_embedded
from tests.nodes.delivering.records import BUOY, CONSUMER, MONDAY, NAMES, Use, signed, use_of, uses

OTHER = "p-zzzzzzzzzzzz"
ANOTHER = FieldFilter(operator="ne", field="chlorophyll", value=-7)


@cache
def engine() -> EmbeddedEngine:
    """Open the shipped policy once."""
    return open_embedded("")


def decide(use: Use) -> Decision:
    return engine().decide_now(use.question)


def check(use: Use, obligations: Sequence[Obligation]) -> None:
    """Hold obligations against the record as its provider does."""
    check_recipients(obligations, CONSUMER)
    check_minimum(use.record, BUOY, use.question.purpose, use.profile, obligations=obligations)


@settings(max_examples=150)
@given(use=uses())
def test_what_the_policy_imposes_is_enough_for_the_provider(use: Use) -> None:
    """A permit is never refused by the record that it was given under: not its duties, not its conditions."""
    decision = decide(use)
    assume(decision.allowed)

    check(use, decision.obligations)
    if use.question.action == "transfer" and use.question.emergency is None:
        check_conditions(use.record, use.question.purpose, use.profile, MONDAY)


@settings(max_examples=150)
@given(use=uses())
def test_one_obligation_less_is_refused(use: Use) -> None:
    """Of what came from the record nothing can be left out or loosened, one thing at a time."""
    decision = decide(use)
    assume(decision.allowed)
    imposed = list(decision.obligations)

    for at in places(use, imposed):
        for changed in loosened(imposed, at):
            with pytest.raises(Refused):
                check(use, changed)


@settings(max_examples=150)
@given(use=uses())
def test_a_record_that_passes_its_terms_is_always_decided(use: Use) -> None:
    """Terms that hold together lead to a permit or to a denial, and a permit can be met on the contract."""
    assume(not term_faults(use.record, BUOY))

    decision = decide(use)

    assert decision.outcome in {"permit", "deny"}, decision.codes
    if decision.allowed:
        assert shape_view(BUOY, decision.obligations).source == BUOY


@pytest.mark.parametrize(
    ("fits", "sizes"),
    [
        (True, [(64, 2)]),
        (True, [(8, 8)]),
        (True, [(31, 2), (32, 2)]),
        (False, [(32, 2), (32, 2)]),
        (True, [(21, 2), (21, 2), (21, 2)]),
        (False, [(22, 2), (21, 2), (21, 2)]),
        (True, [(7, 7), (2, 2)]),
        (False, [(8, 8), (2, 2)]),
    ],
)
def test_terms_and_policy_draw_one_line_for_joined_filters(fits: bool, sizes: list[tuple[int, int]]) -> None:
    """Terms refuse just those filters that would leave every use undecided: 64 parts and 8 deep, joined."""
    filters = [rows_of(parts, depth, first=at * 100) for at, (parts, depth) in enumerate(sizes)]
    use = use_of(signed(duties=[Duty(obligation=RowFilter(rows=rows)) for rows in filters]))

    assert (term_faults(use.record, BUOY) == []) is fits
    assert decide(use).outcome == ("permit" if fits else "indeterminate")


def rows_of(parts: int, depth: int, *, first: int) -> CompoundFilter:
    """Make a filter of so many parts, so deep."""
    leaves = [
        FieldFilter(operator="eq", field="record_number", value=first + at) for at in range(parts - depth + 1)
    ]
    rows: FieldFilter | CompoundFilter = leaves[0]
    for _ in range(depth - 2):
        rows = CompoundFilter(operator="or", value=[rows])
    return CompoundFilter(operator="or", value=[rows, *leaves[1:]])


def places(use: Use, imposed: list[Obligation]) -> Iterator[int]:
    """Find the obligations that came from the record: those that are not imposed without its duties."""
    bare = replace(use.question, dataset=replace(use.question.dataset, duties=()))
    by_alliance = engine().decide_now(bare).obligations
    for at, item in enumerate(imposed):
        is_always = isinstance(item, Redact | PurposeBinding)
        if is_always or (item not in by_alliance and not is_implied(item, imposed)):
            yield at


def is_implied(item: Obligation, imposed: list[Obligation]) -> bool:
    """Say whether another limit of the kind may be at least as strict, so that this one may go."""
    return isinstance(item, Quota | Rate) and [type(one) for one in imposed].count(type(item)) > 1


def loosened(imposed: list[Obligation], at: int) -> Iterator[list[Obligation]]:
    """Leave one obligation out, and write it weaker in each way that it has."""
    before, after = imposed[:at], imposed[at + 1 :]
    yield before + after
    for weaker in weakened(imposed[at]):
        yield [*before, weaker, *after]


def weakened(item: Obligation) -> Iterator[Obligation]:
    """Write an obligation so that it hides, limits or binds less."""
    match item:
        case Redact():
            for name in item.fields if len(item.fields) > 1 else []:
                yield Redact(fields=[field for field in item.fields if field != name])
        case Mask():
            hows: list[MaskHow] = [
                MaskRound(digits=9),
                MaskTruncate(characters=200),
                MaskHash(),
                MaskHash(recipient=OTHER),
            ]
            yield from (Mask(field=item.field, how=how) for how in hows)
            yield Mask(field=next(name for name in NAMES if name != item.field), how=item.how)
        case RowFilter():
            yield RowFilter(rows=CompoundFilter(operator="or", value=[item.rows, ANOTHER]))
            yield RowFilter(rows=CompoundFilter(operator="not", value=[item.rows]))
        case AggregateOnly():
            if item.min_group > 2:
                yield item.model_copy(update={"min_group": item.min_group - 1})
            yield item.model_copy(update={"by": [*item.by, "water_speed"]})
            figure = Measure(field="water_speed", function="mean")
            yield item.model_copy(update={"measures": [*item.measures, figure]})
        case Quota():
            yield item.model_copy(update={"limit": item.limit + 1})
            yield item.model_copy(update={"window_seconds": item.window_seconds - 1})
        case Rate():
            yield item.model_copy(update={"fetches": item.fetches + 1})
            yield item.model_copy(update={"window_seconds": item.window_seconds - 1})
        case Watermark():
            yield Watermark()
            yield Watermark(recipient=OTHER)
        case PurposeBinding():
            yield PurposeBinding(purpose="another-use")
        case Expiry():
            yield item.model_copy(update={"days": item.days + 1})
