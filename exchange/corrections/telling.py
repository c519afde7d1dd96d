"""Bring objections and corrections to the nodes that they concern, until each has taken them.

The exchange asks through the mailbox (POST /corrections) and writes down that a node was told only when the
node has said that it keeps the news. A silent node is asked again every round that it listens.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from contracts.clock import monotonic_seconds
from contracts.errors import HeadwatersError
from contracts.messages import CorrectionNews, ObjectionView
from exchange.catalog.store import find_release
from exchange.corrections import store, view
from exchange.corrections.calendar import working_days
from exchange.corrections.tables import NewsRow, ToldRow
from exchange.parts import Parts

TELL_SECONDS = 10.0
AT_ONCE = 8
PAGE_BYTES = 512 * 1024
BACKOFF_SECONDS = (5.0, 300.0)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Page:
    news: list[NewsRow]
    corrections: list[ToldRow]
    message: CorrectionNews


class Telling:
    """Tells the nodes that listen; one that does not take its news is asked again after a growing pause."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._failures: Counter[str] = Counter()
        self._not_before: dict[str, float] = {}

    async def run(self) -> int:
        """Tell every listening node what waits for it; give how many were told."""
        parts = self._parts
        with parts.database.read() as session:
            waiting = store.waiting(session)
        slots = asyncio.Semaphore(AT_ONCE)

        async def tell(participant: str) -> bool:
            async with slots:
                return await self._tell(participant)

        ready = [who for who in waiting if self._is_ready(who)]
        return sum(await asyncio.gather(*(tell(who) for who in ready)))

    def _is_ready(self, participant: str) -> bool:
        if monotonic_seconds() < self._not_before.get(participant, 0.0):
            return False
        return self._parts.roll.is_active(participant) and self._parts.mailbox.is_listening(participant)

    async def _tell(self, participant: str) -> bool:
        parts = self._parts
        try:
            page = _page(parts, participant)
            async with parts.mailbox.client(participant, TELL_SECONDS) as client:
                response = await client.post(
                    "/corrections",
                    content=page.message.canonical(),
                    headers={"content-type": "application/json"},
                )
        except HeadwatersError as error:
            return self._failed(participant, error.code)
        if response.status_code != HTTPStatus.NO_CONTENT:
            return self._failed(participant, str(response.status_code))
        await parts.log.commit(
            lambda unit: store.note_told(unit.session, page.news, page.corrections, unit.now)
        )
        self._failures.pop(participant, None)
        return True

    def _failed(self, participant: str, why: str) -> bool:
        least, most = BACKOFF_SECONDS
        pause = min(most, least * 2.0 ** min(self._failures[participant], 10))
        self._failures[participant] += 1
        self._not_before[participant] = monotonic_seconds() + pause
        log.warning("correction_untold", participant=participant, why=why)
        return False


def _page(parts: Parts, participant: str) -> _Page:
    """Gather what waits for a participant, as much as one message should hold and at least one thing."""
    calendar, now = working_days(parts.settings), parts.clock.now()
    news: list[NewsRow] = []
    views: list[ObjectionView] = []
    size = 0
    with parts.database.read() as session:
        changed, corrections = store.news_of(session, participant)
        for one in changed:
            row = store.find(session, one.objection)
            if row is None:
                continue
            shown = view.show(session, row, calendar, now, reader=participant)
            size += len(shown.canonical())
            if views and size > PAGE_BYTES:
                break
            news.append(one)
            views.append(shown)
        releases = [find_release(session, one.dataset, one.number) for one in corrections]
        session.expunge_all()
    manifests = [release.envelope for release in releases if release is not None]
    return _Page(news, corrections, CorrectionNews(objections=views, corrections=manifests))
