"""Golden cases: questions with the decision that the alliance agreed on, kept as data that people can review.

A file in ``cases`` beside this one holds one base question and cases; each says what it changes in the base
(dotted paths), why it is there, and the whole decision. Every engine and every version of the policy must
answer so.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import cast

from contracts.canonical import Json
from contracts.errors import Invalid
from policies.decision import Question

Document = dict[str, Json]


class GoldenUnreadable(Invalid):
    """A golden case cannot be read."""

    code = "golden-unreadable"
    title_zh = "基准用例无法读取"
    next_zh = "按提示改正用例文件;格式见 policies/trying/cases 中随附的文件。"
    next_en = "Mend the file of cases as it says; policies/trying/cases shows the format."


@dataclass(frozen=True, slots=True)
class Golden:
    """One case: its name, its question, and the answer that is right."""

    name: str
    question: Question
    answer: Document


def shipped_cases() -> list[Golden]:
    """Read the cases that are part of this package."""
    return read_cases(files("policies.trying") / "cases")


def read_cases(folder: Traversable) -> list[Golden]:
    """Read every case in the JSON files of a folder; raise GoldenUnreadable for none or a bad one."""
    cases: list[Golden] = []
    try:
        for file in sorted(folder.iterdir(), key=lambda item: item.name):
            if file.name.endswith(".json"):
                cases += _cases(file.name.removesuffix(".json"), json.loads(file.read_bytes()))
    except (Invalid, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise GoldenUnreadable(f"the cases in {folder.name!r} cannot be read: {error!r:.200}") from error
    names = {case.name for case in cases}
    if not cases or len(names) != len(cases):
        raise GoldenUnreadable(f"{folder.name!r} holds no cases, or two of one name")
    return cases


def question_of(base: Mapping[str, Json], case: Mapping[str, Json]) -> Question:
    """Make a case's question: the base with ``changes`` by dotted path, less what ``without`` names."""
    document: Document = copy.deepcopy(dict(base))
    for path, value in cast("Document", case.get("changes", {})).items():
        *above, last = path.split(".")
        place = document
        for name in above:
            place = cast("Document", place[name])
        place[last] = value
    for name in cast("list[str]", case.get("without", [])):
        del document[name]
    return Question.read(document)


def _cases(topic: str, document: Document) -> list[Golden]:
    base = cast("Document", document["base"])
    return [
        Golden(f"{topic}: {case['name']}", question_of(base, case), cast("Document", case["decision"]))
        for case in cast("list[Document]", document["cases"])
    ]
