"""Consumers who object to what they received, and providers who answer and correct."""

import base64
from datetime import timedelta
from typing import Any

from contracts.canonical import sha256_hex
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    Corrects,
    Fault,
    Grant,
    Manifest,
    Objection,
    ObjectionFiling,
    ObjectionStep,
    ObjectionView,
    ReceiptRole,
    StepFiling,
    StepKind,
)
from exchange.catalog import flow as catalog
from exchange.corrections import flow
from exchange.corrections.telling import Telling
from nodes.signed import peek_statement, sign_statement
from tests.exchange.signers import Participant
from tests.exchange.trading import DATASET, Alliance, Trade, grant_of

SEALED = base64.b64encode(b"sealed to the provider").decode()


def deliver(trade: Trade, release: int = 1, to: Participant | None = None, *, signed: bool = True) -> Grant:
    """Let a consumer receive a release and, if ``signed``, sign for it."""
    alliance, consumer = trade.alliance, to or trade.consumer
    subscription = trade.subscription if to is None else alliance.agreed(to).subscription
    logged = alliance.request(consumer, subscription, release)
    given = alliance.receipt(trade.provider, ReceiptRole.PROVIDER, logged)
    taken = alliance.receipt(consumer, ReceiptRole.CONSUMER, logged) if signed else None
    alliance.deliver(consumer if signed else trade.provider, logged, given, taken)
    return grant_of(logged)


def objection(trade: Trade, grant: Grant, /, **changes: Any) -> Objection:
    """Write an objection to a received release."""
    values: dict[str, Any] = {
        "objection": new_id(Kind.OBJECTION),
        "dataset": DATASET,
        "release": grant.release,
        "manifest": grant.manifest,
        "grant": grant.grant,
        "view": sha256_hex(b"view"),
        "objector": grant.consumer,
        "provider": trade.provider.id,
        "fault": Fault.WRONG_VALUE,
        "records": 1,
        "particulars": sha256_hex(b"particulars"),
        "at": trade.alliance.clock.now(),
    }
    return Objection(**{**values, **changes})


def hand_in(
    alliance: Alliance,
    by: Participant,
    said: Objection,
    *,
    sealed: str = SEALED,
    key: Participant | None = None,
) -> ObjectionView:
    """Sign an objection, with one's own key or another's, and hand it in."""
    envelope = sign_statement(said, (key or by).key).text
    filing = ObjectionFiling(envelope=envelope, sealed=sealed)
    return alliance.run(flow.raise_objection(alliance.parts, by.caller, filing))


def raised(trade: Trade, release: int = 1, **changes: Any) -> ObjectionView:
    """Deliver a release and object to it."""
    said = objection(trade, deliver(trade, release), **changes)
    return hand_in(trade.alliance, trade.consumer, said)


def step_after(shown: ObjectionView, kind: StepKind, by: Participant, **changes: Any) -> ObjectionStep:
    """Write the step that follows what is shown."""
    last = shown.steps[-1].envelope if shown.steps else None
    previous = (
        peek_statement(shown.envelope, Objection).digest
        if last is None
        else peek_statement(last, ObjectionStep).digest
    )
    values: dict[str, Any] = {
        "objection": shown.objection,
        "number": len(shown.steps) + 1,
        "previous": previous,
        "step": kind,
        "by": by.id,
        "words": None,
        "at": peek_statement(shown.envelope, Objection).statement.at,
    }
    return ObjectionStep(**{**values, **changes})


def take(
    alliance: Alliance, shown: ObjectionView, kind: StepKind, by: Participant, **changes: Any
) -> ObjectionView:
    """Sign the next step and hand it in."""
    return hand_in_step(alliance, by, step_after(shown, kind, by, **changes))


def hand_in_step(
    alliance: Alliance, by: Participant, said: ObjectionStep, *, sealed: str | None = None
) -> ObjectionView:
    """Sign a step and hand it in."""
    filing = StepFiling(envelope=sign_statement(said, by.key).text, sealed=sealed)
    return alliance.run(flow.take_step(alliance.parts, by.caller, said.objection, filing))


def shown_to(alliance: Alliance, by: Participant, name: str) -> ObjectionView:
    """Read an objection as one of its sides."""
    return flow.objection(alliance.parts, by.caller, name)


def verified(trade: Trade, release: int = 1) -> ObjectionView:
    """Object to a release and let the provider verify the fault."""
    shown = raised(trade, release)
    shown = take(trade.alliance, shown, StepKind.ACKNOWLEDGE, trade.provider)
    return take(trade.alliance, shown, StepKind.VERIFY, trade.provider)


def correct(trade: Trade, release: int, *objections: str, number: int = 3, **changes: Any) -> Manifest:
    """Publish a release that replaces an earlier one."""
    listed = catalog.releases(trade.alliance.parts, DATASET, 0).releases
    digests = {one.number: peek_statement(one.manifest_envelope, Manifest).digest for one in listed}
    corrects = Corrects(
        number=release, manifest=digests.get(release, "sha256:" + "0" * 64), objections=list(objections)
    )
    values = {"number": number, "previous": digests.get(number - 1), "corrects": corrects}
    manifest = trade.alliance.manifest(trade.provider, **{**values, **changes})
    envelope = sign_statement(manifest, trade.provider.key).text
    trade.alliance.run(
        catalog.publish_release(trade.alliance.parts, trade.provider.caller, DATASET, envelope)
    )
    return manifest


def tell(alliance: Alliance) -> int:
    """Run the background task that brings news once."""
    return alliance.run(Telling(alliance.parts).run())


def keep_time(alliance: Alliance) -> int:
    """Run the background task of the clock once."""
    return alliance.run(flow.keep_time(alliance.parts))


def later(alliance: Alliance, by: timedelta) -> None:
    """Let time pass."""
    alliance.clock.advance(by.total_seconds())
