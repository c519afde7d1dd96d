"""Questions, their revision, and the decisions that the shipped policy gives them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import (
    Agreement,
    Condition,
    ContractRef,
    DatasetRecord,
    Level,
    Member,
    MemberStatus,
    Profile,
    PurposeBinding,
    PurposeFields,
    Redact,
    Sharing,
    Text,
    Watermark,
)
from policies.embedded import EmbeddedEngine, open_embedded
from policies.facts import (
    AgreementFacts,
    DatasetFacts,
    EmergencyFacts,
    FieldFacts,
    ParticipantFacts,
    SubscriptionFacts,
)
from tests.policies.questions import (
    AGREEMENT,
    APPLY,
    CONSUMER,
    DATASET,
    NOW_MS,
    PARTICIPANT,
    TRANSFER,
    apply_for,
)

DIGEST = "sha256:" + "0" * 64
KEY = "ed25519:" + "A" * 43 + "="


@pytest.fixture(scope="module")
def engine() -> Iterator[EmbeddedEngine]:
    engine = open_embedded("")
    yield engine
    engine.close()


def test_a_transfer_under_an_agreement_in_force_is_permitted(engine: EmbeddedEngine) -> None:
    """All facts hold: the answer is a permit with its ground, its duty, its policy and its revision."""
    decision = engine.decide_now(TRANSFER)

    assert (decision.allowed, decision.outcome) == (True, "permit")
    assert decision.codes == ["agreement-in-force"]
    assert decision.reasons[0].en == "Agreement a-cccccccccccc is in force."
    assert decision.obligations == (PurposeBinding(purpose="joint-warning"),)
    assert decision.policy_digest == engine.digest
    assert decision.revision == TRANSFER.revision
    assert decision.valid_until_ms == NOW_MS + 5000


def test_a_denial_gives_every_reason_in_both_languages(engine: EmbeddedEngine) -> None:
    """Denials override, all of them are told, and none carries an obligation."""
    suspended = replace(PARTICIPANT, status="suspended")
    hidden = replace(DATASET, sharing="not-shared", sharing_basis="《保守国家秘密法》第九条")

    decision = engine.decide_now(replace(TRANSFER, participant=suspended, dataset=hidden))

    assert (decision.allowed, decision.outcome) == (False, "deny")
    assert decision.codes == ["consumer-not-active", "dataset-not-shared"]
    assert decision.reasons[1].zh == "该数据不予共享,依据:《保守国家秘密法》第九条"
    assert decision.obligations == ()
    assert decision.valid_until_ms == NOW_MS


def test_a_purpose_with_an_entry_sees_only_its_fields(engine: EmbeddedEngine) -> None:
    """Every contract field outside the purpose's list is redacted, sorted."""
    decision = engine.decide_now(apply_for("green-credit"))

    assert decision.obligations == (
        Redact(fields=["operator", "运维单位"]),
        PurposeBinding(purpose="green-credit"),
    )


def test_a_bank_may_apply_only_for_a_purpose_with_fields(engine: EmbeddedEngine) -> None:
    """Outside government the provider must have said what a purpose may see."""
    bank = ParticipantFacts("p-dddddddddddd", "active", "none", None, "finance")

    refused = engine.decide_now(replace(APPLY, participant=bank))
    permitted = engine.decide_now(replace(apply_for("green-credit"), participant=bank))

    assert refused.codes == ["sector-not-named"]
    assert permitted.outcome == "permit"


def test_the_revision_names_the_facts_and_not_the_moment() -> None:
    """The same facts a second later have the same revision; any other fact changes it."""
    later = replace(TRANSFER, now_ms=NOW_MS + 1000)
    changed = replace(TRANSFER, agreement=replace(AGREEMENT, state="ended"))

    assert later.revision == TRANSFER.revision
    assert changed.revision != TRANSFER.revision
    assert APPLY.revision != TRANSFER.revision


