"""Step from one contract version to another: who would lose what, notice to them, and answers to notices.

A notice and an answer are statements of this node: signed and stored before they are sent, and sent again
byte for byte after a crash. The exchange takes the same digest twice without a second entry.
"""

from datetime import timedelta

from sqlmodel import col, select

from contracts.clock import epoch_ms
from contracts.errors import Conflict, Invalid, NotFound, Refused
from contracts.identifiers import parse_name, parse_version
from contracts.messages import (
    Acknowledgement,
    Deprecation,
    DeprecationView,
    Impact,
    ImpactList,
    utc,
)
from nodes.node import Node
from nodes.publishing.datasets import PENDING
from nodes.sharing_tables import VersionStatementRow
from nodes.signed import Signed, peek_statement, sign_again, sign_statement

SENT = "sent"
NOTICE, ANSWER = "notice", "answer"


class NoSuchStep(NotFound):
    """None of this node's datasets follows the version that is named."""

    code = "no-such-step"
    title_zh = "本节点没有数据集使用该契约版本"
    next_zh = "用 headwaters contract impact 查看本节点在用的版本。"
    next_en = "headwaters contract impact shows which versions this node's datasets follow."


class NoSuchNotice(NotFound):
    """No notice with this digest concerns this node."""

    code = "no-such-notice"
    title_zh = "没有与本节点有关的该停用通知"
    next_zh = "用 headwaters contract notices 查看编号。"
    next_en = "headwaters contract notices lists them."


def parse_step(text: str) -> tuple[str, str]:
    """Read ``id@version``; raise BadIdentifier."""
    name, _, version = text.partition("@")
    parse_version(version)
    return parse_name(name), version


def impact(node: Node, successor: str, instead_of: str | None = None) -> ImpactList:
    """Ask who of this node's subscribers loses what; versions are written ``id@version``."""
    name, version = parse_step(successor)
    return node.broker.impact(name, version, instead_of)


def deprecate(node: Node, contract: str, successor: str, *, days: int, why: str) -> DeprecationView:
    """Sign and send the notice that this node's datasets leave one version for another after so many days.

    Raises NoSuchStep, or what the exchange answers.
    """
    resend_pending(node)
    found = _only_impact(impact(node, successor, contract))
    now = utc(node.clock.now())
    notice = Deprecation(
        provider=node.participant,
        contract=found.contract,
        successor=found.successor,
        impact=found.users_digest(),
        why=why,
        ends_at=now + timedelta(days=days),
        at=now,
    )
    signed = sign_statement(notice, node.node_key)
    return _keep_and_send(node, signed, NOTICE, about=signed.digest)


def notices(node: Node) -> list[tuple[Signed[Deprecation], DeprecationView]]:
    """List the notices that concern this node, each under its provider's key; newest first."""
    found = []
    for view in node.broker.deprecations().deprecations:
        provider = peek_statement(view.envelope, Deprecation).statement.provider
        signed = node.trust.participant_statement(view.envelope, Deprecation, provider)
        found.append((signed, view))
    return found


def acknowledge(node: Node, digest: str) -> DeprecationView:
    """Sign and send the answer to a notice, named by its digest or the beginning of it.

    Raises NoSuchNotice, SignatureInvalid, or what the exchange answers.
    """
    resend_pending(node)
    wanted = digest if digest.startswith("sha256:") else f"sha256:{digest}"
    named = [signed for signed, _ in notices(node) if signed.digest.startswith(wanted)]
    if len(named) != 1 or len(wanted) < len("sha256:") + 6:
        raise NoSuchNotice(f"{len(named)} notices begin with {digest[:80]!r}")
    notice = named[0].statement
    answer = Acknowledgement(
        consumer=node.participant,
        provider=notice.provider,
        deprecation=named[0].digest,
        contract=notice.contract,
        successor=notice.successor,
        at=utc(node.clock.now()),
    )
    return _keep_and_send(node, sign_statement(answer, node.node_key), ANSWER, about=named[0].digest)


def resend_pending(node: Node) -> None:
    """Send again what was signed and perhaps never arrived; what the exchange refuses is let go."""
    with node.database.read() as session:
        query = select(VersionStatementRow).where(VersionStatementRow.state == PENDING)
        rows = session.exec(query.order_by(col(VersionStatementRow.at))).all()
    for row in rows:
        try:
            _send(node, row)
        except (Invalid, Refused, Conflict, NotFound):
            continue  # forgotten by _send; the act that is under way says what it meets itself


def _only_impact(found: ImpactList) -> Impact:
    if len(found.impacts) != 1 or not found.impacts[0].datasets:
        raise NoSuchStep("no dataset of this node follows the version that is to end")
    return found.impacts[0]


def _keep_and_send(
    node: Node, signed: Signed[Deprecation] | Signed[Acknowledgement], kind: str, *, about: str
) -> DeprecationView:
    row = VersionStatementRow(
        digest=signed.digest,
        kind=kind,
        about=about,
        envelope=signed.text,
        state=PENDING,
        at=epoch_ms(node.clock.now()),
    )
    with node.database.transaction() as session:
        session.merge(VersionStatementRow(**row.model_dump()))
    return _send(node, row)


def _send(node: Node, row: VersionStatementRow) -> DeprecationView:
    try:
        if row.kind == NOTICE:
            view = node.broker.deprecate(sign_again(row.envelope, Deprecation, node.node_key))
        else:
            view = node.broker.acknowledge_deprecation(
                sign_again(row.envelope, Acknowledgement, node.node_key)
            )
    except (Invalid, Refused, Conflict, NotFound):
        with node.database.transaction() as session:
            stale = session.get(VersionStatementRow, row.digest)
            if stale is not None:
                session.delete(stale)
        raise
    with node.database.transaction() as session:
        session.merge(VersionStatementRow(**(row.model_dump() | {"state": SENT})))
    return view
