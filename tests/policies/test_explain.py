"""Why a decision came out as it did: reasons, rules, facts, obligations, and the lines that ran."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from contracts.messages import Duty, Expiry, Mask, MaskNull, PurposeFields, Quota
from policies.bundle import Bundle, shipped_bundle
from policies.decision import Question
from policies.embedded import EmbeddedEngine, build_engine
from policies.explain import Cause, Clause, Explanation, explain_decision
from policies.reasons import SENTENCES
from policies.sites import Sites, read_sites
from tests.policies.questions import AGREEMENT, APPLY, DATASET, PARTICIPANT, TRANSFER

CREDIT = replace(
    TRANSFER,
    participant=replace(PARTICIPANT, sector="finance"),
    purpose="green-credit",
    agreement=replace(AGREEMENT, purpose="green-credit"),
)
SUSPENDED = replace(TRANSFER, participant=replace(PARTICIPANT, status="suspended"))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Give the shipped bundle."""
    return shipped_bundle()


@pytest.fixture(scope="module")
def sites(bundle: Bundle) -> Sites:
    """Give the shipped policy's places."""
    return read_sites(build_engine(bundle).get_ast_as_json())


def clauses(causes: tuple[Cause, ...]) -> Iterator[Clause]:
    """Walk all rules that some reasons rest on."""
    waiting = [clause for cause in causes for clause in cause.because]
    while waiting:
        clause = waiting.pop()
        yield clause
        waiting += clause.because


def the_cause(told: Explanation, code: str) -> Cause:
    """Give the one cause with a code."""
    [found] = [cause for cause in told.causes if cause.reason.code == code]
    return found


def test_a_denial_names_its_line_and_the_fact_behind_it(bundle: Bundle) -> None:
    """A suspended consumer is told by the policy's own line, with the status as the question carried it."""
    cause = the_cause(explain_decision(bundle, SUSPENDED), "consumer-not-active")

    [place] = cause.places
    source = bundle.sources[place.file].decode().splitlines()
    assert "consumer-not-active" in source[place.line - 1]
    assert "participant.status" in place.text
    assert cause.facts["participant.status"] == "suspended"


def test_a_denial_is_followed_down_to_the_rules_below_it(bundle: Bundle) -> None:
    """A class that is too high is told with the rule that computed it and the facts that went in."""
    core = replace(DATASET, classification=3)
    county = replace(PARTICIPANT, level="county")

    told = explain_decision(bundle, replace(TRANSFER, dataset=core, participant=county))

    found = {clause.rule: clause for clause in clauses((the_cause(told, "level-too-low"),))}
    assert found["fields.classification"].value == 3
    assert found["fields.classification"].facts["dataset.classification"] == 3


def test_every_denial_is_explained_beside_the_others(bundle: Bundle) -> None:
    """All denials of a question have a cause, in the order of the decision."""
    asked = replace(SUSPENDED, dataset=replace(DATASET, sharing="not-shared", provider_status="revoked"))

    told = explain_decision(bundle, asked)

    assert [cause.reason for cause in told.causes] == list(told.decision.reasons)
    assert {"consumer-not-active", "dataset-not-shared", "provider-not-active"} <= set(told.decision.codes)
    assert all(cause.places for cause in told.causes)


def test_a_permit_rests_on_every_room_of_the_policy(bundle: Bundle) -> None:
    """A ground is followed through the rules that found nothing to deny, down to the agreement's facts."""
    cause = the_cause(explain_decision(bundle, TRANSFER), "agreement-in-force")

    found = {path: value for clause in clauses((cause,)) for path, value in clause.facts.items()}
    assert found["agreement.state"] == "active"
    assert found["participant.status"] == "active"
    assert found["dataset.sharing"] == "conditional"


def test_a_rule_is_told_once_for_one_reason(bundle: Bundle) -> None:
    """What stands below a rule is not told again where it is named again, so a tree stays small."""
    cause = the_cause(explain_decision(bundle, TRANSFER), "agreement-in-force")

    told = [clause.rule for clause in clauses((cause,)) if clause.because]
    assert len(told) == len(set(told))


def test_the_explanation_decides_as_the_engine_does(bundle: Bundle) -> None:
    """Coverage changes no answer: outcome, reasons and obligations are those of the engine in service."""
    engine = EmbeddedEngine(bundle)

    for asked in (TRANSFER, APPLY, CREDIT, SUSPENDED):
        told, decided = explain_decision(bundle, asked).decision, engine.decide_now(asked)
        assert (told.outcome, told.reasons) == (decided.outcome, decided.reasons)
        assert (told.obligations, told.revision) == (decided.obligations, decided.revision)
    engine.close()


def test_coverage_is_of_this_one_decision(bundle: Bundle) -> None:
    """Lines that only a transfer runs are not reached by an application, and no line is both."""
    told = explain_decision(bundle, APPLY)

    files = {one.file: one for one in told.coverage}
    transfer = files.get("headwaters/transfer.rego")
    assert transfer is None or not set(transfer.covered) >= set(transfer.not_covered) | {0}
    assert all(not set(one.covered) & set(one.not_covered) for one in told.coverage)
    assert files["headwaters/main.rego"].covered
    assert all(one.source.encode() == bundle.sources[one.file] for one in told.coverage)


