"""What a provider demands by its own record: a grant that hides less is refused, a stricter one is not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts import library
from contracts.messages import (
    AggregateOnly,
    Condition,
    DatasetRecord,
    Duty,
    Expiry,
    FieldFilter,
    Hours,
    Level,
    Mask,
    MaskHash,
    MaskNull,
    MaskRound,
    Measure,
    Obligation,
    Profile,
    PurposeBinding,
    PurposeFields,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Sharing,
    Text,
    Watermark,
)
from contracts.messages.obligations import CompoundFilter
from nodes.delivering.minimum import (
    ConditionsNotMet,
    ObligationsTooWeak,
    check_conditions,
    check_minimum,
    check_recipients,
)
from nodes.granted import ObligationUnknown
from nodes.offers import approve
from nodes.receiving.apply import apply_for, subscribe
from tests.nodes.delivering.presented import refused
from tests.nodes.sharing import CONTRACT, DATASET, PURPOSE, World

BUOY = library.load(CONTRACT)
BANK = "p-222222222222"
CITY = Profile(
    name=Text(zh="成都", en="Chengdu"),
    admin_code="510100",
    admin_code_edition="2023",
    level=Level.CITY,
    sector="ecology",
)
BINDING = PurposeBinding(purpose=PURPOSE)
EARLY = FieldFilter(operator="lt", field="record_number", value=10)
LATE = FieldFilter(operator="gt", field="record_number", value=2)
FIGURES = AggregateOnly(
    by=["local_time", "record_number"],
    measures=[Measure(field="ph", function="mean"), Measure(field="ph", function="count")],
    min_group=5,
)
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # a Monday, noon in UTC+8


def record(**changes: Any) -> DatasetRecord:
    fields: dict[str, Any] = {"purpose_fields": [], "conditions": [], "duties": []}
    return DatasetRecord.model_construct(**(fields | changes))


def check(asked: Any, *given: Obligation, **when: Any) -> None:
    own = record(duties=[Duty(obligation=asked, **when)])
    check_minimum(own, BUOY, PURPOSE, CITY, obligations=[*given, BINDING])


def joined(*parts: FieldFilter) -> RowFilter:
    return RowFilter(rows=CompoundFilter(operator="and", value=list(parts)))


ENOUGH: list[tuple[Any, list[Obligation]]] = [
    (Mask(field="ph", how=MaskRound(digits=0)), [Mask(field="ph", how=MaskRound(digits=0))]),
    (Mask(field="ph", how=MaskRound(digits=0)), [Mask(field="ph", how=MaskNull())]),
    (Mask(field="ph", how=MaskRound(digits=0)), [Redact(fields=["ph"])]),
    (Mask(field="local_time", how=MaskHash()), [Mask(field="local_time", how=MaskHash(recipient=BANK))]),
    (RowFilter(rows=EARLY), [RowFilter(rows=EARLY)]),
    (RowFilter(rows=EARLY), [joined(LATE, EARLY)]),
    (joined(EARLY, LATE), [joined(LATE, EARLY)]),
    (FIGURES, [FIGURES]),
    (FIGURES, [FIGURES.model_copy(update={"min_group": 9, "measures": FIGURES.measures[:1]})]),
    (
        Quota(unit="rows", limit=10, window_seconds=60),
        [Quota(unit="rows", limit=9, window_seconds=3600)],
    ),
    (Rate(fetches=5, window_seconds=60), [Rate(fetches=5, window_seconds=60)]),
    (Watermark(), [Watermark(recipient=BANK)]),
    (Expiry(days=30), [Expiry(days=7)]),
]
TOO_LITTLE: list[tuple[Any, list[Obligation]]] = [
    (Mask(field="ph", how=MaskRound(digits=0)), []),
    (Mask(field="ph", how=MaskRound(digits=0)), [Mask(field="ph", how=MaskRound(digits=1))]),
    (Mask(field="ph", how=MaskRound(digits=0)), [Mask(field="temperature", how=MaskNull())]),
    (Mask(field="ph", how=MaskNull()), [Mask(field="ph", how=MaskRound(digits=0))]),
    (Mask(field="local_time", how=MaskHash()), [Mask(field="local_time", how=MaskHash())]),
    (RowFilter(rows=EARLY), []),
    (RowFilter(rows=EARLY), [RowFilter(rows=LATE)]),
    (joined(EARLY, LATE), [RowFilter(rows=EARLY)]),
    (
        RowFilter(rows=EARLY),
        [RowFilter(rows=CompoundFilter(operator="or", value=[EARLY, LATE]))],
    ),
    (FIGURES, []),
    (FIGURES, [FIGURES.model_copy(update={"min_group": 4})]),
    (FIGURES, [FIGURES.model_copy(update={"by": ["local_time", "temperature"]})]),
    (FIGURES, [FIGURES.model_copy(update={"by": ["local_time"]})]),
    (FIGURES, [RowFilter(rows=EARLY), FIGURES]),
    (FIGURES, [FIGURES.model_copy(update={"measures": [Measure(field="ph", function="sum")]})]),
    (
        Quota(unit="rows", limit=10, window_seconds=60),
        [Quota(unit="rows", limit=11, window_seconds=60)],
    ),
    (Quota(unit="rows", limit=10, window_seconds=60), [Quota(unit="bytes", limit=1, window_seconds=60)]),
    (
        Quota(unit="rows", limit=10, window_seconds=3600),
        [Quota(unit="rows", limit=10, window_seconds=60)],
    ),
    (Rate(fetches=5, window_seconds=60), [Rate(fetches=6, window_seconds=60)]),
    (Rate(fetches=5, window_seconds=60), [Rate(fetches=5, window_seconds=59)]),
    (Watermark(), [Watermark()]),
    (Expiry(days=30), [Expiry(days=31)]),
]


@pytest.mark.parametrize(("asked", "given"), ENOUGH)
def test_a_grant_that_hides_as_much_or_more_passes(asked: Any, given: list[Obligation]) -> None:
    """Stricter is always allowed: emptied fields, smaller quotas, larger groups, earlier ends."""
    check(asked, *given)

    with pytest.raises(ObligationsTooWeak):
        check(asked)


@pytest.mark.parametrize(("asked", "given"), TOO_LITTLE)
def test_a_grant_that_hides_less_is_refused(asked: Any, given: list[Obligation]) -> None:
    """Whatever the exchange's policy said, the own record has the last word."""
    with pytest.raises(ObligationsTooWeak):
        check(asked, *given)


