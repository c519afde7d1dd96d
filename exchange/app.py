"""The exchange's ASGI app: middleware, routers and error handlers around the parts; nothing else.

``running`` is the app's life: it starts the log and the background tasks and stops them in turn.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI

from exchange import background
from exchange.background import Task
from exchange.log.flow import recall
from exchange.log.forks import recall_forks
from exchange.members import store as members_store
from exchange.parts import Parts
from exchange.telemetry import RequestTelemetry
from exchange.wiring import ROUTERS
from exchange.wiring import background as background_tasks
from nodes.bodies import BodyLimit
from nodes.problems import install_problem_handlers


def create_app(parts: Parts) -> FastAPI:
    """Put the app together; its lifespan is ``running`` with every background task."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with running(parts, background_tasks(parts)):
            yield

    app = FastAPI(
        title="源汇交换中心 Headwaters exchange",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.parts = parts
    larger = {"/mailbox/answers/": parts.settings.max_answer_bytes}
    app.add_middleware(BodyLimit, limit_bytes=parts.settings.max_body_bytes, larger=larger)
    app.add_middleware(RequestTelemetry, telemetry=parts.telemetry)
    install_problem_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


@asynccontextmanager
async def running(parts: Parts, tasks: Mapping[str, Task]) -> AsyncIterator[None]:
    """Start the log, take up where it stood, run ``tasks``; at the end stop them and close the parts."""
    try:
        await asyncio.to_thread(parts.log.start)
        recall(parts)
        recall_forks(parts)
        _announce_heads(parts)
        async with background.running(tasks, parts.log_state):
            yield
    finally:
        parts.mailbox.close()
        await asyncio.to_thread(parts.close)


def _announce_heads(parts: Parts) -> None:
    with parts.database.read() as session:
        directory = members_store.latest_directory(session)
        events = parts.hooks.tally(session).events
    parts.mailbox.announce(events=events, directory=directory.number if directory else 0)
