"""Silence is refusal: whatever is odd on the way to a policy engine or back ends in no permit."""

import threading
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import ObligationKind, PurposeFields
from policies.decision import Question
from policies.embedded import open_embedded
from policies.facts import EmergencyFacts, FieldFacts, SubscriptionFacts
from policies.guard import Seal, Undecided, incoming, indeterminate, outgoing
from tests.policies.questions import (
    AGREEMENT,
    APPLY,
    CONSUMER,
    DATASET,
    NOW_MS,
    PARTICIPANT,
    PROVIDER,
    TRANSFER,
    answering,
)

SEAL = Seal("sha256:" + "0" * 64, "test/0")
BINDING = '{"kind": "purpose-binding", "purpose": "joint-warning", "onward_sharing": false}'
GROUND = '{"code": "may-apply", "args": {}}'


def permit(  # each argument is one part of the answer
    *,
    allow: str = "true",
    denials: str = "",
    grounds: str = GROUND,
    duties: str = BINDING,
    until: object = None,
) -> str:
    """Write a permit as an engine would, with one part changed."""
    return (
        f'{{"allow": {allow}, "denials": [{denials}], "grounds": [{grounds}], "obligations": [{duties}], '
        f'"valid_until_ms": {until or NOW_MS + 1}}}'
    )


def test_a_whole_and_consistent_answer_is_a_permit() -> None:
    """The answer that the other tests spoil is good as it stands."""
    assert incoming(permit(), APPLY, SEAL).outcome == "permit"


ANSWERS: list[tuple[str, str]] = [
    ("pdp:undefined", '"<undefined>"'),
    ("pdp:undefined", "null"),
    ("pdp:bad-answer", ""),
    ("pdp:bad-answer", "<html>"),
    ("pdp:bad-answer", "true"),
    ("pdp:bad-answer", "[]"),
    ("pdp:bad-answer", "{}"),
    ("pdp:bad-answer", permit()[:-1] + ', "extra": 1}'),
    ("pdp:bad-answer", permit(allow='"true"')),
    ("pdp:bad-answer", permit(allow="1")),
    ("pdp:bad-answer", permit(allow="null")),
    ("pdp:bad-answer", permit(allow="[]")),
    ("pdp:bad-answer", permit(until='"9"')),
    ("pdp:bad-answer", permit(until=f"{NOW_MS + 1}.0")),
    ("pdp:bad-answer", permit(until="1e300")),
    ("pdp:bad-answer", permit(until="-1")),
    ("pdp:bad-answer", permit(duties=BINDING + ', {"kind": "watermark"}')),
    ("pdp:bad-answer", permit(duties=BINDING.replace("false", "true"))),
    ("pdp:bad-answer", permit(duties=BINDING + ', {"kind": "redact", "fields": []}')),
    ("pdp:bad-answer", permit(duties=BINDING + ', {"kind": "redact", "fields": ["pm25", "pm25"]}')),
    ("pdp:bad-answer", permit(grounds='{"code": "may-apply"}')),
    ("pdp:bad-answer", permit(grounds='{"code": "pdp:error", "args": {}}')),
    ("pdp:bad-answer", permit(duties="[" * 2000 + "]" * 2000)),
    ("pdp:bad-answer", permit(grounds=",".join([GROUND] * 9000))),
    ("pdp:unknown-reason", permit(grounds='{"code": "because", "args": {}}')),
    ("pdp:unknown-reason", permit(grounds='{"code": "may-apply", "args": {"who": "x"}}')),
    ("pdp:inconsistent", permit(grounds="")),
    ("pdp:inconsistent", permit(denials='{"code": "agreement-expired", "args": {}}')),
    ("pdp:inconsistent", permit(duties="")),
    ("pdp:inconsistent", permit(duties=BINDING + ", " + BINDING)),
    ("pdp:inconsistent", permit(duties=BINDING.replace("joint-warning", "green-credit"))),
    ("pdp:inconsistent", permit(duties=BINDING + ', {"kind": "redact", "fields": ["no-such-field"]}')),
    ("pdp:inconsistent", permit(until=NOW_MS)),
    ("pdp:inconsistent", permit(allow="false", duties="")),
    ("pdp:inconsistent", permit(allow="false", denials='{"code": "agreement-expired", "args": {}}')),
]