HIDING: list[Obligation] = [
    Redact(fields=["record_number"]),
    Mask(field="record_number", how=MaskRound(digits=-2)),
]


@pytest.mark.parametrize("hiding", HIDING)
@pytest.mark.parametrize("rows", [RowFilter(rows=EARLY), joined(LATE, EARLY)])
def test_an_added_filter_on_a_hidden_field_is_refused(hiding: Obligation, rows: RowFilter) -> None:
    """Grant after grant with other bounds, the rows that stay would spell out what is hidden."""
    given = [hiding, rows, BINDING]
    check_minimum(record(), BUOY, PURPOSE, CITY, obligations=[rows, BINDING])
    check_minimum(record(duties=[Duty(obligation=rows)]), BUOY, PURPOSE, CITY, obligations=given)

    with pytest.raises(ObligationsTooWeak):
        check_minimum(record(), BUOY, PURPOSE, CITY, obligations=given)
    with pytest.raises(ObligationsTooWeak):
        check_minimum(
            record(duties=[Duty(obligation=rows, sectors=["bank"])]),
            BUOY,
            PURPOSE,
            CITY,
            obligations=given,
        )


def test_figures_are_of_the_rows_that_the_record_says() -> None:
    """Two sums whose rows differ by one tell that row, so no filter comes to figures but the record's."""
    own = record(duties=[Duty(obligation=RowFilter(rows=EARLY)), Duty(obligation=FIGURES)])
    check_minimum(own, BUOY, PURPOSE, CITY, obligations=[RowFilter(rows=EARLY), FIGURES, BINDING])

    with pytest.raises(ObligationsTooWeak):
        check_minimum(own, BUOY, PURPOSE, CITY, obligations=[joined(EARLY, LATE), FIGURES, BINDING])


@pytest.mark.parametrize(
    "when", [{"purposes": ["another-use"]}, {"levels": [Level.NONE]}, {"sectors": ["bank"]}]
)
def test_a_duty_for_others_is_not_demanded(when: dict[str, Any]) -> None:
    """A duty holds for its purposes, levels and sectors; the directory says what the consumer is."""
    check(Watermark(), **when)

    with pytest.raises(ObligationsTooWeak):
        check(Watermark(), purposes=[PURPOSE], levels=[Level.CITY], sectors=["ecology"])


def test_every_entry_for_a_purpose_hides_what_it_leaves_out() -> None:
    """A second, wider entry for the same purpose never widens the first."""
    own = record(
        purpose_fields=[
            PurposeFields(purpose=PURPOSE, fields=["ph"]),
            PurposeFields(purpose=PURPOSE, fields=["ph", "temperature"]),
        ]
    )
    known = {field.name for field in BUOY.fields}

    check_minimum(own, BUOY, PURPOSE, CITY, obligations=[Redact(fields=sorted(known - {"ph"})), BINDING])
    with pytest.raises(ObligationsTooWeak):
        check_minimum(
            own,
            BUOY,
            PURPOSE,
            CITY,
            obligations=[Redact(fields=sorted(known - {"ph", "temperature"})), BINDING],
        )