def test_an_obligation_names_the_part_of_the_record_that_asks_for_it(bundle: Bundle) -> None:
    """Redactions point to purpose_fields, masks and quotas to their duty, and only to one that matches."""
    duties = (
        Duty(sectors=["health"], obligation=Mask(field="pm25", how=MaskNull())),
        Duty(obligation=Mask(field="pm25", how=MaskNull())),
        Duty(obligation=Quota(unit="rows", limit=10, window_seconds=3600)),
    )
    asked = replace(CREDIT, dataset=replace(DATASET, duties=duties))

    told = explain_decision(bundle, asked)

    origins = {one.obligation.kind: one.record for one in told.imposed}
    assert origins["redact"] == "purpose_fields[0]"
    assert origins["mask"] == "duties[1]"
    assert origins["quota"] == "duties[2]"


def test_what_the_alliance_imposes_names_its_rule(bundle: Bundle) -> None:
    """A watermark and an expiry that no duty asks for point to the line of the policy that imposes them."""
    told = explain_decision(bundle, CREDIT)

    imposed = {one.obligation.kind: one for one in told.imposed}
    for kind in ("watermark", "expiry", "purpose-binding"):
        assert imposed[kind].record is None
        [place] = imposed[kind].places
        assert f'"kind": "{kind}"' in place.text


def test_an_expiry_of_the_record_is_not_taken_for_the_alliances(bundle: Bundle) -> None:
    """Of two expiries the smaller stands, and the explanation names whose it is."""
    longer = replace(CREDIT, dataset=replace(DATASET, duties=(Duty(obligation=Expiry(days=3000)),)))
    shorter = replace(CREDIT, dataset=replace(DATASET, duties=(Duty(obligation=Expiry(days=7)),)))

    found = [
        one.record
        for asked in (longer, shorter)
        for one in explain_decision(bundle, asked).imposed
        if one.obligation.kind == "expiry"
    ]
    assert found == [None, "duties[0]"]


def test_a_question_that_cannot_be_decided_gives_its_fault(bundle: Bundle) -> None:
    """Facts outside the schema end in the one fault, without rules and without coverage."""
    odd = replace(TRANSFER, participant=replace(PARTICIPANT, status="friendly"))

    told = explain_decision(bundle, odd)

    assert [cause.reason.code for cause in told.causes] == ["pdp:bad-input"]
    assert (told.decision.allowed, told.imposed, told.coverage) == (False, (), ())


@pytest.mark.parametrize("body", ["1 / 0 == 1", "{}[1] == 1", 'answer.allow == "?"'])
def test_a_policy_that_fails_is_a_fault_and_no_explanation(body: str) -> None:
    """A bundle whose evaluation fails or answers nothing is told as a fault."""
    text = f"package headwaters.main\n\nimport rego.v1\n\nanswer := {{}} if {body}\n"

    told = explain_decision(Bundle({"headwaters/main.rego": text.encode()}), TRANSFER)

    assert told.decision.outcome == "indeterminate"


def test_the_document_is_plain_json(bundle: Bundle) -> None:
    """Scripts get causes, facts, obligations and coverage as JSON; long lists keep their beginning."""
    many = tuple(PurposeFields(purpose=f"purpose-{n}", fields=["pm25"]) for n in range(200))
    asked: Question = replace(CREDIT, dataset=replace(DATASET, purpose_fields=many, purposes=()))

    document = json.loads(json.dumps(explain_decision(bundle, asked).document()))

    assert document["outcome"] == "deny"
    assert [cause["code"] for cause in document["causes"]]
    shown = json.dumps(document["causes"], ensure_ascii=False)
    assert "(200)" in shown
    assert "purpose-100" not in shown


def test_every_code_of_the_policy_has_a_place(sites: Sites) -> None:
    """No reason of the shipped policy is without the line that writes it; faults of the engine have none."""
    without = [code for code in SENTENCES if not sites.marked(code)]

    assert without == [code for code in SENTENCES if code.startswith("pdp:")]


def test_a_rule_names_what_it_reads() -> None:
    """Rules of other packages are named in full through their imports, and facts by their path."""
    source = (
        "package headwaters.main\n\nimport rego.v1\n\nimport data.headwaters.other\n\n"
        "default fine := false\n\nfine if {\n\tother.good\n\tinput.a.b == input.c\n}\n\n"
        'answer contains {"code": "may-apply"} if fine\n'
    )
    bundle = Bundle(
        {
            "headwaters/main.rego": source.encode(),
            "headwaters/other.rego": b"package headwaters.other\n\nimport rego.v1\n\ngood if input.d\n",
        }
    )

    sites = read_sites(build_engine(bundle).get_ast_as_json())

    [fine] = sites.of("data.headwaters.main.fine")
    assert (fine.line, fine.reads) == (9, ("data.headwaters.other.good",))
    assert fine.facts == (("a", "b"), ("c",))
    [mark] = sites.marked("may-apply")
    assert (mark.line, mark.reads) == (14, ("data.headwaters.main.fine",))
