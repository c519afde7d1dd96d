"""The simulated exchange with objections; tests reach into ``spoil`` to make it lie about them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from audit.log.entry import Entry, EntryKind
from contracts.canonical import Json
from contracts.errors import Conflict, HeadwatersError, NotFound, Refused
from contracts.messages import (
    FiledStep,
    Manifest,
    Objection,
    ObjectionFiling,
    ObjectionLine,
    ObjectionList,
    ObjectionState,
    ObjectionStep,
    ObjectionView,
    Recipient,
    RecipientList,
    ReleaseEntry,
    StepFiling,
    state_after,
)
from nodes.signed import Signed, peek_statement
from tests.nodes.catalog_exchange import wire
from tests.nodes.completeness_exchange import CompletenessExchange


class NotActive(Refused):
    """The participant may not act now."""

    code = "member-not-active"
    title_zh = "该参与方当前不能操作"


@dataclass
class Kept:
    """One objection as this exchange keeps it."""

    signed: Signed[Objection]
    sealed: str
    due_at: datetime
    steps: list[FiledStep]
    state: ObjectionState = ObjectionState.OPEN
    correction: str | None = None
    closed_why: str | None = None


class CorrectionsExchange(CompletenessExchange):
    """Takes objections and steps without a question, as a hostile exchange might; calls can be counted."""

    objections: dict[str, Kept]
    spoil: Callable[[ObjectionView], ObjectionView]
    lose_answers: int
    refuse: HeadwatersError | None

    def begin(self) -> None:
        """Start without objections."""
        self.objections, self.spoil, self.lose_answers, self.refuse = {}, lambda shown: shown, 0, None

    def view(self, name: str) -> ObjectionView:
        """Show an objection, or what ``spoil`` makes of it."""
        if name not in self.objections:
            raise NotFound(name)
        kept = self.objections[name]
        shown = ObjectionView(
            objection=name,
            state=kept.state,
            envelope=kept.signed.text,
            sealed=kept.sealed,
            steps=kept.steps,
            due_at=kept.due_at,
            guessed_years=[],
            overdue=False,
            answered_at=None,
            correction=kept.correction,
            closed_why=kept.closed_why,
        )
        return self.spoil(shown)

    def _signed(self, request: httpx.Request, path: str) -> httpx.Response:
        match (request.method, *path.strip("/").split("/")):
            case ("POST", "objections"):
                self.caller(request)
                return self._answered(self._open(ObjectionFiling.parse(request.content)))
            case ("POST", "objections", name, "steps"):
                self.caller(request)
                return self._answered(self._step(name, StepFiling.parse(request.content)))
            case ("GET", "objections"):
                self.caller(request)
                lines = [
                    ObjectionLine(objection=name, state=kept.state, steps=len(kept.steps))
                    for name, kept in self.objections.items()
                ]
                return wire(ObjectionList(objections=lines))
            case ("GET", "objections", name):
                self.caller(request)
                return wire(self.view(name))
            case ("GET", "datasets", _, "releases", _, "recipients"):
                who = self.caller(request)
                one = Recipient(participant=who, release=1, told_at=None, received=False)
                return wire(RecipientList(recipients=[one]))
            case _:
                return super()._signed(request, path)

    def _answered(self, view: ObjectionView) -> httpx.Response:
        """Answer, or lose the answer after the work is done."""
        if self.lose_answers:
            self.lose_answers -= 1
            raise httpx.ConnectError("the answer is lost")
        return wire(view)

    def _open(self, filing: ObjectionFiling) -> ObjectionView:
        if self.refuse is not None:
            raise self.refuse
        signed = peek_statement(filing.envelope, Objection)
        known = self.objections.get(signed.statement.objection)
        if known is None:
            due = self.clock.now() + timedelta(days=14)
            said = signed.statement
            fields: dict[str, Json] = {
                "obj": said.objection,
                "cons": said.objector,
                "prov": said.provider,
                "gid": said.grant,
                "dsc": said.manifest,
                "man": said.manifest,
                "n": said.records,
                "dig": signed.digest,
            }
            self.append(Entry(EntryKind.OBJECTION_OPEN, self.clock.now(), fields))
            self.objections[signed.statement.objection] = Kept(signed, filing.sealed, due, [])
        else:
            known.sealed = filing.sealed
        return self.view(signed.statement.objection)

    def _step(self, name: str, filing: StepFiling) -> ObjectionView:
        if self.refuse is not None:
            raise self.refuse
        kept, said = self.objections[name], peek_statement(filing.envelope, ObjectionStep)
        if said.digest not in {peek_statement(one.envelope, ObjectionStep).digest for one in kept.steps}:
            after = state_after(kept.state, said.statement.step)
            if after is None:
                raise Conflict("out of turn")
            self.log_step(said)
            kept.steps = [*kept.steps, FiledStep(envelope=filing.envelope, sealed=filing.sealed)]
            kept.state = after
        return self.view(name)

    def log_step(self, step: Signed[ObjectionStep]) -> None:
        """Log a step of a side."""
        said = step.statement
        fields: dict[str, Json] = {
            "obj": said.objection,
            "by": said.by,
            "what": said.step.value,
            "n": said.number,
            "dig": step.digest,
        }
        self.append(Entry(EntryKind.OBJECTION_STEP, self.clock.now(), fields))

    def _publish(self, dataset: str, body: bytes) -> ReleaseEntry:
        entry = super()._publish(dataset, body)
        corrects = peek_statement(body.decode(), Manifest).statement.corrects
        for name in () if corrects is None else corrects.objections:
            kept = self.objections[name]
            if kept.correction is None:
                kept.correction, kept.state = body.decode(), ObjectionState.CORRECTED
        return entry
