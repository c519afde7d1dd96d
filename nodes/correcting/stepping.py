"""Take the next step about an objection, as its provider or its objector: sign, keep, hand in.

The newest state is read from the exchange and verified first, so that a step follows what the other side
signed last. A step that was signed and not sent is sent before any other is made.
"""

from pathlib import Path

import structlog

from contracts.clock import epoch_ms
from contracts.errors import Conflict, HeadwatersError, NotFound, Unavailable
from contracts.messages import (
    PROVIDER_STEPS,
    Objection,
    ObjectionState,
    ObjectionStep,
    Particulars,
    ReceiptRole,
    StepFiling,
    StepKind,
    StepWords,
    state_after,
    utc,
)
from nodes.correcting import store
from nodes.correcting.hearing import hear
from nodes.correcting.objecting import is_final, seal_anew, send
from nodes.correcting.records import is_as_delivered
from nodes.correcting.sealed import fresh_salt, seal_words
from nodes.correcting.tables import ObjectionRow, ObjectionStepRow
from nodes.delivering.deliver import delivered_view
from nodes.node import Node
from nodes.sharing_tables import DeliveryRow
from nodes.signed import peek_statement, sign_again, sign_statement

log = structlog.get_logger(__name__)


class NoSuchObjection(NotFound):
    """This node knows of no such objection."""

    code = "no-such-objection"
    title_zh = "本节点没有该异议"
    next_zh = "用 headwaters objection list 查看编号。"
    next_en = "headwaters objection list shows the ids."


class NotThisSide(Conflict):
    """The step is the other side's, or has no place now."""

    code = "objection-not-this-side"
    title_zh = "该步骤不由本方办理,或当前状态不允许"
    next_zh = "先受理(acknowledge),再核实或驳回;用 headwaters objection show 查看状态与角色。"
    next_en = "Acknowledge it before it is verified or rejected; headwaters objection show tells the state."


def take_step(node: Node, objection: str, kind: StepKind, *, words: str | None, person: str) -> ObjectionRow:
    """Sign a step in a person's name and hand it in; ``words`` are sealed for the other side.

    Raises NoSuchObjection, NotThisSide, ExchangeSilent, or what the exchange answers.
    """
    row = refresh(node, objection)
    provides = row.role == ReceiptRole.PROVIDER
    waiting = [step for step in store.steps(node, objection) if not step.sent]
    for step in waiting:
        row = send_step(node, step)
    if provides != (kind in PROVIDER_STEPS) or state_after(ObjectionState(row.state), kind) is None:
        raise NotThisSide(f"{objection} is {row.state}, and this node is its {row.role}")
    said = peek_statement(row.envelope, Objection).statement
    done = store.steps(node, objection)
    told = None if words is None else StepWords(salt=fresh_salt(), words=words)
    step_said = ObjectionStep(
        objection=objection,
        number=len(done) + 1,
        previous=done[-1].digest if done else row.digest,
        step=kind,
        by=node.participant,
        words=None if told is None else told.content_digest(),
        at=utc(node.clock.now()),
    )
    signed = sign_statement(step_said, node.node_key)
    other = said.objector if provides else said.provider
    key = None if told is None else node.trust.member(other).sealing_key
    kept = ObjectionStepRow(
        objection=objection,
        number=step_said.number,
        digest=signed.digest,
        envelope=signed.text,
        sealed=None if told is None or key is None else seal_words(told, objection, key),
        words=words,
        sent=False,
        person=person,
        at=epoch_ms(step_said.at),
    )
    store.keep(node, row, [kept])
    return send_step(node, kept)


def send_step(node: Node, step: ObjectionStepRow) -> ObjectionRow:
    """Hand a step in; one that the exchange refuses is forgotten, and the refusal raised."""
    envelope = sign_again(step.envelope, ObjectionStep, node.node_key)
    try:
        filing = StepFiling(envelope=envelope, sealed=step.sealed)
        shown = node.broker.objection_step(step.objection, filing)
    except HeadwatersError as error:
        if is_final(error):
            store.forget_step(node, step.objection, step.number)
        raise
    return hear(node, shown)


def refresh(node: Node, objection: str) -> ObjectionRow:
    """Read how an objection stands at the exchange, verify and keep it; raise NoSuchObjection."""
    known = store.find(node, objection)
    if known is not None and not known.sent:
        return send(node, known)
    try:
        return hear(node, node.broker.objection(objection))
    except NotFound as error:
        raise NoSuchObjection(f"{objection} is no objection of this node") from error


def read_anew(node: Node) -> None:
    """Read from the exchange every objection of this node that stands otherwise than is known here."""
    for line in node.broker.objections().objections:
        known = store.find(node, line.objection)
        as_known = (None, 0) if known is None else (known.state, store.count_sent(node, line.objection))
        if as_known != (line.state.value, line.steps):
            hear(node, node.broker.objection(line.objection))


def tick(node: Node) -> int:
    """Send what a crash or a silent exchange left unsent; give how much that was.

    Raises ExchangeSilent; what is refused now is forgotten, and its reason logged.
    """
    objections, waiting = store.unsent(node)
    for row in objections:
        _try(node, row)
    for step in waiting:
        _try(node, step)
    return len(objections) + len(waiting) + seal_anew(node)


def checked_records(node: Node, row: ObjectionRow) -> list[bool | None]:
    """Say of each disputed record whether this node delivered it so; None where its own copy is gone."""
    if row.particulars is None or row.role != ReceiptRole.PROVIDER:
        return []
    records = Particulars.parse(row.particulars.encode()).records
    path = _own_copy(node, peek_statement(row.envelope, Objection).statement.grant)
    return [None if path is None else is_as_delivered(path, record) for record in records]


def _own_copy(node: Node, grant: str) -> Path | None:
    with node.database.read() as session:
        delivery = session.get(DeliveryRow, grant)
    if delivery is None:
        return None
    try:
        return delivered_view(node, delivery)[2].path
    except HeadwatersError:
        return None


def _try(node: Node, waiting: ObjectionRow | ObjectionStepRow) -> None:
    try:
        if isinstance(waiting, ObjectionRow):
            send(node, waiting)
        else:
            send_step(node, waiting)
    except Unavailable:
        raise
    except HeadwatersError as error:
        log.warning("objection_unsent", objection=waiting.objection, code=error.code)
