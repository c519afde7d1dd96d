"""Who and what may no longer act, as the exchange says it at this moment: a list at most five seconds old."""

import threading
from collections.abc import Callable
from datetime import timedelta

from audit.database import Database
from contracts.clock import Clock, monotonic_seconds
from contracts.errors import Conflict, Unavailable
from contracts.messages import Revocations
from nodes.trusting import trust_store as store
from nodes.trusting.log_sight import MAX_SKEW

REVOCATIONS_AGE_SECONDS = 5.0


class RevocationsRolledBack(Conflict):
    """An older revocation list was served again."""

    code = "revocations-rolled-back"
    title_zh = "交换中心给出了更旧的吊销清单"
    next_zh = "暂停交付,联系交换中心核对吊销清单编号。"
    next_en = "Pause deliveries and compare the revocation list's number with the exchange."


class RevocationsStale(Unavailable):
    """No revocation list is fresh enough."""

    code = "revocations-stale"
    title_zh = "没有足够新的吊销清单"
    next_zh = "校准本机时钟并检查与交换中心的连接,然后重试。"
    next_en = "Set this machine's clock, check the connection to the exchange, and try again."


class RevocationWatch:
    """The newest revocation list; safe to share between threads."""

    def __init__(self, database: Database, clock: Clock, fetch: Callable[[], Revocations]) -> None:
        """``fetch`` asks the exchange and gives a list whose signature and time hold."""
        self._database = database
        self._clock = clock
        self._fetch = fetch
        self._lock = threading.Lock()
        self._held: Revocations | None = None
        self._asked_at_seconds = 0.0  # on the monotonic clock, when the list above was asked for

    def fresh(self, max_age_seconds: float) -> Revocations:
        """Give a revocation list issued at most ``max_age_seconds`` ago, fetching it when need be.

        Raises:
            RevocationsRolledBack, RevocationsStale, SignatureInvalid, ClockBehind, ExchangeSilent.
        """
        with self._lock:
            # A clock that is set back must not keep an old list young, so its age is measured both ways.
            held_seconds = monotonic_seconds() - self._asked_at_seconds
            held = self._held if held_seconds <= max_age_seconds else None
            if held is not None and self._is_fresh(held, max_age_seconds):
                return held
            asked_at_seconds = monotonic_seconds()
            listed = self._fetch()
            if not self._is_fresh(listed, max_age_seconds):
                raise RevocationsStale(f"the list was issued at {listed.issued_at.isoformat()}")
            with self._database.transaction() as session:
                if not store.raise_mark(session, store.REVOCATIONS, listed.number):
                    raise RevocationsRolledBack(f"number {listed.number} is older than one seen before")
            self._held, self._asked_at_seconds = listed, asked_at_seconds
            return listed

    def _is_fresh(self, listed: Revocations, max_age_seconds: float) -> bool:
        now = self._clock.now()
        age = now - listed.issued_at
        return now < listed.expires_at and -MAX_SKEW <= age <= timedelta(seconds=max_age_seconds)
