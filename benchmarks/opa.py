"""D2: what one decision costs over an OPA server on this machine, beside that server asked without us.

A real OPA serves the shipped bundle on loopback, and another one a policy that refuses without looking. The
plain limit is the same question sent over one open connection, with nothing checked.
"""

import asyncio
import http.client
import json
from pathlib import Path

from benchmarks.deciding import no_op, waits_ms
from benchmarks.figures import Figure, Limit, percentile
from contracts.clock import monotonic_seconds
from policies.bundle import Bundle, shipped_bundle
from policies.decision import Question
from policies.engine import PolicyEngine, open_engine
from policies.guard import outgoing
from tests.opa_server import serving
from tests.policies.questions import TRANSFER

DECISIONS = 2000
WARM = 200
AT_ONCE = 16
PATH = "/v1/data/headwaters/main/answer?provenance=true&strict-builtin-errors=true"


def run(folder: Path) -> list[Figure]:  # noqa: ARG001  # every benchmark is given a folder
    """Measure the server alone, then through the engine, one by one and sixteen at once."""
    with serving(shipped_bundle()) as opa:
        alone = _alone(opa.port, TRANSFER)
        ours, together = _through(opa.url, shipped_bundle())
    with serving(no_op()) as opa:
        idle, _ = _through(opa.url, no_op())
    bare = Limit("ms, the server alone", percentile(alone, 0.5))
    slow = Limit("ms, the server alone", percentile(alone, 0.99))
    empty = Limit("ms, a policy that only refuses", percentile(idle, 0.5))
    single = Limit("/s, one by one", len(ours) / sum(ours) * 1000)
    return [
        Figure("D2", "OPA server decision, p50", percentile(ours, 0.5), "ms", bare, bar="2 ms", aim="1.2 ms"),
        Figure("D2", "OPA server decision, p99", percentile(ours, 0.99), "ms", slow, bar="8 ms", aim="4 ms"),
        Figure("D2", "the same, p50", percentile(ours, 0.5), "ms", empty),
        Figure("D2", f"OPA server decisions, {AT_ONCE} at once", together, "/s", single),
    ]


def _alone(port: int, question: Question) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = b'{"input":' + outgoing(question) + b"}"

    def ask() -> None:
        connection.request("POST", PATH, body, {"content-type": "application/json"})
        json.loads(connection.getresponse().read())

    try:
        return waits_ms(ask, DECISIONS)
    finally:
        connection.close()


def _through(url: str, bundle: Bundle) -> tuple[list[float], float]:
    return asyncio.run(_ask(open_engine(url, bundle)))


async def _ask(engine: PolicyEngine) -> tuple[list[float], float]:
    for _ in range(WARM):
        await engine.decide(TRANSFER)
    waits = []
    for _ in range(DECISIONS):
        began = monotonic_seconds()
        decision = await engine.decide(TRANSFER)
        waits.append((monotonic_seconds() - began) * 1000)
        _check(decision.outcome)
    began = monotonic_seconds()
    rounds = DECISIONS // AT_ONCE
    await asyncio.gather(*(_some(engine, rounds) for _ in range(AT_ONCE)))
    together = rounds * AT_ONCE / (monotonic_seconds() - began)
    engine.close()
    return waits, together


async def _some(engine: PolicyEngine, rounds: int) -> None:
    for _ in range(rounds):
        _check((await engine.decide(TRANSFER)).outcome)


def _check(outcome: str) -> None:
    if outcome == "indeterminate":
        raise AssertionError("the server could not be asked, so nothing was measured")
