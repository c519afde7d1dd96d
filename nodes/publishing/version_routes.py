"""Versions over loopback: who would lose what, notices, and answers to them."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from contracts.clock import rfc3339
from contracts.messages import Deprecation, DeprecationView, Impact, Long, Short, Wire
from nodes.bodies import RawBody
from nodes.callers import AnyPerson, Operator, TheNode
from nodes.long_work import Fields
from nodes.publishing import versions
from nodes.signed import peek_statement

router = APIRouter(prefix="/local/versions")


class NewNotice(Wire):
    """Which version ends, for which other one (both ``id@version``), after how many days, and why."""

    contract: Short
    successor: Short
    days: Annotated[int, Field(ge=1, le=1100)]
    why: Long


class Answer(Wire):
    """The notice that is acknowledged, by its digest or the beginning of it."""

    deprecation: Short


@router.get("/impact")
def get_impact(
    node: TheNode,
    _person: AnyPerson,
    successor: Annotated[str, Query(max_length=100)],
    instead_of: Annotated[str | None, Query(max_length=100)] = None,
) -> Fields:
    """Say who of this node's subscribers loses what."""
    return {"impacts": [_impact(each) for each in versions.impact(node, successor, instead_of).impacts]}


@router.post("/notices")
def post_notice(body: RawBody, node: TheNode, _person: Operator) -> Fields:
    """Give notice that a version ends."""
    asked = NewNotice.parse(body)
    view = versions.deprecate(node, asked.contract, asked.successor, days=asked.days, why=asked.why)
    return _notice(node.participant, peek_statement(view.envelope, Deprecation).statement, view)


@router.get("/notices")
def get_notices(node: TheNode, _person: AnyPerson) -> Fields:
    """List the notices that this node gave or is asked to answer."""
    found = versions.notices(node)
    return {"notices": [_notice(node.participant, signed.statement, view) for signed, view in found]}


@router.post("/answers")
def post_answer(body: RawBody, node: TheNode, _person: Operator) -> Fields:
    """Acknowledge a notice."""
    view = versions.acknowledge(node, Answer.parse(body).deprecation)
    return _notice(node.participant, peek_statement(view.envelope, Deprecation).statement, view)


def _impact(impact: Impact) -> Fields:
    return {**impact.model_dump(mode="json"), "users_digest": impact.users_digest()}


def _notice(participant: str, notice: Deprecation, view: DeprecationView) -> Fields:
    return {
        "deprecation": view.deprecation,
        "own": notice.provider == participant,
        "provider": notice.provider,
        "contract": f"{notice.contract.id}@{notice.contract.version}",
        "successor": f"{notice.successor.id}@{notice.successor.version}",
        "why": notice.why,
        "ends_at": rfc3339(notice.ends_at),
        "passed": view.passed,
        "acknowledged": view.acknowledged,
        "waiting": view.waiting,
    }
