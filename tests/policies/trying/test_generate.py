"""The made-up questions: repeatable, well formed, and meeting everything that the policy can say."""

from collections import Counter
from itertools import islice

from contracts.messages import Mask
from policies.bundle import shipped_bundle
from policies.decision import Question
from policies.embedded import EmbeddedEngine
from policies.guard import outgoing
from policies.reasons import SENTENCES
from policies.trying.generate import questions

KINDS = {
    *(
        "redact",
        "mask",
        "row-filter",
        "aggregate-only",
        "quota",
        "rate",
        "watermark",
        "purpose-binding",
        "expiry",
    ),
}
MASKS = {"null", "hash", "round", "truncate", "generalise", "geo-grid"}
# A question carries one of two actions, so no question can meet the denial of a third.
CODES = {code for code in SENTENCES if not code.startswith("pdp:")} - {"action-unknown"}


def test_a_seed_says_everything() -> None:
    """The same seed gives the same questions, however many are asked for; another seed gives others."""
    few = [question.document() for question in questions(20, seed=3)]

    assert few == [question.document() for question in islice(questions(500, seed=3), 20)]
    assert few != [question.document() for question in questions(20, seed=4)]


def test_every_question_fits_the_schema_and_reads_back() -> None:
    """No made-up question is refused by the guard, and each is what its document says."""
    for question in questions(400, seed=5):
        assert outgoing(question)
        assert Question.read(question.document()) == question


def test_the_questions_meet_every_reason_and_every_obligation() -> None:
    """Three thousand questions: three in ten permitted, none undecided, each code, kind and mask met."""
    engine = EmbeddedEngine(shipped_bundle())
    decisions = [engine.decide_now(question) for question in questions(3000, seed=11)]
    outcomes = Counter(decision.outcome for decision in decisions)
    duties = [duty for decision in decisions for duty in decision.obligations]

    assert outcomes["permit"] >= 0.3 * len(decisions)
    assert outcomes["indeterminate"] == 0
    assert {code for decision in decisions for code in decision.codes} == CODES
    assert {duty.kind for duty in duties} == KINDS
    assert {duty.how.method for duty in duties if isinstance(duty, Mask)} == MASKS