ME = f'"recipient": "{CONSUMER}"'
MASK = '{"kind": "mask", "field": "pm25", "how": {"method": "round", "digits": 1}}'
HASH = '{"kind": "mask", "field": "station", "how": {"method": "hash", %s}}'
REDACT = '{"kind": "redact", "fields": ["operator", "运维单位"]}'
ROWS = '{"kind": "row-filter", "rows": {"type": "field", "operator": "%s", "field": "%s", "value": %s}}'
FIGURES = (
    '{"kind": "aggregate-only", "by": ["station"], "measures": [{"field": "%s", "function": "mean"}], '
    '"min_group": 5}'
)
QUOTA = '{"kind": "quota", "unit": "rows", "limit": %s, "window_seconds": 86400}'
RATE = '{"kind": "rate", "fetches": 5, "window_seconds": 60}'
WATERMARK = '{"kind": "watermark", %s}'
EXPIRY = '{"kind": "expiry", "days": %s}'


def duties(*written: str) -> str:
    """Write a permit with these obligations, in this order."""
    return permit(duties=", ".join(written))


def test_every_kind_of_obligation_can_stand_in_a_permit() -> None:
    """The whole vocabulary, once each and in order, is read into its types."""
    whole = duties(
        REDACT,
        MASK,
        HASH % ME,
        ROWS % ("gte", "operator", "3"),
        QUOTA % 7,
        QUOTA % 9,
        RATE,
        WATERMARK % ME,
        BINDING,
        EXPIRY % 30,
    )
    figures = duties(FIGURES % "pm25", BINDING)

    kinds = {duty.kind for raw in (whole, figures) for duty in incoming(raw, APPLY, SEAL).obligations}

    assert kinds == set(get_args(ObligationKind))


