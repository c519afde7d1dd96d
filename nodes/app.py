"""A node's HTTP face: witness, offers, deliveries, what people do on this machine, and one page to look at.

Every body is limited before anything reads it, every error is a problem document, and every answer tells a
browser to run nothing. ``/local`` and the page answer loopback peers only.
"""

import base64
import hashlib
from collections.abc import Iterable

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nodes import page
from nodes.addresses import is_loopback
from nodes.bodies import BodyLimit
from nodes.callers import NotLocal, TheNode, WrongTarget, target_uri
from nodes.correcting.routes import router as corrections
from nodes.counting.completeness_routes import router as completeness
from nodes.delivering.routes import router as deliveries
from nodes.delivering.tracing_routes import router as tracing
from nodes.intake.local_routes import router as sources
from nodes.intake.push_routes import MAX_PUSH_BYTES, PUSH_PREFIX
from nodes.intake.push_routes import router as pushes
from nodes.local_routes import router as local
from nodes.node import Node
from nodes.offers import router as offers
from nodes.problems import install_problem_handlers
from nodes.publishing.version_routes import router as versions
from nodes.quality.routes import router as quality
from nodes.quarantine import routes as quarantine_routes
from nodes.receiving.kept_routes import router as received
from nodes.rotating import key_routes
from nodes.stations.routes import router as stations
from nodes.trusting import trust_routes
from nodes.witnessing import witness_routes
from nodes.witnessing.network_routes import router as network

# A contract's document has at most 1 MiB, and envelopes carry base64 in JSON text.
LARGER_BYTES = {
    "/corrections": 2 * 1024 * 1024,
    "/offers": 8 * 1024 * 1024,
    "/local/contracts": 4 * 1024 * 1024,
    PUSH_PREFIX: MAX_PUSH_BYTES,
}

_PAGE_STYLE = base64.b64encode(hashlib.sha256(page.style().encode()).digest()).decode()
_HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_PAGE_STYLE}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}

_own = APIRouter()


def create_app(node: Node, listeners: Iterable[str] = ()) -> FastAPI:
    """Make the app of one node.

    ``listeners`` are the base URLs it is served under; a signed request must name one of them, the node's
    published address, or its ``.node`` address.
    """
    app = FastAPI(title="Headwaters node", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.node = node
    app.state.stations = None
    addresses = [node.identity.address] if node.identity.address is not None else []
    app.state.bases = frozenset([*listeners, *addresses, node.mailbox_base])
    install_problem_handlers(app)
    app.add_middleware(BodyLimit, larger=LARGER_BYTES)
    app.add_middleware(_BrowserGuard)
    for router in (
        _own,
        witness_routes.router,
        offers,
        deliveries,
        local,
        pushes,
        sources,
        received,
        quarantine_routes.router,
        versions,
        quality,
        stations,
        tracing,
        completeness,
        corrections,
        network,
        trust_routes.router,
        key_routes.router,
    ):
        app.include_router(router)
    return app


@_own.get("/health/live")
def live() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "live"}


@_own.get("/")
def show_page(request: Request, node: TheNode) -> HTMLResponse:
    """Show how the node stands to somebody on this machine."""
    if request.client is None or not is_loopback(request.client.host):
        raise NotLocal
    # A foreign name that resolves to loopback must not read the page through a browser.
    if target_uri(request).removesuffix("/") not in request.app.state.bases:
        raise WrongTarget("the page is shown under this machine's own address only")
    return HTMLResponse(page.render(page.gather(node)), headers={"cache-control": "no-store"})


class _BrowserGuard:
    """Adds the headers that keep a browser from running or framing anything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, guarded)
