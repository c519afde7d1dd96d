"""The golden cases: what the alliance agreed on, held against every engine; and files that are no cases."""

import json
from pathlib import Path
from typing import Any

import pytest

from policies.bundle import Bundle, shipped_bundle
from policies.embedded import EmbeddedEngine
from policies.trying.compare import judge
from policies.trying.golden import GoldenUnreadable, read_cases, shipped_cases
from tests.policies.trying.test_generate import CODES, KINDS, MASKS


def test_the_embedded_engine_decides_them_as_agreed() -> None:
    """Every golden case gets exactly the decision that stands in its file."""
    engine = EmbeddedEngine(shipped_bundle())

    assert list(judge(engine.decide_now, shipped_cases())) == []
    assert len(shipped_cases()) > 100


def test_they_speak_of_everything() -> None:
    """Each reason code, obligation kind and way to mask stands in at least one golden case."""
    answers: list[Any] = [case.answer for case in shipped_cases()]
    duties = [duty for answer in answers for duty in answer["obligations"]]

    assert {reason["code"] for answer in answers for reason in answer["reasons"]} == CODES
    assert {duty["kind"] for duty in duties} == KINDS
    assert {duty["how"]["method"] for duty in duties if duty["kind"] == "mask"} == MASKS


def test_a_changed_rule_shows() -> None:
    """A policy that lets suspended participants in is caught, with what was agreed beside what it says."""
    sources = dict(shipped_bundle().sources)
    text = sources["headwaters/access.rego"].decode()
    changed = text.replace('input.participant.status == "active"', 'input.participant.status != "revoked"')
    engine = EmbeddedEngine(Bundle({**sources, "headwaters/access.rego": changed.encode()}))

    flips = {flip.name: flip for flip in judge(engine.decide_now, shipped_cases())}

    assert changed != text
    assert "access: consumer suspended" in flips
    assert flips["access: consumer suspended"].left["outcome"] == "permit"  # type: ignore[index,call-overload]  # JSON
    assert "access: consumer revoked" not in flips


BASE: dict[str, Any] = {"base": {}, "cases": []}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps(BASE),
        json.dumps({**BASE, "cases": [{"name": "a", "decision": {}}]}),
        json.dumps({**BASE, "cases": [{"name": "a", "changes": {"a.b": 1}, "decision": {}}]}),
        json.dumps({**BASE, "cases": [{"name": "a", "without": ["b"], "decision": {}}]}),
        "[" * 100_000,
    ],
)
def test_a_file_that_holds_no_cases_is_refused(tmp_path: Path, text: str) -> None:
    """What is not base and cases, or changes what is not there, is refused as one error."""
    (tmp_path / "topic.json").write_text(text)

    with pytest.raises(GoldenUnreadable):
        read_cases(tmp_path)


def test_two_cases_of_one_name_are_refused(tmp_path: Path) -> None:
    """A case is found again by its name, so there is one of it; and a folder without files has none."""
    with pytest.raises(GoldenUnreadable):
        read_cases(tmp_path)
    question = shipped_cases()[0].question.document()
    case = {"name": "a", "decision": {}}
    (tmp_path / "topic.json").write_text(json.dumps({"base": question, "cases": [case, case]}))

    with pytest.raises(GoldenUnreadable):
        read_cases(tmp_path)