@pytest.mark.parametrize("bound", [[], ["another-use"], [PURPOSE, PURPOSE]])
def test_the_data_is_bound_to_the_purpose_exactly_once(bound: list[str]) -> None:
    """Without its binding nothing leaves."""
    with pytest.raises(ObligationsTooWeak):
        check_minimum(
            record(),
            BUOY,
            PURPOSE,
            CITY,
            obligations=[PurposeBinding(purpose=purpose) for purpose in bound],
        )


@pytest.mark.parametrize(
    "obligation",
    [
        Watermark(recipient="p-333333333333"),
        Watermark(),
        Mask(field="local_time", how=MaskHash(recipient="p-333333333333")),
        Mask(field="local_time", how=MaskHash()),
    ],
)
def test_marks_and_keyed_hashes_are_made_for_the_consumer_only(obligation: Obligation) -> None:
    """A view for one is never another's."""
    with pytest.raises(ObligationUnknown):
        check_recipients([obligation], BANK)


@pytest.mark.parametrize(
    ("admitted", "condition"),
    [
        (True, Condition(territories=["510000"])),
        (True, Condition(territories=["500000", "510100"])),
        (False, Condition(territories=["510107"])),
        (False, Condition(territories=["500000"])),
        (True, Condition(levels=[Level.CITY])),
        (False, Condition(levels=[Level.PROVINCE])),
        (False, Condition(sectors=["bank"])),
        (True, Condition(purposes=["another-use"], sectors=["bank"])),
        (True, Condition(weekdays=[1])),
        (False, Condition(weekdays=[7])),
        (True, Condition(hours=Hours(begin=12, end=13))),
        (False, Condition(hours=Hours(begin=13, end=24))),
        (True, Condition(hours=Hours(begin=22, end=13))),
        (False, Condition(hours=Hours(begin=22, end=6))),
        (True, Condition(networks=["192.0.2.0/24"])),
    ],
)
def test_conditions_are_held_against_the_directory_and_the_hour(admitted: bool, condition: Condition) -> None:
    """Territory, level, sector, day and hour in UTC+8; the network is the exchange's to see."""
    own = record(conditions=[Condition(levels=[Level.CITY]), condition])

    if admitted:
        check_conditions(own, PURPOSE, CITY, NOON)
    else:
        with pytest.raises(ConditionsNotMet):
            check_conditions(own, PURPOSE, CITY, NOON)


def test_an_organisation_without_a_territory_meets_no_territory() -> None:
    """A bank has no administrative code, so it lies nowhere."""
    bank = CITY.model_copy(update={"admin_code": None, "admin_code_edition": None})

    with pytest.raises(ConditionsNotMet):
        check_conditions(record(conditions=[Condition(territories=["510000"])]), PURPOSE, bank, NOON)


def test_a_decision_of_the_last_seconds_of_an_open_hour_counts() -> None:
    """A grant may be signed a moment after its decision, across the stroke of the hour."""
    until_noon = record(conditions=[Condition(hours=Hours(begin=8, end=12))])

    check_conditions(until_noon, PURPOSE, CITY, NOON.replace(second=4))
    with pytest.raises(ConditionsNotMet):
        check_conditions(until_noon, PURPOSE, CITY, NOON.replace(second=6))


def test_a_grant_that_forgets_a_duty_is_refused_by_the_node(world: World) -> None:
    """The exchange granted and logged it, and still no byte leaves; the grant is given up with the reason."""
    subscription = world.ready(duties=[Duty(obligation=Watermark())])
    world.exchange.obligations = lambda _: [BINDING]

    refused(world, world.present(world.granted(subscription)), "obligations-too-weak")


def test_a_grant_outside_a_condition_is_refused_by_the_node(world: World) -> None:
    """The exchange overlooked where the consumer lies; the provider's directory did not."""
    world.declare(sharing=Sharing.CONDITIONAL, conditions=[Condition(sectors=["nobody"])])
    world.publish()
    asked = apply_for(world.consumer, world.request())
    approve(world.provider, asked.application, "li-wei")
    subscription = subscribe(world.consumer, DATASET).subscription

    refused(world, world.present(world.granted(subscription)), "conditions-not-met")


def test_a_grant_that_names_another_recipient_is_refused_by_the_node(world: World) -> None:
    """A mark for somebody else would accuse the wrong one."""
    subscription = world.ready()
    world.exchange.obligations = lambda _: [Watermark(recipient=BANK), BINDING]

    refused(world, world.present(world.granted(subscription)), "obligation-unknown")
