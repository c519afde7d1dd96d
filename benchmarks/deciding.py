"""D1 and D3: what one decision costs in process, and whether it grows with what the exchange remembers.

D1 asks the shipped policy in this thread, beside the interpreter alone on the same input and a policy that
refuses without looking. D3 gathers the facts of a transfer from the exchange's own database and decides,
while ever more grants of other subscriptions lie in it.
"""

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Figure, Limit, percentile
from benchmarks.logs import entry_id
from contracts.clock import FrozenClock
from contracts.messages import TransferRequest
from exchange.home import init
from exchange.transfers.facts import gather_transfer
from policies.bundle import Bundle, shipped_bundle
from policies.decision import Question
from policies.embedded import ENTRY_POINT, EmbeddedEngine, build_engine, open_embedded
from policies.guard import outgoing
from tests.exchange.trading import START, Alliance
from tests.policies.questions import TRANSFER

DECISIONS = 3000
WARM = 200
REFUSE = """package headwaters.main

import rego.v1

answer := {
	"allow": false,
	"denials": [{"code": "action-unknown", "args": {}}],
	"grounds": [],
	"obligations": [],
	"valid_until_ms": 0,
}
"""
GRANTS = (1_000, 10_000, 100_000, 1_000_000)
BATCH = 50_000


def run(folder: Path) -> list[Figure]:
    """Measure the engine, then the exchange with more and more grants."""
    return [*_engine(), *_growth(folder)]


def no_op() -> Bundle:
    """Give a bundle that refuses whatever it is asked."""
    return Bundle({"headwaters/main.rego": REFUSE.encode()})


def waits_ms(act: Callable[[], object], times: int = DECISIONS) -> list[float]:
    """Give the milliseconds of each call, after some that do not count."""
    for _ in range(WARM):
        act()
    waits = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        waits.append((time.perf_counter() - began) * 1000)
    return waits


def _engine() -> list[Figure]:
    question = TRANSFER
    engine = open_embedded("")
    ours = waits_ms(lambda: _permitted(engine, question))
    alone = waits_ms(_interpreter(question))
    nothing = EmbeddedEngine(no_op())
    idle = waits_ms(lambda: nothing.decide_now(question))
    bare = Limit("ms, the interpreter alone", percentile(alone, 0.5))
    slow = Limit("ms, the interpreter alone", percentile(alone, 0.99))
    empty = Limit("/s, a policy that only refuses", len(idle) / sum(idle) * 1000)
    return [
        Figure("D1", "embedded decision, p50", percentile(ours, 0.5), "ms", bare, bar="0.5 ms", aim="0.3 ms"),
        Figure(
            "D1", "embedded decision, p99", percentile(ours, 0.99), "ms", slow, bar="1.5 ms", aim="0.8 ms"
        ),
        Figure(
            "D1", "embedded decisions, one thread", len(ours) / sum(ours) * 1000, "/s", empty, bar="1,500"
        ),
    ]


def _permitted(engine: EmbeddedEngine, question: Question) -> None:
    if not engine.decide_now(question).allowed:
        raise AssertionError("the question of the benchmark is no longer permitted")


def _interpreter(question: Question) -> Callable[[], object]:
    engine, document = build_engine(shipped_bundle()), outgoing(question).decode()

    def evaluate() -> str:
        engine.set_input_json(document)
        answer: str = engine.eval_rule_as_json(ENTRY_POINT)
        return answer

    return evaluate


def _growth(folder: Path) -> list[Figure]:
    home = folder / "exchange"
    init(
        home,
        origin="audit.headwaters.example/bench",
        public_url="http://127.0.0.1:8420",
        quorum=1,
        witnesses=1,
        clock=FrozenClock(datetime(2026, 3, 1, tzinfo=UTC)),
    )
    alliance = Alliance(home, FrozenClock(START))
    try:
        provider, consumer = alliance.join(), alliance.join()
        alliance.declare(provider)
        alliance.publish(provider)
        subscription = alliance.agreed(consumer).subscription
        alliance.request(consumer, subscription)
        ask = TransferRequest(subscription=subscription, release=1)
        engine = open_embedded("")

        def decide() -> None:
            with alliance.parts.database.read() as session:
                gathered = gather_transfer(
                    session, alliance.parts.clock.now(), consumer=consumer.id, request=ask
                )
            engine.decide_now(gathered.question)

        figures: list[Figure] = []
        least: Limit | None = None
        have = 1
        for wanted in GRANTS:
            _remember(home / "exchange.db", have, wanted)
            have = wanted
            median = percentile(waits_ms(decide, 1000), 0.5)
            figures.append(
                Figure("D3", f"facts and decision, {wanted:,} grants", median, "ms", least, bar="flat")
            )
            least = least or Limit(f"ms, with {wanted:,} grants", median)
    finally:
        alliance.close()
    return figures


def _remember(database: Path, have: int, wanted: int) -> None:
    """Copy the one real transfer until there are ``wanted``, 32 open ones to each subscription."""
    with sqlite3.connect(database) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(transfer)")]
        row = dict(zip(names, connection.execute("SELECT * FROM transfer LIMIT 1").fetchone(), strict=True))
        insert = f"INSERT INTO transfer ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608  # the table's own columns
        for start in range(have, wanted, BATCH):
            connection.executemany(
                insert,
                (
                    tuple(
                        {
                            **row,
                            "grant_id": entry_id("g", number),
                            "subscription": entry_id("s", number // 32),
                            "seq": number % 32 + 1,
                            "envelope": "",  # not read, and a million would fill the disk
                            "leaf": b"",
                        }.values()
                    )
                    for number in range(start, min(start + BATCH, wanted))
                ),
            )
            connection.commit()
