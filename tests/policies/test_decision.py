"""Questions, their revision, and the decisions that the shipped policy gives them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import (
    Agreement,
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
)
from policies.decision import AgreementFacts, DatasetFacts, ParticipantFacts, SubscriptionFacts
from policies.embedded import EmbeddedEngine, open_embedded
from tests.policies.questions import AGREEMENT, APPLY, DATASET, NOW_MS, PARTICIPANT, TRANSFER, apply_for

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
    assert decision.codes == ["dataset-not-shared", "consumer-not-active"]
    assert decision.reasons[0].zh == "该数据不予共享,依据:《保守国家秘密法》第九条"
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
    assert DatasetFacts.of(record, provider_status="active", fields=DATASET.fields) == DATASET
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
    dataset = replace(DATASET, fields=tuple(fields), purpose_fields=lists)
    hidden = {f for f in fields for p, named in entries if p == "green-credit" and f not in named}

    decision = engine.decide_now(replace(apply_for("green-credit"), dataset=dataset))

    redacted = [field for duty in decision.obligations if isinstance(duty, Redact) for field in duty.fields]
    assert decision.allowed == (hidden != fields)
    assert redacted == (sorted(hidden) if decision.allowed else [])


@given(
    status=st.sampled_from(["invited", "pending", "active", "suspended", "revoked"]),
    provider_status=st.sampled_from(["active", "suspended", "revoked"]),
    sharing=st.sampled_from(["unconditional", "conditional", "not-shared"]),
    level=st.sampled_from(["national", "province", "city", "county", "none"]),
    classification=st.integers(1, 4),
    owed=st.integers(0, 2),
    open_grants=st.integers(30, 35),
    state=st.sampled_from(["active", "ended"]),
    expires_in_ms=st.integers(-1, 1),
)
def test_a_permit_means_that_every_condition_holds(
    engine: EmbeddedEngine,
    status: str,
    provider_status: str,
    sharing: str,
    level: str,
    classification: int,
    owed: int,
    open_grants: int,
    state: str,
    expires_in_ms: int,
) -> None:
    """The policy permits exactly when each condition, written here a second time, holds."""
    question = replace(
        TRANSFER,
        participant=replace(PARTICIPANT, status=status, level=level),
        dataset=replace(
            DATASET, provider_status=provider_status, sharing=sharing, classification=classification
        ),
        agreement=replace(AGREEMENT, state=state, expires_ms=NOW_MS + expires_in_ms),
        subscription=SubscriptionFacts("active", owed, open_grants),
    )
    expected = (
        status == provider_status == state == "active"
        and sharing != "not-shared"
        and (classification < 3 or level in {"national", "province"})
        and owed == 0
        and open_grants <= 32
        and expires_in_ms > 0
    )

    assert engine.decide_now(question).allowed is expected
