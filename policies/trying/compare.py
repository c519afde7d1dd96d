"""Two engines, the same questions: whether every answer is the same, byte for byte of its canonical form.

Switching engines is an operator's act, and this is what it stands on. An indeterminate answer is never a
pass: it counts as a difference even where both engines gave it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import orjson

from contracts.canonical import Json
from policies.decision import Decision, Question
from policies.engine import PolicyEngine
from policies.trying.generate import questions
from policies.trying.golden import Golden

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class NamedQuestion:
    """A question with a name under which it can be found again, and the right answer where it is known."""

    name: str
    question: Question
    right: Json = None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One question that was not answered alike, or not as it should be."""

    number: int
    name: str
    question: Json
    left: Json
    right: Json

    def document(self) -> dict[str, Json]:
        """Write the difference for a person or a script."""
        return {"case": self.name, "question": self.question, "left": self.left, "right": self.right}


@dataclass(slots=True)
class Compared:
    """What a comparison found; ``codes`` and ``kinds`` say what the questions met."""

    cases: int = 0
    differences: int = 0
    first: Disagreement | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, number: int, asked: NamedQuestion, left: Decision, right: Decision) -> None:
        """Count one question that both engines answered."""
        self.cases += 1
        self.outcomes[left.outcome] += 1
        self.codes.update(left.codes)
        self.kinds.update(duty.kind for duty in left.obligations)
        answers = left.answer(), right.answer()
        known = answers if asked.right is None else (*answers, asked.right)
        if len(set(map(_written, known))) == 1 and left.outcome != "indeterminate":
            return
        self.differences += 1
        if self.first is None or number < self.first.number:
            self.first = Disagreement(number, asked.name, asked.question.document(), *answers)

    def document(self) -> dict[str, Json]:
        """Write the comparison for a person or a script."""
        return {
            "cases": self.cases,
            "differences": self.differences,
            "permits": self.outcomes["permit"],
            "denials": self.outcomes["deny"],
            "first_difference": self.first.document() if self.first else None,
        }


def all_cases(golden: Iterable[Golden], count: int, seed: int) -> Iterator[NamedQuestion]:
    """Give the golden cases, then ``count`` generated ones."""
    for case in golden:
        yield NamedQuestion(case.name, case.question, case.answer)
    for number, question in enumerate(questions(count, seed)):
        yield NamedQuestion(f"seed {seed} number {number}", question)


def judge(decide: Callable[[Question], Decision], golden: Iterable[Golden]) -> Iterator[Disagreement]:
    """Give the golden cases that are decided otherwise: ``left`` is the answer, ``right`` the agreed one."""
    for number, case in enumerate(golden):
        answer = decide(case.question).answer()
        if _written(answer) != _written(case.answer):
            yield Disagreement(number, case.name, case.question.document(), answer, case.answer)


async def compare(
    left: PolicyEngine,
    right: PolicyEngine,
    asked: Iterable[NamedQuestion],
    told: Callable[[int], None] | None = None,
) -> Compared:
    """Ask both engines every question, several at a time; ``told`` hears how many are done."""
    found = Compared()
    waiting = enumerate(asked)

    async def work() -> None:
        for number, one in waiting:
            answers = await left.decide(one.question), await right.decide(one.question)
            found.add(number, one, *answers)
            if told is not None:
                told(found.cases)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return found


def _written(answer: Json) -> bytes:
    """Write an answer so that two are the same only as bytes: in Python 1 would equal true."""
    return orjson.dumps(answer, option=orjson.OPT_SORT_KEYS)
