"""What a subscription uses is counted among its own transfers, however many the alliance has."""

from typing import Any

from sqlalchemy import event

from exchange.transfers.store import usage_of
from tests.exchange.trading import Alliance


def test_only_the_subscriptions_own_transfers_are_read(alliance: Alliance) -> None:
    """Both counts are one query, and each of its parts reaches the table through the subscription."""
    database = alliance.parts.database
    asked: list[tuple[str, Any]] = []  # Any: the driver's own parameters

    with database.read() as session:
        connection = session.connection()

        def keep(_c: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
            asked.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", keep)
        usage_of(session, "s-aaaaaaaaaaaa", 1, alliance.clock.now())
        event.remove(connection, "before_cursor_execute", keep)
        plans = [
            str(row[3])
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]

    reads = [plan for plan in plans if plan.startswith(("SCAN", "SEARCH")) and plan != "SCAN CONSTANT ROW"]
    assert len(asked) == 1
    assert len(reads) == 3  # those open, those owed, and what was received in the end
    assert all(plan.startswith("SEARCH transfer") and "(subscription=?" in plan for plan in reads), reads
