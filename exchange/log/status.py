"""How the log stands at this moment, in memory: what is witnessed, since when not, and why it is sealed.

Written on the event loop by the start-up check and by cosigning; read by routes, the status page and
readiness.
"""

from datetime import datetime, timedelta

from audit.log.shards import Shard
from contracts.messages import LogStatus


class LogState:
    """The log's standing; the database holds the evidence, this holds what is known of it now."""

    def __init__(self) -> None:
        self.witnessed_size = 0
        self.cosignatures = 0
        self.published_at: datetime | None = None
        self.unwitnessed_since: datetime | None = None
        self.lost_quorum = False
        self.refusal: str | None = None
        self.waiting_for: tuple[str, ...] = ()
        self.answers_needed = 0
        self.stopped_tasks: list[str] = []

    def observe(self, unwitnessed_since: datetime | None) -> None:
        """Note since when the log holds entries that no published checkpoint covers."""
        self.unwitnessed_since = unwitnessed_since

    def published(self, size: int, cosignatures: int, now: datetime) -> None:
        """Note that a checkpoint of ``size`` went out with a quorum."""
        if size > self.witnessed_size:
            self.unwitnessed_since = None
        self.witnessed_size = size
        self.cosignatures = cosignatures
        self.published_at = now

    def turn(self) -> None:
        """Begin a new shard, of which nothing is published yet; the quorum is as it was."""
        self.witnessed_size = 0
        self.cosignatures = 0

    def refuse(self, reason: str) -> None:
        """Keep the log sealed for good, and say why."""
        self.refusal = self.refusal or reason

    def report(
        self, *, shard: Shard, size: int, quorum: int, witnesses: int, sealed: bool, grace: timedelta
    ) -> LogStatus:
        """Write the standing for people and health checks; ``grace`` is what the outage clock allows."""
        since = self.unwitnessed_since
        stops = None if since is None or self.published_at is None else since + grace
        return LogStatus(
            origin=shard.origin,
            size=size,
            witnessed_size=self.witnessed_size,
            cosignatures=self.cosignatures,
            quorum=quorum,
            witnesses=witnesses,
            unwitnessed_since=since,
            business_stops_at=stops,
            sealed=sealed,
            shard=shard.number,
            closing=shard.size is not None,
        )
