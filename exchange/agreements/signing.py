"""Bring both signatures under the terms: offer them, verify each answer, conclude or refuse.

Offers leave outside any transaction and may be made again. An answer counts once its signature is verified
and its unit commits; a unit that finds the turn already taken changes nothing.
"""

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial

import structlog

from audit.formats.dsse import Envelope, parse_envelope
from audit.keys.signing import PublicKey
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import sha256_hex
from contracts.clock import epoch_ms
from contracts.errors import Conflict, Invalid, Unauthenticated, Unavailable
from contracts.messages import Agreement, AgreementAnswer, AgreementOffer, Text
from exchange.agreements import model, store
from exchange.agreements.facts import current_dataset
from exchange.agreements.model import AgreementState, OfferUnanswered, Turn
from exchange.agreements.offers import make_offer
from exchange.agreements.tables import AgreementRow, ApplicationRow
from exchange.evidence import log_statement
from exchange.incidents.denials import Denial, record_answer_denial
from exchange.mailbox.mailbox import NodeSilent
from exchange.members.store import find_member
from exchange.parts import Parts

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OpenOffer:
    """An application that waits: whose turn it is and what that side is asked to sign."""

    application: str
    turn: Turn
    held: bool
    party: str
    message: AgreementOffer


def open_offer(row: ApplicationRow | None) -> OpenOffer | None:
    """Read what an application waits for; None once it is settled."""
    if row is None or row.turn not in {Turn.PROVIDER, Turn.CONSUMER}:
        return None
    turn = Turn(row.turn)
    party = row.provider if turn is Turn.PROVIDER else row.consumer
    message = AgreementOffer(application_envelope=row.envelope, agreement_payload=row.payload)
    return OpenOffer(row.application, turn, row.held, party, message)


async def advance(parts: Parts, name: str, silent: AbstractSet[str] = frozenset()) -> frozenset[str]:
    """Ask whoever's turn it is, until the application is settled, held, or a node stays silent.

    Nodes in ``silent`` are not asked; the one that stayed silent now is given.
    """
    while (offer := _next_offer(parts, name)) is not None and parts.roll.is_active(offer.party):
        if offer.party in silent:
            break
        try:
            await _ask(parts, offer)
        except Unavailable as silence:
            log.info("offer_unanswered", application=name, party=offer.party, code=silence.code)
            # An answer that does not hold is about this application only; silence is about the node.
            return frozenset({offer.party}) if isinstance(silence, NodeSilent) else frozenset()
    return frozenset()


async def take_answer(parts: Parts, offer: OpenOffer, given: AgreementAnswer, key: PublicKey) -> None:
    """Verify one side's answer and commit what follows from it.

    Raises AnswerIncomplete, EnvelopeInvalid, OtherTerms or SignatureInvalid; then nothing has changed.
    """
    envelope = model.check_signature(given, offer.message.agreement_payload, key)
    await parts.log.commit(partial(_settle, offer, given, envelope))
    log.info("offer_answered", application=offer.application, turn=offer.turn.value, outcome=given.outcome)


def _next_offer(parts: Parts, name: str) -> OpenOffer | None:
    with parts.database.read() as session:
        offer = open_offer(store.find_application(session, name))
    return None if offer is None or offer.held else offer


async def _ask(parts: Parts, offer: OpenOffer) -> None:
    given = await make_offer(parts, offer.party, offer.message)
    key = PublicKey.from_text(parts.roll.caller(offer.party).node_key or "")
    try:
        await take_answer(parts, offer, given, key)
    except (Invalid, Unauthenticated, Conflict) as error:
        # The fault is the asked node's, not that of whoever applied: the application goes on waiting.
        raise OfferUnanswered(f"{offer.party} gave an answer that does not hold: {error.code}") from error


def _settle(offer: OpenOffer, given: AgreementAnswer, envelope: Envelope | None, unit: Unit) -> None:
    row = store.find_application(unit.session, offer.application)
    if row is None or row.turn != offer.turn:
        return  # another answer was first; this one changes nothing
    after = model.next_turn(offer.turn, given.outcome)
    row.held = given.outcome == "held"
    if after in {Turn.CONSUMER, Turn.AGREED} and _record_changed(unit, row):
        _refuse(unit, row, given, [model.RECORD_CHANGED], code="record-changed")
    elif after is Turn.REFUSED:
        _refuse(unit, row, given, given.reasons or [model.NO_REASON], code=f"refused-by-{offer.turn}")
    elif envelope is not None and after is Turn.CONSUMER:
        row.provider_envelope = envelope.encode().decode()
        row.turn = after.value
    elif envelope is not None:
        _conclude(unit, row, envelope)
    unit.session.add(row)


def _record_changed(unit: Unit, row: ApplicationRow) -> bool:
    return current_dataset(unit.session, row.dataset).row.record != row.record


def _refuse(
    unit: Unit, row: ApplicationRow, given: AgreementAnswer, reasons: list[Text], *, code: str
) -> None:
    row.turn = Turn.REFUSED.value
    row.held = False
    row.reasons = json.dumps([reason.model_dump() for reason in reasons], ensure_ascii=False)
    denial = Denial(
        participant=row.consumer,
        act="answer",
        dataset=row.dataset,
        purpose=row.purpose,
        policy=row.policy,
        decision=row.decision,
        codes=(code,),
        reasons=tuple(f"{code}: {reason.zh} / {reason.en}" for reason in reasons),
        evidence={"application": row.application, "answer": given.model_dump(mode="json")},
    )
    record_answer_denial(unit, denial)


def _conclude(unit: Unit, row: ApplicationRow, consumer: Envelope) -> None:
    keys = tuple(find_member(unit.session, name).node_key or "" for name in (row.provider, row.consumer))
    provider = parse_envelope((row.provider_envelope or "").encode())
    pair = (PublicKey.from_text(keys[0]), PublicKey.from_text(keys[1]))
    # Whoever replaced its key since it signed is asked again: the terms are logged above that key's end.
    if not _signed_by(provider, pair[0]):
        row.provider_envelope, row.turn = None, Turn.PROVIDER.value
        return
    if not _signed_by(consumer, pair[1]):
        return
    both = model.join_signatures(provider, consumer, keys=pair).encode().decode()
    payload = row.payload.encode()
    digest = sha256_hex(payload)
    fields = {
        "agr": row.agreement,
        "prov": row.provider,
        "cons": row.consumer,
        "dig": digest,
        "app": row.application,
    }
    index = log_statement(unit, digest, Entry(EntryKind.AGREEMENT, unit.now, fields))
    row.turn = Turn.AGREED.value
    row.agreement_envelope = both
    store.add_agreement(
        unit.session,
        AgreementRow(
            agreement=row.agreement,
            application=row.application,
            provider=row.provider,
            consumer=row.consumer,
            dataset=row.dataset,
            digest=digest,
            envelope=both,
            state=AgreementState.ACTIVE.value,
            entry=index,
            ended_by=None,
            ended_why=None,
            ended_at=None,
            expires_at=epoch_ms(Agreement.parse(payload).expires_at),
        ),
    )


def _signed_by(envelope: Envelope, key: PublicKey) -> bool:
    return any(name == key.key_id for name, _ in envelope.signatures)
