"""What people ask a node about completeness: the cuts it judged, proofs of silence, and giving a grant up."""

import base64
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from sqlmodel import Session, select

from audit.proofs.silence import verify_silence
from contracts.clock import rfc3339
from contracts.errors import NotFound
from contracts.messages import GrantId, HeadsCut, LoggedGrant, Short, SubscriptionId, Wire
from nodes.aborting import abort
from nodes.bodies import RawBody
from nodes.callers import AnyPerson, Operator, TheNode
from nodes.counting.book_tables import BookRow
from nodes.counting.counts import judged_cuts
from nodes.sharing_tables import FetchRow

Milliseconds = Annotated[int, Query(ge=0, le=2**42)]
Fields = dict[str, Any]  # Any: the JSON that people and scripts read

router = APIRouter(prefix="/local")


class GrantNotHere(NotFound):
    """This node knows no such grant."""

    code = "grant-not-here"
    title_zh = "本节点没有该授权"
    next_zh = "核对授权编号;headwaters node status 显示发件箱。"
    next_en = "Check the grant's id; headwaters node status shows the outbox."


class AbortReason(Wire):
    """Why a grant is given up."""

    reason: Short


@router.get("/heads")
def get_heads(node: TheNode, _person: AnyPerson) -> Fields:
    """List the cuts that this node held against its books, and how its counts stand."""
    rows = judged_cuts(node)
    return {
        "cuts": [
            {
                **orjson.loads(HeadsCut.parse(row.view.encode()).canonical()),
                "contradictions": row.findings,
                "counted": row.count is not None,
                "count_index": row.entry,
                "count_proved": row.proved,
            }
            for row in rows
        ]
    }


@router.get("/subscriptions/{subscription}/silence")
def get_silence(
    node: TheNode,
    _person: AnyPerson,
    subscription: SubscriptionId,
    since: Milliseconds,
    until: Milliseconds,
) -> Fields:
    """Fetch the proof that nothing was sent, and verify it under this node's own trust root."""
    raw = node.broker.silence(subscription, since, until)
    verdict = verify_silence(raw, node.trust.export_trust_root(), now=node.trust.guard_clock())
    return {
        "proof": base64.b64encode(raw).decode(),
        "subscription": verdict.subscription,
        "since": rfc3339(verdict.since),
        "until": rfc3339(verdict.until),
        "transfers": verdict.transfers,
    }


@router.post("/transfers/{grant}/abort")
def post_abort(body: RawBody, node: TheNode, _person: Operator, grant: GrantId) -> Fields:
    """Give an open grant up, with a reason."""
    reason = AbortReason.parse(body).reason
    with node.database.read() as session:
        index = _grant_index(session, grant)
    return abort(node, grant, index, reason).model_dump()


def _grant_index(session: Session, grant: str) -> int:
    booked = session.exec(select(BookRow).where(BookRow.grant_id == grant)).first()
    if booked is not None:
        return booked.entry
    fetched = session.exec(select(FetchRow).where(FetchRow.grant_id == grant)).first()
    if fetched is None:
        raise GrantNotHere(f"{grant} is not a grant that this node holds")
    return LoggedGrant.parse(fetched.logged.encode()).index