def test_facts_are_read_from_signed_shapes() -> None:
    """Member, record and agreement give the facts that the policy asks for."""
    text = Text(zh="四川", en="Sichuan")
    at = datetime(2026, 11, 22, tzinfo=UTC)
    member = Member(
        participant="p-aaaaaaaaaaaa",
        profile=Profile(
            name=text, admin_code="51", admin_code_edition="2023", level=Level.PROVINCE, sector="government"
        ),
        status=MemberStatus.ACTIVE,
        node_key=KEY,
        sealing_key=KEY,
        witness_vkey=None,
        address=None,
    )
    record = DatasetRecord(
        dataset="air-hourly",
        provider="p-bbbbbbbbbbbb",
        number=1,
        title=text,
        contract=ContractRef(id="air-quality-hourly", version="1.0.0", digest=DIGEST),
        theme="air",
        sharing=Sharing.CONDITIONAL,
        sharing_basis="Order 809 art. 14",
        classification=2,
        purposes=["joint-warning", "green-credit"],
        purpose_fields=[PurposeFields(purpose="green-credit", fields=["station", "pm25"])],
        place="Chengdu",
        synthetic=False,
        update_frequency="PT1H",
        at=at,
    )
    agreement = Agreement(
        agreement="a-cccccccccccc",
        application=DIGEST,
        provider="p-bbbbbbbbbbbb",
        consumer="p-aaaaaaaaaaaa",
        dataset="air-hourly",
        record=record.content_digest(),
        sharing=Sharing.CONDITIONAL,
        purpose="joint-warning",
        not_before=at,
        expires_at=at + timedelta(days=1),
    )

    assert ParticipantFacts.of(member.participant, member.status, member.profile) == PARTICIPANT
    read = DatasetFacts.of(
        record,
        provider_status=MemberStatus.ACTIVE,
        provider=member.profile.model_copy(update={"admin_code": "500000"}),
        fields=DATASET.fields,
    )
    assert read == DATASET
    facts = AgreementFacts.of(agreement, state="active", record=record.content_digest())
    assert facts.record_digest_matches
    assert facts.expires_ms - facts.not_before_ms == 86_400_000
    assert not AgreementFacts.of(agreement, state="active", record=DIGEST).record_digest_matches


NAMES = st.sampled_from(["station", "pm25", "operator", "运维单位", "x-y", "é", "𝄞"])


@given(
    fields=st.sets(NAMES, min_size=1),
    entries=st.lists(
        st.tuples(st.sampled_from(["green-credit", "joint-warning"]), st.lists(NAMES)), max_size=4
    ),
)
def test_no_field_outside_the_purpose_ever_leaves(
    engine: EmbeddedEngine, fields: set[str], entries: list[tuple[str, list[str]]]
) -> None:
    """A permit redacts exactly the fields that some entry for the purpose leaves out; never one less."""
    lists = tuple(PurposeFields(purpose=purpose, fields=named) for purpose, named in entries)
    dataset = replace(DATASET, fields=tuple(FieldFacts(name, 1) for name in fields), purpose_fields=lists)
    hidden = {f for f in fields for p, named in entries if p == "green-credit" and f not in named}

    decision = engine.decide_now(replace(apply_for("green-credit"), dataset=dataset))

    redacted = [field for duty in decision.obligations if isinstance(duty, Redact) for field in duty.fields]
    assert decision.allowed == (hidden != fields)
    assert redacted == (sorted(hidden) if decision.allowed else [])


MOSTLY_ACTIVE = st.sampled_from(
    ["active"] * 8 + ["invited", "pending", "suspended", "quarantined", "revoked"]
)
CLASSES = st.integers(1, 4)


@given(
    status=MOSTLY_ACTIVE,
    provider_status=MOSTLY_ACTIVE,
    sharing=st.sampled_from(["unconditional", "conditional", "conditional", "not-shared"]),
    owed=st.sampled_from([0, 0, 0, 1, 2]),
    open_grants=st.sampled_from([0, 31, 32, 33]),
    state=st.sampled_from(["active", "active", "active", "ended"]),
    expires_in_ms=st.sampled_from([-1, 0, 1, 1, 1]),
)
def test_a_permit_means_that_every_condition_holds(
    engine: EmbeddedEngine,
    status: str,
    provider_status: str,
    sharing: str,
    owed: int,
    open_grants: int,
    state: str,
    expires_in_ms: int,
) -> None:
    """The policy permits exactly when each condition, written here a second time, holds."""
    question = replace(
        TRANSFER,
        participant=replace(PARTICIPANT, status=status),
        dataset=replace(DATASET, provider_status=provider_status, sharing=sharing),
        agreement=replace(AGREEMENT, state=state, expires_ms=NOW_MS + expires_in_ms),
        subscription=SubscriptionFacts("active", owed, open_grants),
    )
    expected = (
        status == provider_status == state == "active"
        and sharing != "not-shared"
        and owed == 0
        and open_grants <= 32
        and expires_in_ms > 0
    )

    assert engine.decide_now(question).allowed is expected


