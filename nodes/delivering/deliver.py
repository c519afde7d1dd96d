"""Accept a grant as provider: check it, make the view, sign the receipt, and keep both before answering.

The receipt, the delivery and the outbox row are one transaction. The same grant presented again gets the same
receipt, so a consumer may repeat after a crash.
"""

import secrets
from collections.abc import Iterator

from audit.commitment import ContentDigest
from contracts.clock import epoch_ms
from contracts.errors import Conflict, NotFound
from contracts.messages import DeliveryRequest, Discharged, Grant, Receipt, ReceiptRole, utc
from contracts.view import ObligationUnfit
from nodes.aborting import give_up
from nodes.counting import books
from nodes.delivering.checks import (
    AgreementNotOurs,
    Authenticate,
    Checked,
    ConsumerKeyUnknown,
    RecordNotOurs,
    ReleaseNotOurs,
    check_delivery,
    check_still_granted,
)
from nodes.delivering.duties.handler import Delivery, DutyFailed, View
from nodes.delivering.duties.quotas import QuotaSpent, record_use
from nodes.delivering.duties.registry import discharge
from nodes.delivering.minimum import ConditionsNotMet, ObligationsTooWeak
from nodes.delivering.views import NothingVisible, ViewLost, make_view, view_path
from nodes.granted import ObligationUnknown, OpenGrant
from nodes.node import Node
from nodes.publishing.artifacts import artifact_path
from nodes.sharing_tables import DeliveryRow, OutboxRow, OutboxState
from nodes.signed import peek_statement, sign_statement

BLOCK_BYTES = 256 * 1024

# Refusals of a genuine grant to this node (checks 8, 9, 11 and 12, and duties that cannot be met) that no
# second try under it can change.
_HOPELESS = (
    AgreementNotOurs,
    RecordNotOurs,
    ReleaseNotOurs,
    ConsumerKeyUnknown,
    ConditionsNotMet,
    ObligationsTooWeak,
    ObligationUnfit,
    ObligationUnknown,
    DutyFailed,
    NothingVisible,
    QuotaSpent,
)


class GrantReused(Conflict):
    """Another grant was accepted under this number."""

    code = "grant-reused"
    title_zh = "该编号下已受理过另一授权"
    next_zh = "保留两份授权作为证据,并通知审计人员。"
    next_en = "Keep both grants as evidence and tell the auditors."


class DeliveryUnknown(NotFound):
    """No delivery was opened under this grant."""

    code = "delivery-unknown"
    title_zh = "该授权尚未开始交付"
    next_zh = "先提交授权(POST /deliveries),再取数据。"
    next_en = "Present the grant first (POST /deliveries), then fetch the data."


def deliver(node: Node, request: DeliveryRequest, authenticate: Authenticate) -> str:
    """Run every check of step 5 (docs/explanation/transfer.md), and give the provider receipt's envelope."""
    try:
        checked = check_delivery(node, request, authenticate)
        opened = checked.opened
        kept = _kept(node, opened, request.seal_to)
        if kept is not None:
            return kept
        manifest, obligations = checked.manifest.statement, opened.grant.obligations
        view = make_view(node, manifest, checked.contract, obligations, opened.obligations_digest)
        return _keep(node, checked, view, request.seal_to)
    except _HOPELESS as error:
        give_up(node, request.logged, error)
        raise


def find_delivery(node: Node, grant: str) -> DeliveryRow:
    """Find an open delivery; raise DeliveryUnknown."""
    with node.database.read() as session:
        row = session.get(DeliveryRow, grant)
    if row is None:
        raise DeliveryUnknown(f"{grant} was not presented here")
    return row


