"""D6: put ten thousand questions of the past to two bundles, beside one bundle alone.

Once such as a quiet day brings, transfers and applications that differ in little; once made up to meet every
rule, obligation and refusal, which is the worst that a log may hold.
"""

import time
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import Figure, Limit
from policies.bundle import Bundle, shipped_bundle
from policies.decision import Question
from policies.embedded import EmbeddedEngine, open_embedded
from policies.trying.generate import questions
from policies.trying.replay import replay
from tests.policies.questions import APPLY, NOW_MS, PARTICIPANT, TRANSFER

ASKED = 10_000
SEED = 5


def run(folder: Path) -> list[Figure]:  # noqa: ARG001  # every benchmark is given a folder
    """Replay both kinds on the shipped bundle and on one that opens class 3 to everybody."""
    before, after = open_embedded(""), EmbeddedEngine(_looser())
    return [
        _replay("ordinary", [_ordinary(number) for number in range(ASKED)], before, after),
        _replay("made-up", list(questions(ASKED, SEED)), before, after),
    ]


def _replay(kind: str, asked: list[Question], before: EmbeddedEngine, after: EmbeddedEngine) -> Figure:
    began = time.perf_counter()
    for question in asked:
        before.decide_now(question)
    alone = time.perf_counter() - began
    named = [(f"c-{number}", question) for number, question in enumerate(asked)]
    began = time.perf_counter()
    report = replay(before.decide_now, after.decide_now, named)
    both = time.perf_counter() - began
    if not report.counts.get("permitted"):
        raise AssertionError("the looser bundle permits nothing more, so nothing was compared")
    plain = Limit("s, one bundle alone", alone)
    return Figure("D6", f"replay of {ASKED:,} {kind} questions", both, "s", plain, bar="15 s", aim="8 s")


def _ordinary(number: int) -> Question:
    """Ask again a moment later; one in a hundred comes from a city and is about class 3."""
    question = replace(TRANSFER if number % 2 else APPLY, now_ms=NOW_MS + number)
    if number % 100:
        return question
    city = replace(PARTICIPANT, level="city")
    return replace(question, participant=city, dataset=replace(question.dataset, classification=3))


def _looser() -> Bundle:
    """Give the shipped bundle with class 3 open to everybody."""
    shipped = shipped_bundle()
    name = "headwaters/access.rego"
    text = shipped.sources[name].decode().replace("classification in {1, 2}", "classification in {1, 2, 3}")
    if text.encode() == shipped.sources[name]:
        raise AssertionError("the policy no longer reads as this benchmark expects")
    return replace(shipped, sources={**shipped.sources, name: text.encode()})
