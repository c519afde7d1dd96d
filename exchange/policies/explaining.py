"""Explain a decision that was kept: its question, put once more to the very bundle that decided.

What is recorded stays what it was. Where the policy answers otherwise today (the engine could not be asked
then, or the record was tampered with), the explanation says so.
"""

import asyncio

import orjson
from sqlmodel import Session

from contracts.canonical import Json
from contracts.clock import from_epoch_ms, rfc3339
from contracts.errors import NotFound
from exchange.members.store import list_members
from exchange.parts import Parts
from exchange.policies import ledger, store
from exchange.policies.ledger import Kept
from exchange.policies.review import obligation_row, reason_row
from exchange.policies.store import Which
from policies.bundle import Bundle
from policies.decision import Decision
from policies.explain import explain_decision


class DecisionUnknown(NotFound):
    """This decision is not kept: it never led to an entry, or was erased."""

    code = "decision-unknown"
    title_zh = "没有保存该决定(未产生日志条目,或已删除)"
    next_zh = "用 headwaters policy decisions 查看保存的决定。"
    next_en = "headwaters policy decisions lists those that are kept."


class PolicyGone(NotFound):
    """The policy that decided is no longer kept."""

    code = "policy-gone"
    title_zh = "作出该决定的策略包已不再保存"
    next_zh = "用 headwaters policy list 查看保存的策略包。"
    next_en = "headwaters policy list shows the bundles that are kept."


async def explain(parts: Parts, decision: str) -> dict[str, Json]:
    """Say why a kept decision came out as it did; raise DecisionUnknown or PolicyGone."""
    with parts.database.read() as session:
        kept, bundle = _kept(session, decision)
    question = kept.asked()
    explanation = await asyncio.to_thread(explain_decision, bundle, question)
    return {
        "decision": decision,
        "recorded": _recorded(kept),
        "agrees": _agrees(kept, explanation.decision),
        "explanation": explanation.document(),
        "question": orjson.loads(kept.question),
    }


def decisions(parts: Parts, which: Which) -> dict[str, Json]:
    """List the decisions that are kept, newest first."""
    with parts.database.read() as session:
        found = ledger.decisions(session, which)
        names = {one.participant: one.profile.name.model_dump() for one in list_members(session)}
    return {"decisions": [{**_recorded(one), "name": names.get(one.participant)} for one in found]}


def _kept(session: Session, decision: str) -> tuple[Kept, Bundle]:
    kept = ledger.find_decision(session, decision)
    if kept is None:
        raise DecisionUnknown(f"{decision} is not kept", decision=decision)
    bundle = store.bundle_of(session, kept.policy)
    if bundle is None:
        raise PolicyGone(f"{kept.policy} is not kept", policy=kept.policy)
    return kept, bundle


def _recorded(kept: Kept) -> dict[str, Json]:
    return {
        "decision": kept.decision,
        "at": rfc3339(from_epoch_ms(kept.at_ms)),
        "participant": kept.participant,
        "dataset": kept.dataset,
        "action": kept.action,
        "purpose": kept.purpose,
        "outcome": kept.outcome,
        "reasons": [reason_row(reason) for reason in kept.reasons()],
        "obligations": [obligation_row(duty) for duty in kept.obligations()],
        "policy": kept.policy,
        "engine": kept.engine,
        "revision": kept.revision,
        "origin": kept.origin,
        "index": kept.index,
    }


def _agrees(kept: Kept, again: Decision) -> bool:
    """Say whether the policy answers today as it is recorded, down to reasons and obligations."""
    return (
        kept.revision == again.revision
        and kept.outcome == again.outcome
        and set(kept.codes) == set(again.codes)
        and kept.obligations() == again.obligations
    )