@given(
    level=st.sampled_from(["national", "province", "city", "county", "none"]),
    territory=st.sampled_from([None, "50", "51", "5101", "510107"]),
    provider=st.sampled_from([None, "51", "5101", "510107"]),
    classification=CLASSES,
    fields=st.lists(CLASSES, min_size=1, max_size=3),
    shown=st.none() | st.sets(st.integers(0, 2), min_size=1),
)
def test_the_highest_class_that_is_visible_decides(
    engine: EmbeddedEngine,
    level: str,
    territory: str | None,
    provider: str | None,
    classification: int,
    fields: list[int],
    shown: set[int] | None,
) -> None:
    """Class 3 needs level, tree or a named purpose, class 4 nation or a named purpose; both are marked."""
    names = [f"f{place}" for place in range(len(fields))]
    seen = names if shown is None else [name for place, name in enumerate(names) if place in shown]
    lists = () if shown is None else (PurposeFields(purpose="joint-warning", fields=seen),)
    dataset = replace(
        DATASET,
        provider_territory=provider,
        classification=classification,
        fields=tuple(FieldFacts(name, value) for name, value in zip(names, fields, strict=True)),
        purpose_fields=lists,
    )
    highest = max([classification, *(fields[names.index(name)] for name in seen)])
    in_tree = (
        level in {"city", "county"} and bool(territory) and (provider or "").startswith(territory or "-")
    )
    expected = bool(seen) and (
        highest < 3
        or shown is not None
        or level == "national"
        or (highest == 3 and (level == "province" or in_tree))
    )

    decision = engine.decide_now(
        replace(APPLY, participant=replace(PARTICIPANT, level=level, territory=territory), dataset=dataset)
    )

    assert decision.allowed is expected
    marked = any(isinstance(duty, Watermark) for duty in decision.obligations)
    assert marked is (expected and highest > 2)


RESPONSE = replace(
    TRANSFER,
    purpose="emergency-response",
    dataset=replace(
        DATASET,
        purposes=("emergency-response",),
        classification=4,
        conditions=(Condition(levels=[Level.CITY], networks=["10.0.0.0/8"]),),
        emergency=True,
    ),
    agreement=replace(AGREEMENT, purpose="emergency-response"),
    emergency=EmergencyFacts("m-eeeeeeeeeeee", NOW_MS + 1000),
)


def test_a_declared_emergency_opens_what_the_provider_opted_in(engine: EmbeddedEngine) -> None:
    """Conditions and classes are waived while it lasts; the decision names it and ends with it."""
    decision = engine.decide_now(RESPONSE)

    assert decision.codes == ["agreement-in-force", "emergency-declared"]
    assert decision.reasons[1].en == "The declared emergency m-eeeeeeeeeeee covers the dataset."
    assert decision.obligations == (
        Watermark(recipient=CONSUMER),
        PurposeBinding(purpose="emergency-response"),
    )
    assert decision.valid_until_ms == NOW_MS + 1000


@pytest.mark.parametrize(
    ("emergency", "codes"),
    [
        (None, ["core-not-named", "level-not-allowed", "network-not-allowed", "no-emergency"]),
        (
            EmergencyFacts("m-eeeeeeeeeeee", NOW_MS),
            ["core-not-named", "level-not-allowed", "network-not-allowed", "no-emergency"],
        ),
    ],
)
def test_without_an_emergency_nothing_moves_for_its_purpose(
    engine: EmbeddedEngine, emergency: EmergencyFacts | None, codes: list[str]
) -> None:
    """None declared, or one that has just ended: the ordinary rules hold, and the purpose is closed."""
    decision = engine.decide_now(replace(RESPONSE, emergency=emergency))

    assert decision.codes == codes
