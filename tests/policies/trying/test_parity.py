"""Both engines, the same questions, the same answers: the embedded interpreter and a real OPA server."""

import asyncio
from dataclasses import replace

import pytest

from contracts.messages import Condition
from policies.bundle import Bundle, shipped_bundle
from policies.decision import Question
from policies.embedded import EmbeddedEngine
from policies.engine import EngineOptions, open_engine
from policies.trying.compare import Compared, NamedQuestion, all_cases, compare
from policies.trying.golden import shipped_cases
from tests.opa_server import Opa, opa, serving
from tests.policies.questions import TRANSFER
from tests.policies.trying.test_generate import CODES, KINDS

__all__ = ["opa"]
pytestmark = pytest.mark.real

SEEDS = (1, 2, 3, 4)
EACH = 3000  # four seeds of these are the twelve thousand
PATIENT = EngineOptions(deadline_seconds=60.0)


def held_against(server: Opa, asked: list[NamedQuestion], ours: Bundle | None = None) -> Compared:
    """Ask the embedded engine and a server."""

    async def ask() -> Compared:
        here = EmbeddedEngine(ours or shipped_bundle())
        there = open_engine(server.url, shipped_bundle(), PATIENT)
        try:
            return await compare(here, there, asked)
        finally:
            there.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("seed", SEEDS)
def test_twelve_thousand_made_up_questions_get_the_same_answer(opa: Opa, seed: int) -> None:
    """No difference; at least three in ten are permits; every reason and every obligation is met."""
    found = held_against(opa, list(all_cases([], EACH, seed)))

    assert (found.cases, found.differences, found.first) == (EACH, 0, None)
    assert found.outcomes["permit"] >= 0.3 * EACH
    assert set(found.codes) == CODES
    assert set(found.kinds) == KINDS


def test_the_golden_cases_get_the_agreed_answer_from_both(opa: Opa) -> None:
    """Both engines answer every golden case as its file says."""
    found = held_against(opa, list(all_cases(shipped_cases(), 0, 0)))

    assert (found.differences, found.first) == (0, None)
    assert found.cases == len(shipped_cases())


def _from(address: str, network: str) -> Question:
    condition = Condition().model_copy(update={"networks": [network]})
    dataset = replace(TRANSFER.dataset, conditions=(condition,))
    return replace(TRANSFER, address=address, dataset=dataset)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("::ffff:10.51.3.4", "10.51.3.4/32"),
        ("0:0:0:0:0:ffff:a33:304", "10.51.3.4/32"),
        ("10.51.3.4", "::ffff:10.51.0.0/112"),
        ("999.0.0.1", "10.0.0.0/8"),
        ("010.51.3.4", "10.0.0.0/8"),
        ("10.51.3.4", "10.0.0.0/33"),
        ("10.51.3.4", "10.0.0/8"),
        ("10.51.3.4", "1::2::3/64"),
    ],
)
def test_an_address_that_engines_read_differently_is_decided_by_neither(
    opa: Opa, address: str, network: str
) -> None:
    """A mapped or malformed address or network is an indeterminate refusal from both, never a permit."""
    found = held_against(opa, [NamedQuestion("odd", _from(address, network))])

    assert found.outcomes == {"indeterminate": 1}
    assert found.first is not None
    assert [side["outcome"] for side in (found.first.left, found.first.right)] == ["indeterminate"] * 2  # type: ignore[index,call-overload]  # JSON


def test_an_undecided_answer_is_a_difference_even_from_both(opa: Opa) -> None:
    """Two engines that both fail agree on nothing."""
    found = held_against(opa, [NamedQuestion("odd", replace(TRANSFER, address="::ffff:1.2.3.4"))])

    assert (found.cases, found.differences) == (1, 1)


def test_another_policy_shows_as_differences() -> None:
    """An OPA that serves other rules never passes: the answers are refused, and the first is told."""
    sources = dict(shipped_bundle().sources)
    path = "headwaters/access.rego"
    other = Bundle({**sources, path: sources[path] + b"\n# changed\n"})
    asked = list(all_cases([], 5, 1))

    with serving(other) as server:
        found = held_against(server, asked)

    assert (found.cases, found.differences) == (5, 5)
    assert found.first is not None
    assert found.first.number == 0
    assert found.first.right["reasons"][0]["code"] == "pdp:wrong-bundle"  # type: ignore[index,call-overload]  # JSON


def test_a_rule_that_differs_shows_with_its_first_question(opa: Opa) -> None:
    """Where one side decides by another rule, the first question that tells is reported with both answers."""
    sources = dict(shipped_bundle().sources)
    path = "headwaters/main.rego"
    laxer = sources[path].replace(b"input.now_ms + 5000", b"input.now_ms + 4999")

    found = held_against(opa, list(all_cases([], 50, 1)), Bundle({**sources, path: laxer}))

    assert laxer != sources[path]
    assert 0 < found.differences < found.cases == 50
    assert found.first is not None
    assert found.first.left != found.first.right