ALL_HIDDEN = REDACT.replace("operator", 'operator", "pm25", "station')
NOT = '{"type": "compound", "operator": "not", "value": [%s, %s]}'
FIELD = '{"type": "field", "operator": "eq", "field": "pm25", "value": 1}'
DEEP = '{"type": "compound", "operator": "not", "value": [' * 9 + FIELD + "]}" * 9
OBLIGATIONS: list[tuple[str, str]] = [
    # no such thing, or not in this form
    ("pdp:bad-answer", duties(BINDING, '{"kind": "notify"}')),
    ("pdp:bad-answer", duties(MASK.replace("round", "blur"), BINDING)),
    ("pdp:bad-answer", duties(MASK.replace("1}", '1, "more": 2}'), BINDING)),
    ("pdp:bad-answer", duties(MASK.replace("1}", "1.5}"), BINDING)),
    ("pdp:bad-answer", duties(MASK.replace("1}", "10}"), BINDING)),
    ("pdp:bad-answer", duties(HASH % '"recipient": "510000"', BINDING)),
    ("pdp:bad-answer", duties(ROWS % ("like", "pm25", '"x"'), BINDING)),
    ("pdp:bad-answer", duties(ROWS % ("in", "pm25", "[]"), BINDING)),
    ("pdp:bad-answer", duties(ROWS % ("in", "pm25", "1"), BINDING)),
    ("pdp:bad-answer", duties(ROWS % ("eq", "pm25", "[1]"), BINDING)),
    ("pdp:bad-answer", duties(ROWS % ("lt", "pm25", "null"), BINDING)),
    ("pdp:bad-answer", duties(ROWS % ("startswith", "pm25", "5"), BINDING)),
    ("pdp:bad-answer", duties('{"kind": "row-filter", "rows": ' + NOT % (FIELD, FIELD) + "}", BINDING)),
    ("pdp:bad-answer", duties('{"kind": "row-filter", "rows": ' + DEEP + "}", BINDING)),
    ("pdp:bad-answer", duties('{"kind": "row-filter", "rows": "pm25 > 3"}', BINDING)),
    ("pdp:bad-answer", duties((FIGURES % "pm25").replace("5}", "1}"), BINDING)),
    ("pdp:bad-answer", duties((FIGURES % "pm25").replace("mean", "max"), BINDING)),
    ("pdp:bad-answer", duties(QUOTA % 0, BINDING)),
    ("pdp:bad-answer", duties(QUOTA % '"7"', BINDING)),
    ("pdp:bad-answer", duties(RATE.replace("60", "0"), BINDING)),
    ("pdp:bad-answer", duties(BINDING, EXPIRY % 0)),
    ("pdp:bad-answer", duties(BINDING, EXPIRY % 3651)),
    # fields that are not there
    ("pdp:inconsistent", duties(MASK.replace("pm25", "wind"), BINDING)),
    ("pdp:inconsistent", duties(ROWS % ("eq", "wind", "1"), BINDING)),
    ("pdp:inconsistent", duties(FIGURES % "wind", BINDING)),
    ("pdp:inconsistent", duties((FIGURES % "pm25").replace('"station"]', '"wind"]'), BINDING)),
    # nothing left, hidden twice, or a figure of what is hidden
    ("pdp:inconsistent", duties(ALL_HIDDEN, BINDING)),
    ("pdp:inconsistent", duties(REDACT, MASK.replace("pm25", "operator"), BINDING)),
    ("pdp:inconsistent", duties(REDACT, FIGURES % "operator", BINDING)),
    ("pdp:inconsistent", duties(MASK, FIGURES % "pm25", BINDING)),
    ("pdp:inconsistent", duties(HASH % ME, FIGURES % "pm25", BINDING)),
    # for somebody else, or for nobody
    ("pdp:inconsistent", duties(HASH % '"recipient": null', BINDING)),
    ("pdp:inconsistent", duties(HASH % f'"recipient": "{PROVIDER}"', BINDING)),
    ("pdp:inconsistent", duties(WATERMARK % '"recipient": null', BINDING)),
    ("pdp:inconsistent", duties(WATERMARK % f'"recipient": "{PROVIDER}"', BINDING)),
    # twice
    ("pdp:inconsistent", duties(REDACT, REDACT, BINDING)),
    ("pdp:inconsistent", duties(MASK, MASK, BINDING)),
    ("pdp:inconsistent", duties(MASK, MASK.replace("1}", "2}"), BINDING)),
    ("pdp:inconsistent", duties(ROWS % ("eq", "pm25", "1"), ROWS % ("eq", "pm25", "2"), BINDING)),
    ("pdp:inconsistent", duties(FIGURES % "pm25", FIGURES % "operator", BINDING)),
    ("pdp:inconsistent", duties(QUOTA % 7, QUOTA % 8, QUOTA % 7, BINDING)),
    ("pdp:inconsistent", duties(RATE, RATE, BINDING)),
    ("pdp:inconsistent", duties(WATERMARK % ME, WATERMARK % ME, BINDING)),
    ("pdp:inconsistent", duties(BINDING, EXPIRY % 3, EXPIRY % 4)),
    # in another order, which would be another digest
    ("pdp:inconsistent", duties(BINDING, WATERMARK % ME)),
    ("pdp:inconsistent", duties(EXPIRY % 3, BINDING)),
    ("pdp:inconsistent", duties(HASH % ME, MASK, BINDING)),
    ("pdp:inconsistent", duties(REDACT.replace('operator", "运维单位', '运维单位", "operator'), BINDING)),
]


@pytest.mark.parametrize(("reason", "raw"), OBLIGATIONS)
def test_odd_obligations_are_undecided(reason: str, raw: str) -> None:
    """Obligations that are unknown, for another, contradictory or in disorder make no permit."""
    with pytest.raises(Undecided) as caught:
        incoming(raw, APPLY, SEAL)

    assert caught.value.reason == reason


IN_FORCE = '{"code": "agreement-in-force", "args": {"agreement": "%s"}}'
DECLARED = '{"code": "emergency-declared", "args": {"emergency": "%s"}}'
EMERGENCY = replace(TRANSFER, emergency=EmergencyFacts("m-eeeeeeeeeeee", NOW_MS + 50))


@pytest.mark.parametrize(
    ("question", "grounds", "until_ms", "holds"),
    [
        (TRANSFER, IN_FORCE % AGREEMENT.agreement, AGREEMENT.expires_ms, True),
        (TRANSFER, IN_FORCE % AGREEMENT.agreement, AGREEMENT.expires_ms + 1, False),
        (TRANSFER, IN_FORCE % "a-dddddddddddd", NOW_MS + 1, False),
        (APPLY, IN_FORCE % AGREEMENT.agreement, NOW_MS + 1, False),
        (APPLY, GROUND, NOW_MS + 86_400_000, True),
        (APPLY, GROUND, NOW_MS + 86_400_001, False),
        (TRANSFER, DECLARED % "m-eeeeeeeeeeee", NOW_MS + 1, False),
        (EMERGENCY, DECLARED % "m-ffffffffffff", NOW_MS + 1, False),
        (EMERGENCY, DECLARED % "m-eeeeeeeeeeee", NOW_MS + 50, True),
        (EMERGENCY, DECLARED % "m-eeeeeeeeeeee", NOW_MS + 51, False),
        (EMERGENCY, IN_FORCE % AGREEMENT.agreement, NOW_MS + 51, True),
    ],
)
def test_a_permit_stands_on_what_was_asked(
    question: Question, grounds: str, until_ms: int, holds: bool
) -> None:
    """Grounds name the question's own agreement and emergency, and no permit outlasts what it stands on."""
    raw = permit(grounds=grounds, until=until_ms)

    if holds:
        assert incoming(raw, question, SEAL).valid_until_ms == until_ms
    else:
        with pytest.raises(Undecided):
            incoming(raw, question, SEAL)


