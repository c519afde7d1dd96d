"""Questions to start from: everything holds, so each test changes one fact."""

from collections.abc import Mapping
from dataclasses import replace

from contracts.messages import PurposeFields
from policies.bundle import Bundle, shipped_bundle
from policies.decision import Question
from policies.embedded import EmbeddedEngine
from policies.facts import (
    AgreementFacts,
    ApplicationFacts,
    DatasetFacts,
    FieldFacts,
    ParticipantFacts,
    SubscriptionFacts,
)

CONSUMER = "p-aaaaaaaaaaaa"
PROVIDER = "p-bbbbbbbbbbbb"
NOW_MS = 1_795_311_805_119

PARTICIPANT = ParticipantFacts(CONSUMER, "active", "province", "51", "government")
DATASET = DatasetFacts(
    dataset="air-hourly",
    provider=PROVIDER,
    provider_status="active",
    provider_territory="50",
    sharing="conditional",
    sharing_basis="Order 809 art. 14",
    classification=2,
    purposes=("joint-warning", "green-credit"),
    purpose_fields=(PurposeFields(purpose="green-credit", fields=["station", "pm25"]),),
    fields=(
        FieldFacts("station", 1),
        FieldFacts("pm25", 1),
        FieldFacts("operator", 2),
        FieldFacts("运维单位", 2),
    ),
    synthetic=False,
)
AGREEMENT = AgreementFacts(
    agreement="a-cccccccccccc",
    state="active",
    consumer=CONSUMER,
    provider=PROVIDER,
    dataset="air-hourly",
    purpose="joint-warning",
    not_before_ms=NOW_MS - 1,
    expires_ms=NOW_MS + 86_400_000,
    record_digest_matches=True,
)
APPLY = Question(
    "apply", NOW_MS, PARTICIPANT, DATASET, "joint-warning", application=ApplicationFacts(NOW_MS + 86_400_000)
)
TRANSFER = Question(
    "transfer",
    NOW_MS,
    PARTICIPANT,
    DATASET,
    "joint-warning",
    agreement=AGREEMENT,
    subscription=SubscriptionFacts("active", 0, 0),
)


def apply_for(purpose: str) -> Question:
    """Ask to apply for the dataset under ``purpose``."""
    return replace(APPLY, purpose=purpose)


def with_sources(changes: Mapping[str, str]) -> EmbeddedEngine:
    """Run the shipped bundle with some files changed; neither sealed nor held against the profile."""
    changed = {path: text.encode() for path, text in changes.items()}
    return EmbeddedEngine(Bundle({**shipped_bundle().sources, **changed}))


def answering(rego_value: str) -> EmbeddedEngine:
    """Run a policy that answers every question with ``rego_value``."""
    text = f"package headwaters.main\n\nimport rego.v1\n\nanswer := {rego_value}\n"
    return EmbeddedEngine(Bundle({"headwaters/main.rego": text.encode()}))
