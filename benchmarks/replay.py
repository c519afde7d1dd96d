"""D6: put ten thousand questions of the past to two bundles, and to the one in force alone."""

import time
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import Figure, Limit
from policies.bundle import Bundle, shipped_bundle
from policies.embedded import EmbeddedEngine, open_embedded
from policies.trying.generate import questions
from policies.trying.replay import replay

ASKED = 10_000
SEED = 5


def run(folder: Path) -> list[Figure]:  # noqa: ARG001  # every benchmark is given a folder
    """Replay on the shipped bundle and on one that wants a class less; the flips must show."""
    asked = [(f"c-{number}", question) for number, question in enumerate(questions(ASKED, SEED))]
    before, after = open_embedded(""), EmbeddedEngine(_looser())
    began = time.perf_counter()
    for _, question in asked:
        before.decide_now(question)
    alone = time.perf_counter() - began
    began = time.perf_counter()
    report = replay(before.decide_now, after.decide_now, asked)
    both = time.perf_counter() - began
    if not report.counts.get("permitted"):
        raise AssertionError("the looser bundle permits nothing more, so nothing was compared")
    plain = Limit(f"s, {ASKED:,} decisions of one bundle", alone)
    return [Figure("D6", f"replay of {ASKED:,} on two bundles", both, "s", plain, bar="15 s", aim="8 s")]


def _looser() -> Bundle:
    """Give the shipped bundle with class 3 open to everybody."""
    shipped = shipped_bundle()
    name = "headwaters/access.rego"
    text = shipped.sources[name].decode().replace("classification in {1, 2}", "classification in {1, 2, 3}")
    if text.encode() == shipped.sources[name]:
        raise AssertionError("the policy no longer reads as this benchmark expects")
    return replace(shipped, sources={**shipped.sources, name: text.encode()})