@pytest.mark.parametrize(("reason", "raw"), ANSWERS)
def test_an_odd_answer_is_undecided(reason: str, raw: str) -> None:
    """An answer that is not whole, known and consistent gives no decision, and says where it failed."""
    with pytest.raises(Undecided) as caught:
        incoming(raw, APPLY, SEAL)

    assert caught.value.reason == reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(value=json_values.filter(lambda value: value is not True))
def test_nothing_but_literal_true_permits(value: object) -> None:
    """Whatever else stands in the place of ``allow``, even in an otherwise good answer, is no permit."""
    import orjson

    raw = permit(allow=orjson.dumps(value).decode())

    with pytest.raises(Undecided):
        incoming(raw, APPLY, SEAL)


# Any on purpose: the facts of these questions have wrong types, which mypy would not let through.
ODD: Any = object()
WIDE = tuple(FieldFacts(f"{n:0>199}", 1) for n in range(2000))
QUESTIONS: list[tuple[str, Question]] = [
    ("pdp:bad-input", replace(TRANSFER, action="delete")),  # type: ignore[arg-type]  # wrong on purpose
    ("pdp:bad-input", replace(TRANSFER, agreement=None)),
    ("pdp:bad-input", replace(TRANSFER, subscription=None)),
    ("pdp:bad-input", replace(TRANSFER, application=APPLY.application)),
    ("pdp:bad-input", replace(APPLY, application=None)),
    ("pdp:bad-input", replace(APPLY, agreement=AGREEMENT)),
    ("pdp:bad-input", replace(APPLY, now_ms=1.0)),  # type: ignore[arg-type]  # wrong on purpose
    ("pdp:bad-input", replace(APPLY, now_ms=True)),
    ("pdp:bad-input", replace(APPLY, now_ms=2**53)),
    ("pdp:bad-input", replace(APPLY, purpose="Joint Warning")),
    ("pdp:bad-input", replace(APPLY, purpose="joint-warning\n")),
    ("pdp:bad-input", replace(APPLY, purpose="\ud800")),
    ("pdp:bad-input", replace(APPLY, participant=ODD)),
    ("pdp:bad-input", replace(APPLY, participant=replace(PARTICIPANT, status="sleeping"))),
    ("pdp:bad-input", replace(APPLY, participant=replace(PARTICIPANT, level=None))),  # type: ignore[arg-type]
    ("pdp:bad-input", replace(APPLY, participant=replace(PARTICIPANT, id="510000"))),
    ("pdp:bad-input", replace(APPLY, dataset=replace(DATASET, classification="1"))),  # type: ignore[arg-type]
    ("pdp:bad-input", replace(APPLY, dataset=replace(DATASET, classification=5))),
    ("pdp:bad-input", replace(APPLY, dataset=replace(DATASET, fields=()))),
    ("pdp:bad-input", replace(APPLY, dataset=replace(DATASET, fields=None))),  # type: ignore[arg-type]
    ("pdp:bad-input", replace(APPLY, dataset=replace(DATASET, purposes=("x", 1)))),  # type: ignore[arg-type]
    ("pdp:bad-input", replace(TRANSFER, agreement=replace(AGREEMENT, record_digest_matches=1))),  # type: ignore[arg-type]
    ("pdp:bad-input", replace(TRANSFER, subscription=SubscriptionFacts("active", -1, 0))),
    ("pdp:bad-input", replace(APPLY, address="gateway.example")),
    ("pdp:bad-input", replace(APPLY, address="10.0.0.1\n")),
    ("pdp:bad-input", replace(APPLY, address=ODD)),
    ("pdp:bad-input", replace(TRANSFER, emergency=EmergencyFacts("e-1", NOW_MS))),
    ("pdp:bad-input", replace(TRANSFER, emergency=EmergencyFacts("m-eeeeeeeeeeee", -1))),
    ("pdp:bad-input", replace(APPLY, dataset=replace(DATASET, fields=(FieldFacts("pm25", 5),)))),
    ("pdp:bad-input", replace(APPLY, dataset=replace(DATASET, fields=(FieldFacts("pm25", ODD),)))),
    ("pdp:bad-input", replace(APPLY, dataset=replace(DATASET, conditions=None))),  # type: ignore[arg-type]
    ("pdp:bad-input", replace(APPLY, dataset=replace(DATASET, duties=(ODD,)))),
    ("pdp:bad-input", replace(APPLY, dataset=replace(DATASET, emergency=None))),  # type: ignore[arg-type]
    ("pdp:too-large", replace(APPLY, dataset=replace(DATASET, fields=WIDE))),
]


