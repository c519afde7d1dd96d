"""Corrections over HTTP: news from the exchange, and what the people of this node do about objections."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from contracts.clock import from_epoch_ms, rfc3339
from contracts.errors import Unavailable
from contracts.messages import (
    AWAITS_PROVIDER,
    MAX_DISPUTED,
    CorrectionNews,
    DatasetId,
    Fault,
    Long,
    Objection,
    ObjectionId,
    ObjectionState,
    ObjectionStep,
    Particulars,
    ReceiptRole,
    Short,
    StepKind,
    Wire,
)
from nodes.bodies import RawBody
from nodes.callers import AnyPerson, FromExchange, Operator, TheNode
from nodes.correcting import store
from nodes.correcting.hearing import hear_news
from nodes.correcting.objecting import object_to
from nodes.correcting.records import Place
from nodes.correcting.stepping import checked_records, read_anew, refresh, take_step
from nodes.correcting.tables import ObjectionRow, ObjectionStepRow
from nodes.node import Node
from nodes.signed import peek_statement

Fields = dict[str, Any]  # Any: the JSON that people and scripts read

router = APIRouter()


class DisputedPlace(Wire):
    """A row of the received file, from 1, a JSON pointer within it, and what is expected there."""

    row: Annotated[int, Field(ge=1)]
    pointer: Annotated[str, Field(max_length=200)] = ""
    expected: Short | None = None


class NewObjection(Wire):
    """What is wrong with a received release; without records it is the whole of it."""

    dataset: DatasetId
    release: Annotated[int, Field(ge=1)]
    fault: Annotated[Fault, Field(strict=False)]
    words: Long
    records: Annotated[list[DisputedPlace], Field(max_length=MAX_DISPUTED)] = Field(default=[])


class Words(Wire):
    """What is said to the other side, sealed; null says nothing."""

    words: Long | None = None


class Reasons(Wire):
    """Why an objection is rejected: a refusal has reasons."""

    words: Long


@router.post("/corrections", status_code=204)
def post_news(call: FromExchange, node: TheNode) -> Response:
    """Keep what the exchange brings of objections and corrections."""
    hear_news(node, CorrectionNews.parse(call.body))
    return Response(status_code=204)


@router.post("/local/objections")
def post_objection(body: RawBody, node: TheNode, person: Operator) -> Fields:
    """Object to what was received."""
    asked = NewObjection.parse(body)
    row = object_to(
        node,
        asked.dataset,
        asked.release,
        fault=asked.fault,
        words=asked.words,
        places=[Place(one.row, one.pointer, one.expected) for one in asked.records],
        person=person.name,
    )
    return _line(node, row)


@router.get("/local/objections")
def get_objections(
    node: TheNode, _person: AnyPerson, state: Annotated[ObjectionState | None, Query()] = None
) -> Fields:
    """List objections, made and received; ``fresh`` is false where the exchange does not answer."""
    try:
        read_anew(node)
        fresh = True
    except Unavailable:
        fresh = False
    rows = store.newest(node, None if state is None else state.value)
    return {"objections": [_line(node, row) for row in rows], "fresh": fresh}


@router.get("/local/objections/{objection}")
def get_objection(node: TheNode, _person: AnyPerson, objection: ObjectionId) -> Fields:
    """Show one objection: what is disputed, each step, and whom the correction reached."""
    return _whole(node, refresh(node, objection))


@router.post("/local/objections/{objection}/acknowledge")
def acknowledge(body: RawBody, node: TheNode, person: Operator, objection: ObjectionId) -> Fields:
    """Acknowledge an objection as its provider."""
    return _stepped(node, objection, StepKind.ACKNOWLEDGE, Words.parse(body).words, person.name)


@router.post("/local/objections/{objection}/verify")
def verify(body: RawBody, node: TheNode, person: Operator, objection: ObjectionId) -> Fields:
    """Say as its provider that the fault is real; a correction follows."""
    return _stepped(node, objection, StepKind.VERIFY, Words.parse(body).words, person.name)


@router.post("/local/objections/{objection}/reject")
def reject(body: RawBody, node: TheNode, person: Operator, objection: ObjectionId) -> Fields:
    """Reject an objection as its provider, with reasons."""
    return _stepped(node, objection, StepKind.REJECT, Reasons.parse(body).words, person.name)


@router.post("/local/objections/{objection}/withdraw")
def withdraw(body: RawBody, node: TheNode, person: Operator, objection: ObjectionId) -> Fields:
    """Withdraw an objection as its objector."""
    return _stepped(node, objection, StepKind.WITHDRAW, Words.parse(body).words, person.name)


@router.post("/local/objections/{objection}/close")
def close(body: RawBody, node: TheNode, person: Operator, objection: ObjectionId) -> Fields:
    """Say as its objector that the answer settles the objection."""
    return _stepped(node, objection, StepKind.CLOSE, Words.parse(body).words, person.name)


@router.get("/local/datasets/{dataset}/releases/{number}/recipients")
def get_recipients(node: TheNode, _person: AnyPerson, dataset: DatasetId, number: int) -> Fields:
    """List whom an own correction has to reach, and whom it has reached."""
    return node.broker.recipients(dataset, number).model_dump(mode="json")


def _stepped(node: Node, objection: str, kind: StepKind, words: str | None, person: str) -> Fields:
    return _line(node, take_step(node, objection, kind, words=words, person=person))


def _line(node: Node, row: ObjectionRow) -> Fields:
    said = peek_statement(row.envelope, Objection).statement
    state = ObjectionState(row.state)
    late = row.due_at is not None and node.clock.now() >= from_epoch_ms(row.due_at)
    return {
        "objection": row.objection,
        "state": state.value,
        "role": row.role,
        "dataset": row.dataset,
        "release": row.release,
        "fault": said.fault.value,
        "records": said.records,
        "objector": said.objector,
        "provider": said.provider,
        "raised_at": rfc3339(said.at),
        "due_at": None if row.due_at is None else rfc3339(from_epoch_ms(row.due_at)),
        "overdue": row.overdue or (state in AWAITS_PROVIDER and late),
        "guessed_years": [int(year) for year in row.guessed_years.split(",") if year],
        "correction": row.correction,
        "closed_why": row.closed_why,
        "sent": row.sent,
    }


def _whole(node: Node, row: ObjectionRow) -> Fields:
    particulars = None if row.particulars is None else Particulars.parse(row.particulars.encode())
    whom = None
    if row.correction is not None and row.role == ReceiptRole.PROVIDER:
        whom = node.broker.recipients(row.dataset, row.correction).model_dump(mode="json")["recipients"]
    return {
        **_line(node, row),
        "words": None if particulars is None else particulars.words,
        "readable": particulars is not None,
        "disputed": [] if particulars is None else _disputed(node, row, particulars),
        "steps": [_step(step) for step in store.steps(node, row.objection)],
        "recipients": whom,
    }


def _disputed(node: Node, row: ObjectionRow, particulars: Particulars) -> list[Fields]:
    verdicts = checked_records(node, row) or [None] * len(particulars.records)
    return [
        {**one.model_dump(), "as_delivered": verdict}
        for one, verdict in zip(particulars.records, verdicts, strict=True)
    ]


def _step(step: ObjectionStepRow) -> Fields:
    said = peek_statement(step.envelope, ObjectionStep).statement
    return {
        "number": step.number,
        "step": said.step.value,
        "by": said.by,
        "at": rfc3339(said.at),
        "words": step.words,
        "sent": step.sent,
    }
