"""The outage clock: business stops when the log lacks a quorum for too long, and goes on with one."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from audit.database import Database
from audit.log.entry import Entry, EntryKind
from audit.log.outage import NEW_BUSINESS, WitnessGraceOver, is_over
from audit.log.sequencer import Log
from audit.log.unit import Unit
from contracts.clock import FrozenClock
from tests.audit.logs import NOW, ORIGIN, SIGNER, appending, cosigned
from tests.audit.test_entry import EXAMPLES

GRACE = timedelta(hours=4)


@contextmanager
def running(database: Database, clock: FrozenClock) -> Iterator[Log]:
    """Run a log with a grace of four hours."""
    log = Log(database, SIGNER, ORIGIN, clock, 0, sealed=False, grace=GRACE)
    log.start()
    try:
        yield log
    finally:
        log.close()


def business(kind: EntryKind = EntryKind.RELEASE_PUBLISH) -> Any:
    """Give a unit that appends one entry of ``kind``; Any: the log takes units of every type."""

    def unit(unit: Unit) -> int:
        return unit.append(Entry(kind, unit.now, EXAMPLES[kind]))

    return unit


def test_business_stops_when_the_grace_is_over(database: Database) -> None:
    """Up to four hours after the first unwitnessed entry business goes on; beyond them it is refused."""
    clock = FrozenClock(NOW)
    with running(database, clock) as log:
        log.publish_cosigned(cosigned(log.commit_blocking(appending(1)).checkpoint))
        log.commit_blocking(appending(2))
        clock.advance(GRACE.total_seconds())
        log.commit_blocking(business())
        clock.advance(1)
        with pytest.raises(WitnessGraceOver):
            log.commit_blocking(business())
        size = log.size()

    assert size == 3


@pytest.mark.parametrize("kind", sorted(set(EntryKind) - NEW_BUSINESS))
def test_what_is_no_new_business_goes_on(database: Database, kind: EntryKind) -> None:
    """Closings, refusals, events and the acts that repair the alliance are taken whatever the clock says."""
    clock = FrozenClock(NOW)
    with running(database, clock) as log:
        log.publish_cosigned(cosigned(log.commit_blocking(appending(1)).checkpoint))
        log.commit_blocking(appending(2))
        clock.advance(2 * GRACE.total_seconds())

        assert log.commit_blocking(business(kind)).value == 2


def test_a_restart_does_not_wind_the_clock_back(database: Database) -> None:
    """The clock began with the entry in the log, so a fresh process refuses at once."""
    clock = FrozenClock(NOW)
    with running(database, clock) as log:
        log.publish_cosigned(cosigned(log.commit_blocking(appending(1)).checkpoint))
        log.commit_blocking(appending(2))
    clock.advance(GRACE.total_seconds() + 1)

    with running(database, clock) as again, pytest.raises(WitnessGraceOver):
        again.commit_blocking(business())


def test_a_quorum_ends_the_outage(database: Database) -> None:
    """Business goes on in the very next unit after a quorum has cosigned everything."""
    clock = FrozenClock(NOW)
    with running(database, clock) as log:
        log.publish_cosigned(cosigned(log.commit_blocking(appending(1)).checkpoint))
        late = log.commit_blocking(appending(2))
        clock.advance(2 * GRACE.total_seconds())
        with pytest.raises(WitnessGraceOver):
            log.commit_blocking(business())
        log.publish_cosigned(cosigned(late.checkpoint))

        assert log.commit_blocking(business()).value == 2
        assert log.unwitnessed_since() == clock.now()


def test_a_log_that_never_had_a_quorum_has_lost_none(database: Database) -> None:
    """An alliance may take its time to gather witnesses."""
    clock = FrozenClock(NOW)
    with running(database, clock) as log:
        log.commit_blocking(appending(1))
        clock.advance(10 * GRACE.total_seconds())

        assert log.commit_blocking(business()).value == 1
        assert log.unwitnessed_since() == NOW


@pytest.mark.parametrize(
    ("seconds", "over"), [(-6, True), (-5, False), (0, False), (14_400, False), (14_401, True)]
)
def test_the_limits_of_the_clock(seconds: int, over: bool) -> None:
    """Exactly the grace still counts as within it, and a clock that was set back counts as over."""
    assert is_over(NOW, NOW + timedelta(seconds=seconds), GRACE) is over
