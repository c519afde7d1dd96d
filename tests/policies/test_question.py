"""A question is written in one form, and read back from it or from nothing."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.canonical import Json
from contracts.messages import Condition, Duty, Hours, Level
from policies.decision import Question, QuestionUnreadable
from policies.facts import EmergencyFacts
from policies.guard import outgoing
from tests.policies.obligations import demanded
from tests.policies.questions import APPLY, DATASET, NOW_MS, TRANSFER

conditions = st.builds(
    Condition,
    purposes=st.lists(st.sampled_from(["joint-warning", "green-credit"]), max_size=2),
    territories=st.lists(st.sampled_from(["50", "51", "5101"]), max_size=2),
    levels=st.lists(st.sampled_from(Level), max_size=2),
    sectors=st.lists(st.sampled_from(["government", "finance"]), max_size=2),
    networks=st.lists(st.sampled_from(["10.0.0.0/8", "2001:db8::/32"]), max_size=2),
    weekdays=st.lists(st.integers(1, 7), max_size=3),
    hours=st.none() | st.builds(Hours, begin=st.integers(0, 23), end=st.integers(1, 24)),
)
duties = st.builds(
    Duty,
    purposes=st.lists(st.sampled_from(["joint-warning", "green-credit"]), max_size=2),
    levels=st.lists(st.sampled_from(Level), max_size=2),
    sectors=st.lists(st.sampled_from(["government", "finance"]), max_size=2),
    obligation=demanded,
)
datasets = st.builds(
    lambda conditions, duties, emergency: replace(
        DATASET, conditions=tuple(conditions), duties=tuple(duties), emergency=emergency
    ),
    st.lists(conditions, max_size=3),
    st.lists(duties, max_size=4),
    st.booleans(),
)
questions = st.builds(
    lambda question, dataset, emergency, address, now_ms: replace(
        question, dataset=dataset, emergency=emergency, address=address, now_ms=now_ms
    ),
    st.sampled_from([APPLY, TRANSFER]),
    datasets,
    st.none() | st.just(EmergencyFacts("m-eeeeeeeeeeee", NOW_MS + 1)),
    st.sampled_from([None, "10.51.3.4", "2001:db8::7"]),
    st.integers(0, 4_000_000_000_000),
)


@given(question=questions)
def test_a_question_is_read_back_from_what_it_wrote(question: Question) -> None:
    """Every question that fits the schema comes back whole, with the same revision."""
    document = orjson.loads(outgoing(question))

    read = Question.read(document)

    assert read == question
    assert read.revision == question.revision


WRITTEN = orjson.loads(orjson.dumps(TRANSFER.document()))
PARTICIPANT = WRITTEN["participant"]


@pytest.mark.parametrize(
    "changed",
    [
        {"v": 1},
        {"v": 3},
        {"action": "delete"},
        {"now_ms": "0"},
        {"now_ms": 2**60},
        {"now_ms": 1.5},
        {"local": {"weekday": 1, "hour": 0}},
        {"local": {"weekday": "7", "hour": 10}},
        {"participant": None},
        {"participant": {**PARTICIPANT, "more": 1}},
        {"participant": {key: value for key, value in PARTICIPANT.items() if key != "sector"}},
        {"agreement": {**WRITTEN["agreement"], "record_digest_matches": 1}},
        {"dataset": {**WRITTEN["dataset"], "duties": [{"obligation": {"kind": "notify"}}]}},
        {"dataset": {**WRITTEN["dataset"], "fields": [["pm25", 1]]}},
        {"emergency": None},
        {"more": 1},
    ],
)
def test_any_other_document_is_no_question(changed: dict[str, Json]) -> None:
    """A document of another version, with a fact more, less or of another type, is refused whole."""
    with pytest.raises(QuestionUnreadable):
        Question.read({**WRITTEN, **changed})


@pytest.mark.parametrize("part", sorted(WRITTEN))
def test_a_document_without_a_part_is_no_question(part: str) -> None:
    """Nothing is made up for what is missing, unless it follows from the action alone."""
    short = {key: value for key, value in WRITTEN.items() if key != part}

    if part in {"agreement", "subscription"}:
        assert getattr(Question.read(short), part) is None
    else:
        with pytest.raises(QuestionUnreadable):
            Question.read(short)
