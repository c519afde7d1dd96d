"""Object to what was received: read the disputed records, sign, seal for the provider, keep, and hand in.

What is signed is kept before it is sent and sent again byte for byte after a crash; the exchange takes the
same objection once. Only a release that this node holds, and signed for, can be objected to.
"""

from pathlib import Path

import structlog
from sqlmodel import col, select

from contracts.clock import epoch_ms
from contracts.errors import Conflict, HeadwatersError, Invalid, NotFound, Refused, TooMany
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    Fault,
    Manifest,
    Objection,
    ObjectionFiling,
    ObjectionState,
    Particulars,
    ReceiptRole,
    utc,
)
from nodes import outbox
from nodes.correcting import store
from nodes.correcting.hearing import hear
from nodes.correcting.records import Place, dispute
from nodes.correcting.sealed import fresh_salt, seal_words
from nodes.correcting.tables import ObjectionRow
from nodes.node import Node
from nodes.publishing.artifacts import hash_file
from nodes.sharing_tables import ReceivedRow, SubscriptionRow
from nodes.signed import Signed, peek_statement, sign_again, sign_statement

_REFUSALS = (Invalid, Refused, Conflict, NotFound, TooMany)
_NOT_ACTIVE = "member-not-active"  # it says nothing of what was sent, which may have arrived before

log = structlog.get_logger(__name__)


class NotHeld(NotFound):
    """This node does not hold the release that is objected to."""

    code = "release-not-held"
    title_zh = "本节点未持有该批次"
    next_zh = "先接收该批次(headwaters pull),再提出异议。"
    next_en = "Receive the release first (headwaters pull), then object to it."


def object_to(
    node: Node,
    dataset: str,
    release: int,
    *,
    fault: Fault,
    words: str,
    places: list[Place],
    person: str,
) -> ObjectionRow:
    """Object to records of a received release, or without ``places`` to the whole of it.

    Raises NotHeld, RecordUnknown, ExchangeSilent, or what the exchange answers.
    """
    received, subscription = _received(node, dataset, release)
    particulars = Particulars(salt=fresh_salt(), words=words, records=dispute(Path(received.path), places))
    objection = Objection(
        objection=new_id(Kind.OBJECTION),
        dataset=dataset,
        release=release,
        manifest=_manifest(node, subscription, release).digest,
        grant=received.grant_id,
        view=received.sha256,
        objector=node.participant,
        provider=subscription.provider,
        fault=fault,
        records=len(places),
        particulars=particulars.content_digest(),
        at=utc(node.clock.now()),
    )
    signed = sign_statement(objection, node.node_key)
    key = node.trust.member(subscription.provider).sealing_key
    row = ObjectionRow(
        objection=objection.objection,
        role=ReceiptRole.CONSUMER.value,
        dataset=dataset,
        release=release,
        digest=signed.digest,
        envelope=signed.text,
        particulars=particulars.canonical().decode(),
        sealed=seal_words(particulars, objection.objection, key),
        sealed_to=key,
        sent=False,
        state=ObjectionState.OPEN.value,
        person=person,
        at=epoch_ms(objection.at),
    )
    outbox.tick(node)  # the exchange takes an objection only to what was signed for
    store.keep(node, row, [])
    return send(node, row)


def send(node: Node, row: ObjectionRow) -> ObjectionRow:
    """Hand an objection in; one that the exchange refuses is forgotten, and the refusal raised."""
    envelope = sign_again(row.envelope, Objection, node.node_key)
    try:
        shown = node.broker.raise_objection(ObjectionFiling(envelope=envelope, sealed=row.sealed))
    except HeadwatersError as error:
        if is_final(error):
            store.forget(node, row.objection)
        raise
    return hear(node, shown)


def is_final(error: HeadwatersError) -> bool:
    """Say whether the exchange did not take what was sent and never will."""
    return isinstance(error, _REFUSALS) and error.code != _NOT_ACTIVE


def seal_anew(node: Node) -> int:
    """Seal the particulars of unanswered objections to providers' newer keys; give how many were sent."""
    count = 0
    for row in store.awaiting_answer(node):
        if row.particulars is None or row.sealed_to is None:
            continue
        key = node.trust.member(peek_statement(row.envelope, Objection).statement.provider).sealing_key
        if key != row.sealed_to:
            particulars = Particulars.parse(row.particulars.encode())
            changed = {"sealed": seal_words(particulars, row.objection, key), "sealed_to": key}
            fresh = ObjectionRow(**(row.model_dump() | changed))
            store.keep(node, fresh, [])
            send(node, fresh)
            count += 1
    return count


def _received(node: Node, dataset: str, release: int) -> tuple[ReceivedRow, SubscriptionRow]:
    with node.database.read() as session:
        query = select(ReceivedRow).where(
            ReceivedRow.dataset == dataset,
            ReceivedRow.number == release,
            col(ReceivedRow.purged_at).is_(None),
        )
        row = session.exec(query.order_by(col(ReceivedRow.at).desc())).first()
        subscription = None if row is None else session.get(SubscriptionRow, row.subscription)
    if row is None or subscription is None:
        raise NotHeld(f"release {release} of {dataset} is not held here")
    path = Path(row.path)
    if not path.is_file() or hash_file(path).sha256 != row.sha256:
        raise NotHeld(f"{path.name} is gone or was changed since it was received")
    return row, subscription


def _manifest(node: Node, subscription: SubscriptionRow, release: int) -> Signed[Manifest]:
    """Read the manifest of a release from the feed, as its provider signed it."""
    for entry in node.broker.subscription_releases(subscription.subscription, release - 1).releases:
        manifest = node.trust.participant_statement(entry.manifest_envelope, Manifest, subscription.provider)
        if (manifest.statement.dataset, manifest.statement.number) == (subscription.dataset, release):
            return manifest
    raise NotHeld(f"the feed of {subscription.dataset} has no release {release}")
