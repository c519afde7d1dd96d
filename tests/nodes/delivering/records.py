"""Signed records drawn at random, and the questions that uses of their datasets lead to."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hypothesis import strategies as st

from audit.keys.signing import SigningKey
from contracts import library
from contracts.clock import epoch_ms
from contracts.messages import (
    EMERGENCY_PURPOSE,
    AggregateOnly,
    CompoundFilter,
    Condition,
    ContractRef,
    DatasetRecord,
    Duty,
    Expiry,
    FieldFilter,
    Hours,
    Level,
    Mask,
    MaskGeneralise,
    MaskHash,
    MaskNull,
    MaskRound,
    MaskTruncate,
    Measure,
    MemberStatus,
    Profile,
    PurposeFields,
    Quota,
    Rate,
    RowFilter,
    Sharing,
    Text,
    Watermark,
)
from nodes.signed import read_statement, sign_statement
from policies.decision import Question
from policies.facts import (
    AgreementFacts,
    ApplicationFacts,
    DatasetFacts,
    EmergencyFacts,
    FieldFacts,
    ParticipantFacts,
    SubscriptionFacts,
)
from tests.nodes.sharing import CONTRACT, DATASET

BUOY = library.load(CONTRACT)
NAMES = [field.name for field in BUOY.fields]
PURPOSES = ["joint-warning", "green-credit", EMERGENCY_PURPOSE]
SECTORS = ["government", "finance"]
CONSUMER, PROVIDER = "p-aaaaaaaaaaaa", "p-bbbbbbbbbbbb"
MONDAY = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # noon in UTC+8
PROFILE = Profile(
    name=Text(zh="成都", en="Chengdu"),
    admin_code="510100",
    admin_code_edition="2023",
    level=Level.CITY,
    sector="government",
)
WINDOWS = [60, 3600]


@cache
def key() -> SigningKey:
    """Give the provider's key."""
    return SigningKey.generate()


def some(items: list[str], *, least: int = 0) -> st.SearchStrategy[list[str]]:
    """Draw a list that names what it names once; often none at all."""
    return st.lists(st.sampled_from(items), min_size=least, max_size=3, unique=True)


comparisons = st.one_of(
    st.builds(
        FieldFilter,
        operator=st.sampled_from(["lt", "gte", "ne"]),
        field=st.sampled_from(["record_number", "ph", "turbidity"]),
        value=st.integers(-5, 5),
    ),
    st.builds(
        FieldFilter, operator=st.just("startswith"), field=st.just("local_time"), value=st.just("2024")
    ),
    st.builds(
        FieldFilter,
        operator=st.just("in"),
        field=st.just("record_number"),
        value=st.lists(st.integers(0, 9), min_size=1, max_size=3),
    ),
)
filters = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(
            CompoundFilter,
            operator=st.sampled_from(["and", "or"]),
            value=st.lists(inner, min_size=1, max_size=9),
        ),
        st.builds(CompoundFilter, operator=st.just("not"), value=st.lists(inner, min_size=1, max_size=1)),
    ),
    max_leaves=30,
)
masks = st.one_of(
    st.builds(
        Mask,
        field=st.sampled_from(["ph", "temperature", "salinity"]),
        how=st.one_of(
            st.builds(MaskNull), st.builds(MaskHash), st.builds(MaskRound, digits=st.integers(-1, 3))
        ),
    ),
    st.builds(
        Mask,
        field=st.just("local_time"),
        how=st.one_of(
            st.builds(MaskHash),
            st.builds(MaskTruncate, characters=st.sampled_from([4, 7, 10])),
            st.builds(MaskGeneralise, to=st.sampled_from(["year", "month", "day"])),
        ),
    ),
)
aggregates = st.builds(
    AggregateOnly,
    by=some(["local_time", "record_number", "water_direction"], least=1),
    measures=st.lists(
        st.builds(
            Measure,
            field=st.sampled_from(["turbidity", "chlorophyll"]),
            function=st.sampled_from(["count", "mean", "sum"]),
        ),
        min_size=1,
        max_size=2,
        unique_by=lambda measure: (measure.field, measure.function),
    ),
    min_group=st.integers(2, 9),
)
quotas = st.builds(
    Quota,
    unit=st.sampled_from(["rows", "bytes", "releases"]),
    limit=st.integers(1, 2**53 - 1),
    window_seconds=st.sampled_from(WINDOWS),
)
rates = st.builds(Rate, fetches=st.integers(1, 99), window_seconds=st.sampled_from(WINDOWS))
kept = st.one_of(quotas, rates, st.builds(Expiry, days=st.sampled_from([1, 30, 365, 400, 3650])))
demanded = st.one_of(masks, st.builds(RowFilter, rows=filters), aggregates, kept, st.builds(Watermark))


