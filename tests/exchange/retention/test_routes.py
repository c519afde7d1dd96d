"""Erasure over HTTP is the administrator's alone, and a refusal says which day would do."""

import pytest

from tests.exchange.provinces import Exchange, code

pytestmark = pytest.mark.anyio

PATH = "/operator/erasures"


async def test_the_administrator_erases_and_gets_the_place_of_the_act(exchange: Exchange) -> None:
    """The answer names the entry that records the act, and how much was erased."""
    answer = await exchange.person("administrator").post(PATH, json={"before": "2021-11-22"})

    assert answer.status_code == 201, answer.text
    assert answer.json()["index"] == exchange.parts.log.size() - 1
    assert answer.json()["evidence"] == 0


async def test_nobody_else_erases(exchange: Exchange) -> None:
    """Auditor, operator and strangers are refused."""
    body = {"before": "2021-11-22"}
    refused = [await exchange.person(name).post(PATH, json=body) for name in ("auditor", "operator")]

    assert [code(answer) for answer in refused] == [(403, "wrong-role")] * 2
    assert (await exchange.http.post(PATH, json=body)).status_code == 401


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("2021-11-23", (403, "evidence-too-young")),
        ("2026-11-22", (403, "evidence-too-young")),
        ("2021-02-30", (400, "usage")),
        ("yesterday", (400, "bad-message")),
    ],
)
async def test_what_is_too_young_or_no_day_is_refused(
    exchange: Exchange, before: str, expected: tuple[int, str]
) -> None:
    """Five years are kept by default; the day after is refused, and nothing is logged."""
    size = exchange.parts.log.size()
    answer = await exchange.person("administrator").post(PATH, json={"before": before})

    assert code(answer) == expected
    assert exchange.parts.log.size() == size
