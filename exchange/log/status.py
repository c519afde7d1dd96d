"""How the log stands at this moment, in memory: what is witnessed, since when not, and why it is sealed.

Written on the event loop by the start-up check and by cosigning; read by routes, the status page and
readiness.
"""

from datetime import datetime

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

    def observe(self, size: int, now: datetime) -> None:
        """Note how large the log is; what it holds beyond the witnessed size is unwitnessed from now on."""
        if size <= self.witnessed_size:
            self.unwitnessed_since = None
        elif self.unwitnessed_since is None:
            self.unwitnessed_since = now

    def published(self, size: int, cosignatures: int, now: datetime) -> None:
        """Note that a checkpoint of ``size`` went out with a quorum."""
        if size > self.witnessed_size:
            self.unwitnessed_since = None
        self.witnessed_size = size
        self.cosignatures = cosignatures
        self.published_at = now

    def refuse(self, reason: str) -> None:
        """Keep the log sealed for good, and say why."""
        self.refusal = self.refusal or reason

    def report(self, *, origin: str, size: int, quorum: int, witnesses: int, sealed: bool) -> LogStatus:
        """Write the standing for people and health checks."""
        return LogStatus(
            origin=origin,
            size=size,
            witnessed_size=self.witnessed_size,
            cosignatures=self.cosignatures,
            quorum=quorum,
            witnesses=witnesses,
            unwitnessed_since=self.unwitnessed_since,
            sealed=sealed,
        )
