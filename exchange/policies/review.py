"""Who could see a dataset, and why: every participant and purpose asked, with what would be hidden.

A review decides nothing and leaves no entry. The facts are read once; the decisions run in slices, so that a
review of thousands does not hold up the requests beside it.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

import orjson

from contracts.canonical import Json, digest
from contracts.clock import rfc3339
from contracts.errors import Invalid
from contracts.messages import Obligation
from exchange.parts import Parts
from exchange.policies.cases import FIRST, Case, Ground, Key, cases, ground_about
from policies.decision import Action, Decision, Reason
from policies.words import hidden_by, say_obligation

SLICE: Final = 2
PAGE: Final = 1000


class PageUnknown(Invalid):
    """The page token is not one of this search."""

    code = "page-unknown"
    title_zh = "分页标记与本次查询不符"
    next_zh = "不带分页标记重新查询;翻页时不得改动其他条件。"
    next_en = "Search again without a token; nothing else may change from one page to the next."


@dataclass(frozen=True, slots=True)
class WhoCan:
    """Who could use this dataset: for one purpose or all, at a moment, from an address."""

    dataset: str
    action: Action
    purpose: str | None = None
    at: datetime | None = None
    address: str | None = None

    def document(self) -> Json:
        """Write what is asked, so that a page's token fits no other question."""
        return [
            self.dataset,
            self.action,
            self.purpose,
            None if self.at is None else rfc3339(self.at),
            self.address,
        ]


@dataclass(frozen=True, slots=True)
class Judged:
    """One case with the answer to it."""

    case: Case
    decision: Decision


async def read_ground(parts: Parts, wanted: WhoCan, *, participant: str | None = None) -> Ground:
    """Read the facts beside the event loop; raises as ``ground_about`` does."""
    now = wanted.at or parts.clock.now()
    return await asyncio.to_thread(_ground, parts, wanted, now, participant)


async def who_can(parts: Parts, wanted: WhoCan, token: str = "", limit: int = PAGE) -> dict[str, Json]:
    """Answer a page of a review: each row says whether, why, and what would be hidden.

    Raises DatasetUnknown and PageUnknown.
    """
    after = read_token(token, wanted.document())
    ground = await read_ground(parts, wanted)
    waiting = list(islice(cases(ground, wanted.action, purpose=wanted.purpose, after=after), limit + 1))
    rows: list[Json] = [row(one) async for one in judge(parts, waiting[:limit])]
    return {
        "dataset": wanted.dataset,
        "action": wanted.action,
        "provider": ground.dataset.facts.provider,
        "record": ground.dataset.record.digest,
        "policy": parts.policy.digest,
        "rows": rows,
        "next": write_token(waiting[limit - 1].key, wanted.document()) if len(waiting) > limit else "",
    }


async def judge(parts: Parts, asked: Iterable[Case]) -> AsyncIterator[Judged]:
    """Decide each case in turn; after every few the event loop serves others."""
    for number, case in enumerate(asked, start=1):
        yield Judged(case, await parts.policy.decide(case.question))
        if number % SLICE == 0:
            await asyncio.sleep(0)


def row(one: Judged) -> dict[str, Json]:
    """Write one answer for people and programs."""
    question, decision = one.case.question, one.decision
    return {
        "participant": question.participant.id,
        "name": one.case.name.model_dump(),
        "status": question.participant.status,
        "level": question.participant.level,
        "sector": question.participant.sector,
        "purpose": question.purpose,
        "agreement": None if question.agreement is None else question.agreement.agreement,
        "outcome": decision.outcome,
        "reasons": [reason_row(reason) for reason in decision.reasons],
        "hidden": hidden_by(decision.obligations).document(),
        "obligations": [obligation_row(duty) for duty in decision.obligations],
    }


def reason_row(reason: Reason) -> dict[str, Json]:
    """Write a reason for people and programs."""
    return {"code": reason.code, "zh": reason.zh, "en": reason.en}


def obligation_row(obligation: Obligation) -> dict[str, Json]:
    """Write an obligation for people and programs."""
    return {"kind": obligation.kind, **say_obligation(obligation).model_dump()}


def write_token(key: Key, asked: Json) -> str:
    """Write where a search goes on; it names the question, so that it serves no other."""
    return base64.urlsafe_b64encode(orjson.dumps([digest(asked), *key])).decode()


def read_token(token: str, asked: Json) -> Key:
    """Read where a search goes on; raise PageUnknown for a token of another question, or of none."""
    if not token:
        return FIRST
    try:
        value = orjson.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except ValueError as error:
        raise PageUnknown("the token is not one of ours") from error
    match value:
        case [str(of), str(first), str(second), str(third)] if of == digest(asked):
            return first, second, third
        case _:
            raise PageUnknown("the token belongs to another question")


def _ground(parts: Parts, wanted: WhoCan, now: datetime, participant: str | None) -> Ground:
    with parts.database.read() as session:
        return ground_about(session, now, wanted.dataset, participant=participant, address=wanted.address)
