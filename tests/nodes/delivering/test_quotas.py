"""Quotas and rates: counted once, by whoever comes first, in windows that slide; no count, no bytes."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlmodel import select

from audit.commitment import ContentDigest
from audit.database import open_database, upgrade
from contracts.clock import epoch_ms
from contracts.messages import (
    Discharged,
    Grant,
    LoggedGrant,
    Obligation,
    PurposeBinding,
    Quota,
    Rate,
    Receipt,
)
from nodes.delivering.duties.handler import Delivery, View
from nodes.delivering.duties.quotas import (
    LONGEST_RATE,
    QuotaSpent,
    TooManyFetches,
    count_fetch,
    spend_quota,
)
from nodes.node import MIGRATIONS, Node
from nodes.sharing_tables import AnsweredFetchRow, DeliveryRow, OutboxRow, UseRow
from nodes.signed import peek_statement
from tests.nodes.delivering.presented import code
from tests.nodes.sharing import DATASET, PURPOSE, World, rows
from tests.postgresql import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]

HOUR = 3600


def asks(world: World, *obligations: Obligation) -> None:
    """Have the exchange put obligations into every grant from now on."""
    world.exchange.obligations = lambda terms: [*obligations, PurposeBinding(purpose=terms.purpose)]


def releases(world: World, *sizes: int) -> list[LoggedGrant]:
    """Publish releases of these many rows, and have a grant for each."""
    world.declare()
    first = 1
    for number, size in enumerate(sizes):
        world.publish(rows(size, first=first), f"{number}.ndjson")
        first += size
    subscription = world.agree()
    return [world.granted(subscription, number + 1) for number in range(len(sizes))]


def discharged(answer: httpx.Response) -> list[Discharged]:
    return peek_statement(answer.json()["receipt"], Receipt).statement.discharged


def taken(world: World) -> list[str]:
    with world.provider.database.read() as session:
        return sorted(session.exec(select(UseRow.grant_id)).all())


def grant_of(logged: LoggedGrant) -> Grant:
    return peek_statement(logged.grant_envelope, Grant).statement


def fetch(world: World, logged: LoggedGrant, byte_range: str | None = None) -> httpx.Response:
    headers = {} if byte_range is None else {"range": byte_range}
    with world.client() as client:
        return client.get(f"/deliveries/{grant_of(logged).grant}/data", headers=headers)


# --- quotas -------------------------------------------------------------------------------------------


def test_what_is_within_the_quota_is_delivered_and_counted(world: World) -> None:
    """The last row of the limit is still given; the receipt says how much is spent."""
    asks(world, Quota(unit="rows", limit=30, window_seconds=HOUR))
    first, second = releases(world, 10, 20)

    assert discharged(world.present(first))[0] == Discharged(kind="quota", used=10)
    assert discharged(world.present(second))[0] == Discharged(kind="quota", used=30)


def test_what_is_beyond_the_quota_is_refused_and_not_counted(world: World) -> None:
    """A refusal leaves neither delivery nor receipt nor use, and the grant is given up with its reason."""
    asks(world, Quota(unit="rows", limit=29, window_seconds=HOUR))
    first, second = releases(world, 10, 20)

    world.present(first)
    refusal = world.present(second)

    assert (refusal.status_code, code(refusal)) == (429, "quota-spent")
    assert taken(world) == [grant_of(first).grant]
    with world.provider.database.read() as session:
        assert [row.grant_id for row in session.exec(select(DeliveryRow))] == [grant_of(first).grant]
        assert [row.grant_id for row in session.exec(select(OutboxRow))] == [grant_of(first).grant]
    assert world.exchange.transfers[grant_of(second).grant].state == "aborted"
    assert code(fetch(world, second)) == "delivery-unknown"


def test_the_same_grant_is_counted_once(world: World) -> None:
    """A consumer that repeats after a crash gets the same receipt, and nothing more is spent."""
    asks(world, Quota(unit="releases", limit=1, window_seconds=HOUR))
    (logged,) = releases(world, 5)

    answers = [world.present(logged) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].json() == answers[2].json()
    assert taken(world) == [grant_of(logged).grant]


def test_the_window_slides(world: World) -> None:
    """What was taken before the window began counts no more, to the millisecond."""
    asks(world, Quota(unit="rows", limit=10, window_seconds=HOUR))
    (first,) = releases(world, 10)
    world.present(first)
    world.publish(rows(10, first=50), "next.ndjson")
    subscription = grant_of(first).subscription

    world.clock.advance(HOUR - 0.001)
    early = world.present(world.granted(subscription, 2))
    world.clock.advance(0.001)
    late = world.present(world.granted(subscription, 2))

    assert code(early) == "quota-spent"
    assert discharged(late)[0].used == 10


def test_bytes_and_releases_are_counted_too(world: World) -> None:
    """Bytes are those of the view; a release that is taken again under another grant is still one release."""
    asks(
        world,
        Quota(unit="bytes", limit=10**9, window_seconds=HOUR),
        Quota(unit="releases", limit=1, window_seconds=HOUR),
        Quota(unit="rows", limit=100, window_seconds=HOUR),
    )
    (first,) = releases(world, 10)
    answer = world.present(first)
    size = peek_statement(answer.json()["receipt"], Receipt).statement.view_size_bytes
    world.clock.advance(61)

    again = world.present(world.granted(grant_of(first).subscription))

    assert [item.used for item in discharged(answer)[:3]] == [size, 1, 10]
    assert [item.used for item in discharged(again)[:3]] == [2 * size, 1, 20]


def test_a_quota_counts_what_went_out_before_it_was_set(world: World) -> None:
    """Every delivery is counted, whether its grant carried a quota or not."""
    first, second = releases(world, 10, 20)
    world.present(first)
    world.exchange.transfers.clear()
    asks(world, Quota(unit="rows", limit=25, window_seconds=HOUR))

    refusal = world.present(world.granted(grant_of(second).subscription, 2))

    assert code(refusal) == "quota-spent"


def test_what_others_take_and_what_is_taken_of_others_does_not_count(world: World) -> None:
    """A quota is of one consumer and one dataset."""
    asks(world, Quota(unit="rows", limit=10, window_seconds=HOUR))
    (logged,) = releases(world, 10)
    mine = world.consumer.participant
    with world.provider.database.transaction() as session:
        for number, (dataset, consumer) in enumerate([(DATASET, "p-222222222222"), ("another-set", mine)]):
            use = UseRow(
                grant_id=f"g-{number}",
                dataset=dataset,
                consumer=consumer,
                release=1,
                rows=10,
                size_bytes=1,
                at=epoch_ms(world.clock.now()),
            )
            session.add(use)

    assert discharged(world.present(logged))[0].used == 10


def test_two_presentations_at_once_never_both_take_the_last_unit(world: World) -> None:
    """Two grants, one unit left: one is delivered, the other refused, whoever comes first."""
    asks(world, Quota(unit="releases", limit=1, window_seconds=HOUR))
    grants = releases(world, 5, 6)
    together = threading.Barrier(2)

    def present(logged: LoggedGrant) -> str:
        together.wait()
        return code(world.present(logged))

    with ThreadPoolExecutor(2) as pool:
        codes = sorted(pool.map(present, grants))

    assert codes == ["200", "quota-spent"]
    assert len(taken(world)) == 1


def test_one_grant_presented_many_times_at_once_is_one_use(world: World) -> None:
    """All get the one receipt that was kept."""
    asks(world, Quota(unit="releases", limit=1, window_seconds=HOUR))
    (logged,) = releases(world, 5)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: world.present(logged), range(4)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["receipt"] for answer in answers}) == 1
    assert len(taken(world)) == 1


@pytest.mark.parametrize("table", ["use", "delivery"])
def test_a_count_that_cannot_be_kept_means_no_bytes(world: World, table: str) -> None:
    """Where the quota's book does not take the use, or the receipt is not kept with it, nothing leaves."""
    asks(world, Quota(unit="rows", limit=1000, window_seconds=HOUR))
    (logged,) = releases(world, 5)
    with world.provider.database.write_connection() as connection:
        connection.execute(
            text(
                f'CREATE TRIGGER broken BEFORE INSERT ON "{table}" '
                "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        )

    refusal = world.present(logged)

    assert refusal.status_code in {500, 503}
    assert "receipt" not in refusal.json()
    assert taken(world) == []
    assert code(fetch(world, logged)) == "delivery-unknown"


# --- rates --------------------------------------------------------------------------------------------


def test_fetches_beyond_the_rate_are_refused_until_the_window_has_moved(world: World) -> None:
    """The refusal says how long to wait, and after that wait there is room for one."""
    asks(world, Rate(fetches=2, window_seconds=30))
    (logged,) = releases(world, 5)
    world.present(logged)

    first = fetch(world, logged)
    world.clock.advance(9.5)
    second, third = fetch(world, logged, "bytes=0-9"), fetch(world, logged)
    world.clock.advance(int(third.headers["retry-after"]))
    fourth, fifth = fetch(world, logged), fetch(world, logged)

    assert [first.status_code, second.status_code, third.status_code] == [200, 206, 429]
    assert code(third) == "too-many-fetches"
    assert third.headers["retry-after"] == "21"
    assert (fourth.status_code, fifth.status_code) == (200, 429)


def test_a_fetch_that_is_not_answered_is_not_counted(world: World) -> None:
    """A range outside the view, or a stranger's request, takes nothing from the rate."""
    asks(world, Rate(fetches=1, window_seconds=30))
    (logged,) = releases(world, 5)
    world.present(logged)

    outside = fetch(world, logged, "bytes=999999999-")
    with world.client(key=world.provider.node_key) as stranger:
        foreign = stranger.get(f"/deliveries/{grant_of(logged).grant}/data")

    assert (outside.status_code, foreign.status_code) == (416, 401)
    assert fetch(world, logged).status_code == 200


def test_no_receipt_while_no_fetch_is_free(world: World) -> None:
    """A delivery that could not be fetched is not opened; its grant stays, and the consumer comes again."""
    asks(world, Rate(fetches=1, window_seconds=30))
    first, second = releases(world, 5, 6)
    answer = world.present(first)
    fetch(world, first)

    refusal = world.present(second)
    world.clock.advance(30)
    later = world.present(second)

    assert discharged(answer)[0] == Discharged(kind="rate", used=1)
    assert code(refusal) == "too-many-fetches"
    assert world.exchange.transfers[grant_of(second).grant].state != "aborted"
    assert discharged(later)[0] == Discharged(kind="rate", used=1)


def test_many_fetches_at_once_never_pass_the_rate(world: World) -> None:
    """Eight come together, three are answered."""
    asks(world, Rate(fetches=3, window_seconds=30))
    (logged,) = releases(world, 5)
    grant = grant_of(logged)
    together = threading.Barrier(8)

    def ask(_: int) -> bool:
        together.wait()
        with suppress(TooManyFetches):
            count_fetch(world.provider, grant)
            return True
        return False

    with ThreadPoolExecutor(8) as pool:
        answered = list(pool.map(ask, range(8)))

    assert sum(answered) == 3


def test_a_rate_that_cannot_be_counted_means_no_bytes(world: World) -> None:
    """The receipt is out, and still nothing is sent that nobody counts."""
    asks(world, Rate(fetches=3, window_seconds=30))
    (logged,) = releases(world, 5)
    world.present(logged)
    with world.provider.database.write_connection() as connection:
        connection.execute(text("DROP TABLE answered_fetch"))

    refusal = fetch(world, logged)

    assert (refusal.status_code, code(refusal)) == (503, "use-unknown")


def test_fetches_of_the_day_before_are_forgotten(world: World) -> None:
    """The book of fetches does not grow: what no window can reach is dropped."""
    asks(world, Rate(fetches=3, window_seconds=30))
    (logged,) = releases(world, 5)
    grant = grant_of(logged)
    count_fetch(world.provider, grant)

    world.clock.advance(LONGEST_RATE.total_seconds())
    count_fetch(world.provider, grant)

    with world.provider.database.read() as session:
        assert len(session.exec(select(AnsweredFetchRow)).all()) == 1


# --- on both databases ---------------------------------------------------------------------------------


@contextmanager
def upgraded(world: World, url: str) -> Iterator[Node]:
    database = open_database(url)
    upgrade(database, MIGRATIONS)
    try:
        yield replace(world.provider, database=database)
    finally:
        database.close()


def spend(node: Node, grant: Grant, duty: Quota) -> int | None:
    view = View(Path("view"), ContentDigest("sha256:" + "1" * 64, "sha256:" + "2" * 64, 100), 5, ())
    with node.database.transaction() as session:
        return spend_quota(Delivery(node, grant, view, session, node.clock.now()), duty).used


@pytest.mark.real
def test_quotas_and_rates_hold_on_postgresql(world: World, postgresql_url: str) -> None:
    """The last unit goes to one of many there too, a refusal rolls its use back, and windows slide."""
    (logged,) = releases(world, 5)
    grant = grant_of(logged)
    quota = Quota(unit="rows", limit=10, window_seconds=HOUR)
    rate = Rate(fetches=2, window_seconds=30)
    rated = grant.model_copy(update={"obligations": [rate, PurposeBinding(purpose=PURPOSE)]})

    def attempt(node: Node, number: int) -> int | None:
        with suppress(QuotaSpent):
            return spend(node, grant.model_copy(update={"grant": f"g-{number:012}"}), quota)
        return None

    with upgraded(world, postgresql_url) as node:
        with ThreadPoolExecutor(6) as pool:
            used = list(pool.map(lambda number: attempt(node, number), range(6)))
        with node.database.read() as session:
            counted = session.exec(select(UseRow.rows)).all()
        world.clock.advance(timedelta(hours=1).total_seconds())
        again = attempt(node, 7)
        for _ in range(rate.fetches):
            count_fetch(node, rated)
        with pytest.raises(TooManyFetches):
            count_fetch(node, rated)

    assert sorted(number for number in used if number) == [5, 10]
    assert list(counted) == [5, 5]
    assert again == 5
