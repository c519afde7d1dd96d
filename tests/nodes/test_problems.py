import asyncio

import httpx
import pytest

from nodes.node import Node
from tests.nodes.faces import LISTENER, small_app, transport


def _send(node: Node, method: str, path: str, **options: object) -> httpx.Response:
    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport(small_app(node)), base_url=LISTENER) as client:
            return await client.request(method, path, **options)  # type: ignore[arg-type]  # tests vary them

    return asyncio.run(send())


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "no-such-path"),
        ("PUT", "/offers", 405, "method-not-allowed"),
        ("GET", "/numbers/secret-value", 400, "bad-request"),
        ("GET", "/numbers/0", 500, "internal"),
        ("POST", "/offers", 401, "wrong-target"),
    ],
)
def test_every_error_is_a_problem_in_two_languages(
    node: Node, method: str, path: str, status: int, code: str
) -> None:
    """Whatever goes wrong is told as RFC 9457 with a code, both titles and the next step."""
    headers = {"host": "elsewhere.example"} if code == "wrong-target" else {}
    answer = _send(node, method, path, headers=headers)

    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["title_zh"]
    assert problem["next"]["en"]
    assert problem["instance"].startswith("urn:headwaters:request:x-")


def test_nothing_that_was_sent_comes_back(node: Node) -> None:
    """Neither a fault nor an unexpected error repeats a value or shows a stack."""
    fault = _send(node, "GET", "/numbers/secret-value").text
    crash = _send(node, "GET", "/numbers/0").text

    assert "secret-value" not in fault
    assert "division" not in crash
    assert "Traceback" not in crash


@pytest.mark.parametrize(
    ("path", "size", "status"), [("/offers", 65, 413), ("/witness/add-checkpoint", 65, 400)]
)
def test_a_body_over_its_limit_is_refused(node: Node, path: str, size: int, status: int) -> None:
    """Each path has its limit, and what is over it is refused before anything reads it."""
    assert _send(node, "POST", path, content=b"x" * size).status_code == status


def test_a_body_without_a_length_is_counted(node: Node) -> None:
    """A body that comes in pieces without a declared length is refused as soon as it is over the limit."""

    async def pieces() -> object:
        for _ in range(3):
            yield b"x" * 30

    assert _send(node, "POST", "/offers", content=pieces()).status_code == 413


def test_a_length_that_is_no_number_is_refused(node: Node) -> None:
    """A false declaration gains nothing."""
    answer = _send(node, "POST", "/offers", content=b"x", headers={"content-length": "-1"})

    assert answer.status_code == 413
