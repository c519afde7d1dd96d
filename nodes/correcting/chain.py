"""An objection as the exchange shows it, verified: each statement under its signer's key, in one chain.

The exchange is not believed about a state. It follows from the signed steps, from the provider's manifest
that corrects the release, and from nothing else but the end of an answered objection's time, which is not
over before ten days have passed since the signed answer, whatever days are working days.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.errors import Corrupt
from contracts.messages import (
    AWAITS_OBJECTOR,
    CLOSED_BY_TIME,
    PROVIDER_STEPS,
    Manifest,
    Objection,
    ObjectionState,
    ObjectionStep,
    ObjectionView,
    state_after,
)
from nodes.node import Node
from nodes.signed import Signed, peek_statement

LEAST_TIME = timedelta(days=10)
CLOCK_GRACE = timedelta(hours=1)


class ObjectionAltered(Corrupt):
    """What the exchange shows of an objection is not what the two sides signed."""

    code = "objection-altered"
    title_zh = "交换中心所示异议与双方签署的内容不符"
    next_zh = "保留应答作为证据,并通知审计人员。"
    next_en = "Keep the answer as evidence and tell the auditors."


@dataclass(frozen=True, slots=True)
class Heard:
    """An objection with its steps, all verified; ``state`` follows from them."""

    objection: Signed[Objection]
    steps: tuple[Signed[ObjectionStep], ...]
    correction: Signed[Manifest] | None
    state: ObjectionState


def read_chain(node: Node, shown: ObjectionView) -> Heard:
    """Verify an objection; raise ObjectionAltered, SignatureInvalid or UnknownParticipant."""
    said = peek_statement(shown.envelope, Objection).statement
    objection = node.trust.participant_statement(shown.envelope, Objection, said.objector)
    if said.objection != shown.objection or node.participant not in {said.objector, said.provider}:
        raise ObjectionAltered(f"{shown.objection} is another objection, or not this node's")
    correction = None if shown.correction is None else _correction(node, objection, shown.correction)
    steps, state, last = [], ObjectionState.OPEN, objection.digest
    for number, filed in enumerate(shown.steps, start=1):
        step = _step(node, said, filed.envelope)
        if (step.statement.number, step.statement.previous) != (number, last):
            raise ObjectionAltered(f"step {number} of {shown.objection} does not follow the one before")
        if state is ObjectionState.VERIFIED and correction is not None:
            state = ObjectionState.CORRECTED
        after = state_after(state, step.statement.step)
        if after is None:
            raise ObjectionAltered(f"step {number} of {shown.objection} has no place")
        steps.append(step)
        state, last = after, step.digest
    if state is ObjectionState.VERIFIED and correction is not None:
        state = ObjectionState.CORRECTED
    if state in AWAITS_OBJECTOR and shown.closed_why == CLOSED_BY_TIME:
        answered = steps[-1].statement.at if correction is None else correction.statement.at
        if not may_be_over(answered, node.clock.now()):
            raise ObjectionAltered(f"{shown.objection} is shown as closed by time that is not over")
        state = ObjectionState.CLOSED
    if state is not shown.state:
        raise ObjectionAltered(f"{shown.objection} is {state.value} and shown as {shown.state.value}")
    return Heard(objection, tuple(steps), correction, state)


def may_be_over(answered: datetime, now: datetime) -> bool:
    """Say whether the objector's ten working days after an answer may be over, whatever the holidays."""
    return now + CLOCK_GRACE >= answered + LEAST_TIME


def _step(node: Node, said: Objection, envelope: str) -> Signed[ObjectionStep]:
    peeked = peek_statement(envelope, ObjectionStep).statement
    signer = said.provider if peeked.step in PROVIDER_STEPS else said.objector
    step = node.trust.participant_statement(envelope, ObjectionStep, signer)
    if (peeked.objection, peeked.by) != (said.objection, signer):
        raise ObjectionAltered(f"a step of {said.objection} is about another, or another side's")
    return step


def _correction(node: Node, objection: Signed[Objection], envelope: str) -> Signed[Manifest]:
    said = objection.statement
    manifest = node.trust.participant_statement(envelope, Manifest, said.provider)
    corrects = manifest.statement.corrects
    if manifest.statement.dataset != said.dataset or corrects is None:
        raise ObjectionAltered(f"the correction of {said.objection} corrects nothing of its dataset")
    if said.objection not in corrects.objections:
        raise ObjectionAltered(f"the correction does not name {said.objection}")
    return manifest