@dataclass(frozen=True, slots=True)
class Use:
    """A record as its provider signed it, who asks to use the dataset, and the question of it."""

    record: DatasetRecord
    profile: Profile
    question: Question


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    """Draw a condition that the consumer meets more often than not."""
    return Condition(
        purposes=draw(some(PURPOSES)),
        territories=draw(some(["510000", "510100", "500000"])),
        levels=draw(st.sampled_from([[], [], [Level.CITY], [Level.CITY, Level.PROVINCE], [Level.NATIONAL]])),
        sectors=draw(some(SECTORS)),
        networks=draw(st.sampled_from([[], ["10.51.0.0/16"], ["2001:db8::/32", "10.0.0.0/8"]])),
        weekdays=draw(st.sampled_from([[], [1], [1, 7], [2]])),
        hours=draw(
            st.sampled_from([None, Hours(begin=8, end=13), Hours(begin=22, end=13), Hours(begin=13, end=20)])
        ),
    )


@st.composite
def duties(draw: st.DrawFn) -> Duty:
    """Draw a duty that is asked of the consumer more often than not."""
    return Duty(
        purposes=draw(st.just([]) | some(PURPOSES)),
        levels=draw(st.sampled_from([[], [], [Level.CITY], [Level.PROVINCE, Level.CITY], [Level.NONE]])),
        sectors=draw(st.just([]) | some(SECTORS)),
        obligation=draw(demanded),
    )


def signed(**changes: Any) -> DatasetRecord:
    """Read a record back from what its provider signed."""
    fields: dict[str, Any] = {
        "dataset": DATASET,
        "provider": PROVIDER,
        "number": 1,
        "title": Text(zh="河流浮标", en="River buoy"),
        "contract": ContractRef(id=BUOY.id, version=BUOY.version, digest=BUOY.digest),
        "theme": BUOY.theme,
        "sharing": Sharing.CONDITIONAL,
        "sharing_basis": "Order 809, art. 14",
        "classification": 1,
        "purposes": [],
        "purpose_fields": [],
        "place": "Brisbane River",
        "synthetic": True,
        "update_frequency": "hourly",
        "at": MONDAY,
    }
    text = sign_statement(DatasetRecord(**(fields | changes)), key()).text
    return read_statement(text, DatasetRecord, key().public).statement


def use_of(
    record: DatasetRecord, *, purpose: str = PURPOSES[0], profile: Profile = PROFILE, **facts: Any
) -> Use:
    """Ask to use a dataset on Monday; ``facts`` are those of the question that are not as usual."""
    question = Question(
        action="transfer",
        now_ms=epoch_ms(MONDAY),
        participant=ParticipantFacts.of(CONSUMER, MemberStatus.ACTIVE, profile),
        dataset=DatasetFacts.of(
            record,
            provider_status=MemberStatus.ACTIVE,
            provider=PROFILE,
            fields=tuple(FieldFacts(field.name, field.classification) for field in BUOY.fields),
        ),
        purpose=purpose,
    )
    return Use(record, profile, _in_full(replace(question, **facts)))


@st.composite
def records(draw: st.DrawFn) -> DatasetRecord:
    """Draw a record."""
    offered = draw(some(PURPOSES))
    named = st.sampled_from(offered or PURPOSES)
    fields = st.just(NAMES) | st.lists(st.sampled_from(NAMES), min_size=1, unique=True)
    sharing = draw(st.sampled_from([Sharing.CONDITIONAL, Sharing.CONDITIONAL, Sharing.UNCONDITIONAL]))
    return signed(
        sharing=sharing,
        classification=draw(st.sampled_from([1, 1, 2, 3, 4])),
        purposes=offered,
        purpose_fields=draw(st.lists(st.builds(PurposeFields, purpose=named, fields=fields), max_size=3)),
        conditions=draw(st.lists(conditions(), max_size=2)) if sharing is Sharing.CONDITIONAL else [],
        duties=draw(st.lists(duties(), max_size=6)),
        emergency=draw(st.booleans()),
    )


@st.composite
def uses(draw: st.DrawFn) -> Use:
    """Draw a use of a dataset for a purpose that its record offers."""
    record = draw(records())
    purpose = draw(st.sampled_from(record.purposes or PURPOSES))
    level = draw(st.sampled_from([Level.CITY, Level.PROVINCE, Level.NATIONAL, Level.NONE]))
    until_ms = epoch_ms(MONDAY) + draw(st.sampled_from([1, 86_400_000]))
    is_declared = purpose == EMERGENCY_PURPOSE and draw(st.booleans())
    return use_of(
        record,
        purpose=purpose,
        profile=PROFILE.model_copy(update={"level": level, "sector": draw(st.sampled_from(SECTORS))}),
        action=draw(st.sampled_from(["apply", "transfer"])),
        emergency=EmergencyFacts("m-aaaaaaaaaaaa", until_ms) if is_declared else None,
        address=draw(st.sampled_from(["10.51.3.4", "2001:db8::7", None])),
    )


def _in_full(question: Question) -> Question:
    """Add the facts that the action brings along, all in order."""
    now_ms = question.now_ms
    if question.action == "apply":
        return replace(question, application=ApplicationFacts(now_ms + 86_400_000))
    agreement = AgreementFacts(
        agreement="a-cccccccccccc",
        state="active",
        consumer=CONSUMER,
        provider=PROVIDER,
        dataset=DATASET,
        purpose=question.purpose,
        not_before_ms=now_ms,
        expires_ms=now_ms + 86_400_000,
        record_digest_matches=True,
    )
    return replace(question, agreement=agreement, subscription=SubscriptionFacts("active", 0, 0))