def delivered_view(node: Node, row: DeliveryRow) -> tuple[Grant, Receipt, View]:
    """Give the grant, the receipt and the very bytes the receipt was signed over; raise ViewLost."""
    grant = Grant.parse(row.grant.encode())
    receipt = peek_statement(row.receipt, Receipt).statement
    path = (
        view_path(node, receipt.view_sha256)
        if row.artifact != receipt.view_sha256
        else artifact_path(node, row.artifact)
    )
    if not path.is_file() or path.stat().st_size != receipt.view_size_bytes:
        raise ViewLost(f"the view of {grant.grant} is not here")
    content = ContentDigest(receipt.view_sha256, receipt.view_chunk_root, receipt.view_size_bytes)
    view = View(path, content, receipt.view_rows, tuple(receipt.redacted))
    return grant, receipt, view


def stream(node: Node, grant: Grant, view: View, first: int, last: int) -> Iterator[bytes]:
    """Give bytes ``first`` to ``last`` of a view in blocks; the grant is checked again before each block.

    The revocation list behind the check is at most five seconds old, so a revocation stops the stream within
    five seconds: the rest never leaves, and the consumer sees a body that ends too early.
    """
    with view.path.open("rb") as file:
        file.seek(first)
        left = last - first + 1
        while left > 0:
            check_still_granted(node, grant)
            block = file.read(min(BLOCK_BYTES, left))
            if not block:
                raise ViewLost(f"the view of {grant.grant} is shorter than its receipt says")
            left -= len(block)
            yield block


def _receipt(node: Node, checked: Checked, view: View, discharged: list[Discharged]) -> Receipt:
    return Receipt(
        role=ReceiptRole.PROVIDER,
        grant=checked.grant.grant,
        grant_index=checked.opened.logged.index,
        participant=node.participant,
        manifest=checked.manifest.digest,
        obligations=checked.opened.obligations_digest,
        view_sha256=view.content.sha256,
        view_chunk_root=view.content.chunk_root,
        view_size_bytes=view.content.size_bytes,
        view_rows=view.rows,
        redacted=list(view.redacted),
        content_salt=secrets.token_hex(32),
        at=utc(node.clock.now()),
        discharged=discharged,
    )


def _kept(node: Node, opened: OpenGrant, seal_to: str | None) -> str | None:
    """Give the receipt of an earlier presentation; the key to seal to is the newest request's."""
    with node.database.transaction() as session:
        row = session.get(DeliveryRow, opened.grant.grant)
        if row is None:
            return None
        if row.grant_digest != opened.signed.digest:
            raise GrantReused(f"{opened.grant.grant} was accepted with other words")
        row.seal_to = seal_to
        session.add(row)
        return row.receipt


def _keep(node: Node, checked: Checked, view: View, seal_to: str | None) -> str:
    """Count, sign and keep in one transaction, so that what is refused or lost has used nothing up."""
    opened, grant = checked.opened, checked.grant
    now = node.clock.now()
    with node.database.transaction() as session:
        before = session.get(DeliveryRow, grant.grant)
        if before is not None:  # a second presentation ran beside this one and came first
            return before.receipt
        delivery = Delivery(node, grant, view, session, now)
        record_use(delivery)
        receipt = sign_statement(_receipt(node, checked, view, discharge(delivery)), node.node_key)
        session.add(
            DeliveryRow(
                grant_id=grant.grant,
                grant_digest=opened.signed.digest,
                grant=grant.canonical().decode(),
                artifact=opened.manifest.statement.distribution.sha256,
                obligations=opened.obligations_digest,
                receipt=receipt.text,
                seal_to=seal_to,
                expires_at=epoch_ms(grant.expires_at),
                at=epoch_ms(now),
            )
        )
        session.add(
            OutboxRow(
                grant_id=grant.grant,
                role=ReceiptRole.PROVIDER.value,
                logged=opened.logged.canonical().decode(),
                provider_receipt=receipt.text,
                state=OutboxState.NEW.value,
                next_at=epoch_ms(now),
                at=epoch_ms(now),
            )
        )
        books.enter(session, opened.logged, receipt, receipt, now)
    return receipt.text
