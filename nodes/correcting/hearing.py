"""What the exchange brings: how objections of this node stand, and corrections of what it received.

Everything is verified before it is kept, and kept before the exchange is told so. What does not hold is not
kept and not asked for again: it becomes an alarm of this node, with the number of the objection.
"""

import structlog

from contracts.clock import epoch_ms
from contracts.errors import Corrupt, HeadwatersError, Unavailable, Undecidable
from contracts.messages import (
    CorrectionNews,
    Manifest,
    ObjectionState,
    ObjectionView,
    Particulars,
    ReceiptRole,
    Severity,
    StepWords,
    Text,
)
from nodes.correcting import store
from nodes.correcting.chain import Heard, ObjectionAltered, read_chain
from nodes.correcting.replaced import heed
from nodes.correcting.sealed import open_words
from nodes.correcting.tables import ObjectionRow, ObjectionStepRow
from nodes.node import Node
from nodes.receiving.apply import own_subscriptions
from nodes.sharing_tables import DeliveryRow, ReleaseRow
from nodes.signed import Signed, peek_statement

UNSOUND = "correction.unsound"

log = structlog.get_logger(__name__)


def hear_news(node: Node, news: CorrectionNews) -> None:
    """Verify and keep what the exchange brings; raise what may pass, so that it is brought again."""
    for shown in news.objections:
        try:
            hear(node, shown)
        except (Unavailable, Undecidable):
            raise
        except HeadwatersError as error:
            _unsound(node, shown.objection, error)
    for envelope in news.corrections:
        try:
            heed(node, [_correction(node, envelope)])
        except (Unavailable, Undecidable):
            raise
        except HeadwatersError as error:
            _unsound(node, "correction", error)


def hear(node: Node, shown: ObjectionView) -> ObjectionRow:
    """Verify how an objection stands and keep it; give the row. What is older than what is known is left.

    Raises ObjectionAltered, SignatureInvalid, UnknownParticipant.
    """
    heard = read_chain(node, shown)
    said = heard.objection.statement
    known = store.find(node, said.objection)
    if known is not None and known.digest != heard.objection.digest:
        raise ObjectionAltered(f"{said.objection} is known here with other content")
    if known is None and said.provider == node.participant:
        _check_ours(node, heard)
    if known is not None and _is_overtaken(node, known, heard):
        return known
    row = _row(node, shown, heard, known)
    store.keep(node, row, [_step_row(node, shown, heard, number) for number in range(len(heard.steps))])
    if said.objector == node.participant and heard.correction is not None:
        heed(node, [heard.correction])
    log.info("objection_heard", objection=said.objection, state=row.state)
    return row


def _is_overtaken(node: Node, known: ObjectionRow, heard: Heard) -> bool:
    """Say whether what is shown is older than what this node has verified before."""
    if store.count_sent(node, known.objection) > len(heard.steps):
        return True
    if known.correction is not None and heard.correction is None:
        return True
    return known.state == ObjectionState.CLOSED.value and heard.state is not ObjectionState.CLOSED


def _row(node: Node, shown: ObjectionView, heard: Heard, known: ObjectionRow | None) -> ObjectionRow:
    said = heard.objection.statement
    provides = said.provider == node.participant
    particulars = None if known is None else known.particulars
    if particulars is None and provides:
        opened = open_words(shown.sealed, Particulars, said.objection, said.particulars, node.sealing_key)
        if opened is not None and len(opened.records) == said.records:
            particulars = opened.canonical().decode()
    return ObjectionRow(
        objection=said.objection,
        role=(ReceiptRole.PROVIDER if provides else ReceiptRole.CONSUMER).value,
        dataset=said.dataset,
        release=said.release,
        digest=heard.objection.digest,
        envelope=shown.envelope,
        particulars=particulars,
        sealed=shown.sealed if known is None else known.sealed,
        sealed_to=None if known is None else known.sealed_to,
        sent=True,
        state=heard.state.value,
        due_at=epoch_ms(shown.due_at),
        guessed_years=",".join(map(str, shown.guessed_years[:10])),
        overdue=shown.overdue,
        correction=None if heard.correction is None else heard.correction.statement.number,
        closed_why=shown.closed_why,
        person=None if known is None else known.person,
        at=epoch_ms(node.clock.now()) if known is None else known.at,
    )


def _step_row(node: Node, shown: ObjectionView, heard: Heard, place: int) -> ObjectionStepRow:
    step, filed = heard.steps[place], shown.steps[place]
    known = store.find_step(node, shown.objection, place + 1)
    words = None if known is None else known.words
    digest = step.statement.words
    if words is None and digest is not None and step.statement.by != node.participant:
        opened = open_words(filed.sealed, StepWords, shown.objection, digest, node.sealing_key)
        words = None if opened is None else opened.words
    return ObjectionStepRow(
        objection=shown.objection,
        number=place + 1,
        digest=step.digest,
        envelope=filed.envelope,
        sealed=filed.sealed,
        words=words,
        sent=True,
        person=None if known is None else known.person,
        at=epoch_ms(step.statement.at),
    )


def _check_ours(node: Node, heard: Heard) -> None:
    """Raise ObjectionAltered unless an objection is about what this node delivered to the objector."""
    said = heard.objection.statement
    with node.database.read() as session:
        release = session.get(ReleaseRow, (said.dataset, said.release))
        delivery = session.get(DeliveryRow, said.grant)
    if release is None or release.manifest != said.manifest:
        raise ObjectionAltered(f"{said.objection} is about a release that this node did not publish")
    if delivery is None or store.delivered(delivery) != (said.objector, said.manifest, said.view):
        raise ObjectionAltered(f"{said.objection} is about a delivery that this node did not make")


def _correction(node: Node, envelope: str) -> Signed[Manifest]:
    peeked = peek_statement(envelope, Manifest).statement
    providers = {row.provider for row in own_subscriptions(node) if row.dataset == peeked.dataset}
    if peeked.provider not in providers or peeked.corrects is None:
        raise Corrupt("a correction of nothing that this node received")
    return node.trust.participant_statement(envelope, Manifest, peeked.provider)


def _unsound(node: Node, subject: str, error: HeadwatersError) -> None:
    title = Text(
        zh="交换中心送来的异议或更正不成立", en="News of a correction that the exchange brought does not hold"
    )
    node.alarms.raise_alarm(UNSOUND, Severity.HIGH, title, {"subject": subject, "code": error.code})