@pytest.mark.parametrize(("reason", "question"), QUESTIONS)
def test_odd_facts_never_reach_the_engine(reason: str, question: Question) -> None:
    """Facts of a wrong type, range or size are refused before Rego could compare across types."""
    engine = open_embedded("")

    decision = engine.decide_now(question)

    assert (decision.allowed, decision.outcome, decision.codes) == (False, "indeterminate", [reason])
    assert decision.obligations == ()
    with pytest.raises(Undecided):
        outgoing(question)


BROKEN: list[tuple[str, str]] = [
    ("pdp:undefined", "true if input.no_such_fact"),
    ("pdp:error", 'to_number("x")'),
    ("pdp:error", "no_such_builtin(1)"),
    ("pdp:panic", 'strings.count(input.purpose, "")'),
    ("pdp:bad-answer", "{count(input.purpose)}"),
    ("pdp:bad-answer", "9007199254740993"),
]


@pytest.mark.parametrize(("reason", "value"), BROKEN)
def test_a_failing_policy_is_undecided(reason: str, value: str) -> None:
    """An undefined, failing or crashing evaluation is an indeterminate refusal, not an exception."""
    decision = answering(value).decide_now(APPLY)

    assert (decision.outcome, decision.codes, decision.valid_until_ms) == ("indeterminate", [reason], 0)


def test_an_engine_works_again_after_a_panic() -> None:
    """A crash costs one decision: the thread's engine is built anew for the next."""
    engine = answering('array.slice([input], 0, strings.count(input.purpose, trim(input.purpose, "j")))')
    crashing = replace(APPLY, purpose="jj", dataset=replace(DATASET, purpose_fields=()))

    assert engine.decide_now(crashing).codes == ["pdp:panic"]
    assert engine.decide_now(APPLY).codes == ["pdp:bad-answer"]


def test_each_thread_decides_with_its_own_engine() -> None:
    """An engine of regorus is bound to a thread; one PolicyEngine still serves them all."""
    engine = open_embedded("")
    outcomes = [engine.decide_now(TRANSFER).outcome]

    threads = [
        threading.Thread(target=lambda: outcomes.append(engine.decide_now(TRANSFER).outcome))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes == ["permit"] * 5


def test_a_closed_engine_refuses() -> None:
    """After close there is no decision, only a refusal."""
    engine = open_embedded("")
    engine.close()

    assert engine.decide_now(TRANSFER).codes == ["pdp:closed"]


def test_a_refusal_keeps_the_revision_of_sound_facts() -> None:
    """An indeterminate answer names the facts it was asked about, unless they have no canonical form."""
    sound = indeterminate("pdp:error", TRANSFER, SEAL)
    odd = indeterminate("pdp:bad-input", replace(APPLY, now_ms=0, purpose="\ud800"), SEAL)

    assert sound.revision == TRANSFER.revision
    assert odd.revision == ""


def test_a_reason_does_not_read_its_arguments_as_a_template() -> None:
    """Braces in a fact are shown as they are."""
    dataset = replace(
        DATASET,
        sharing="not-shared",
        sharing_basis="{0.__class__} {basis}",
        purpose_fields=(PurposeFields(purpose="green-credit", fields=["{x}"]),),
    )

    reason = open_embedded("").decide_now(replace(APPLY, dataset=dataset)).reasons[0]

    assert reason.en.endswith("on this basis: {0.__class__} {basis}")
