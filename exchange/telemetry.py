"""What the exchange tells of itself: JSON log lines on stderr, request ids, and Prometheus metrics.

Log lines are facts with fields and carry no personal data, no row and no secret. The registry belongs to one
``Telemetry``, so two exchanges in one process do not share counters.
"""

import re
import time

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.identifiers import Kind, new_id

REQUEST_ID = "x-request-id"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_GIVEN_ID = re.compile(r"[!-~]{1,128}", re.ASCII)  # AuthZEN has any id come back; this is visible text
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

log = structlog.get_logger(__name__)


class Telemetry:
    """Counters of one exchange."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "headwaters_requests", "requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "headwaters_request_seconds",
            "time to answer, seconds; long polls excluded",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.log_size = Gauge("headwaters_log_size", "entries in the log", registry=self.registry)
        self.witnessed_size = Gauge(
            "headwaters_log_witnessed_size",
            "entries under a quorum-cosigned checkpoint",
            registry=self.registry,
        )
        self.grants = Gauge("headwaters_grants", "transfers granted so far", registry=self.registry)
        self.denials = Gauge("headwaters_denials", "requests denied so far", registry=self.registry)
        self.members = Gauge("headwaters_active_members", "members in good standing", registry=self.registry)

    def exposition(self) -> bytes:
        """Write all metrics in the Prometheus text format."""
        return generate_latest(self.registry)


class RequestTelemetry:
    """ASGI middleware: gives every request an id, counts it, and logs it when it is done."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        status = 500
        began = time.monotonic()

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID.encode(), request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, note_status)
            finally:
                self._note(scope, status, time.monotonic() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's template, never the path: a path holds ids, and metrics must stay few.
        route = getattr(scope.get("route"), "path", "unmatched")
        # A method is whatever the caller writes, and every new label is kept for good.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._telemetry.requests.labels(method, route, str(status)).inc()
        if route != "/mailbox/poll":
            self._telemetry.seconds.labels(route).observe(seconds)
            log.info(
                "request_done",
                method=method,
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
            )


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == REQUEST_ID.encode():
            given = value.decode("latin-1")
            if _GIVEN_ID.fullmatch(given):
                return str(given)
    return new_id(Kind.MESSAGE)
