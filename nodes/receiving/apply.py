"""Ask to use another participant's dataset, and stand in its feed once both sides have signed.

An application is signed and stored before it is sent, because the exchange may offer the terms while the
answer is still under way, and this node signs only terms that fit an application it knows.
"""

from sqlmodel import col, select

from audit.keys.signing import SignatureInvalid
from contracts.clock import epoch_ms
from contracts.errors import NotFound, Refused
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    Agreement,
    Application,
    ApplicationState,
    ApplicationView,
    At,
    DatasetId,
    Long,
    ReceiptRole,
    SubscriptionView,
    Wire,
    utc,
)
from nodes.node import Node
from nodes.sharing_tables import AgreementRow, OwnApplicationRow, SubscriptionRow
from nodes.signed import Signed, peek_statement, sign_statement


class NoAgreement(NotFound):
    """There is no agreement in force for this dataset."""

    code = "no-agreement"
    title_zh = "该数据集没有有效协议"
    next_zh = "先提交共享申请并等待双方签署。"
    next_en = "Apply first, and wait until both sides have signed."


class NotSubscribed(NotFound):
    """This node is not subscribed to the dataset."""

    code = "not-subscribed"
    title_zh = "尚未订阅该数据集"
    next_zh = "先运行 headwaters subscribe。"
    next_en = "Run headwaters subscribe first."


class AgreementUnfit(Refused):
    """The agreement is not the one that both sides signed."""

    code = "agreement-unfit"
    title_zh = "协议与双方签署的内容不符"
    next_zh = "保留协议作为证据,并与提供方核对。"
    next_en = "Keep the agreement as evidence and compare it with the provider."


class Request(Wire):
    """What a person asks for: which data, what for, on what basis, until when (Order 809 art. 20)."""

    dataset: DatasetId
    purpose: DatasetId
    basis: Long
    scenario: Long
    scope: Long
    until: At


def apply_for(node: Node, request: Request) -> ApplicationView:
    """Sign and hand in an application; a refusal by policy carries its reasons."""
    now = utc(node.clock.now())
    application = Application(
        application=new_id(Kind.APPLICATION),
        consumer=node.participant,
        dataset=request.dataset,
        purpose=request.purpose,
        basis=request.basis,
        scenario=request.scenario,
        scope=request.scope,
        until=request.until,
        at=now,
    )
    signed = sign_statement(application, node.node_key)
    row = OwnApplicationRow(
        application=application.application,
        digest=signed.digest,
        dataset=application.dataset,
        envelope=signed.text,
        at=epoch_ms(now),
    )
    with node.database.transaction() as session:
        session.add(row)
    return node.broker.apply(signed.text)


def subscribe(node: Node, dataset: str) -> SubscriptionView:
    """Open, or find again, the subscription under the agreement that lasts longest.

    Raises NoAgreement, AgreementUnfit, or what the exchange answers.
    """
    agreement = _agreement_in_force(node, dataset)
    view = node.broker.subscribe(agreement.statement.agreement)
    said = (view.agreement, view.dataset, view.consumer, view.provider)
    terms = agreement.statement
    if said != (terms.agreement, terms.dataset, node.participant, terms.provider):
        raise AgreementUnfit("the subscription is not the agreement's")
    with node.database.transaction() as session:
        if session.get(SubscriptionRow, view.subscription) is None:
            query = select(SubscriptionRow.cursor).where(SubscriptionRow.dataset == dataset)
            session.add(
                SubscriptionRow(
                    subscription=view.subscription,
                    agreement=view.agreement,
                    dataset=dataset,
                    provider=view.provider,
                    # A new agreement goes on where the old one's subscription stood.
                    cursor=max(session.exec(query).all(), default=0),
                    at=epoch_ms(node.clock.now()),
                )
            )
    return view


def subscription_of(node: Node, dataset: str) -> SubscriptionRow:
    """Find the newest subscription to a dataset; raise NotSubscribed."""
    with node.database.read() as session:
        query = select(SubscriptionRow).where(SubscriptionRow.dataset == dataset)
        row = session.exec(query.order_by(col(SubscriptionRow.at).desc())).first()
    if row is None:
        raise NotSubscribed(f"{dataset} is not subscribed to here")
    return row


def own_subscriptions(node: Node) -> list[SubscriptionRow]:
    """List this node's subscriptions by dataset."""
    with node.database.read() as session:
        return list(session.exec(select(SubscriptionRow).order_by(col(SubscriptionRow.dataset))))


def check_both_signed(node: Node, envelope: str) -> Signed[Agreement]:
    """Read an agreement that this node and its provider both signed; raise AgreementUnfit."""
    terms = peek_statement(envelope, Agreement).statement
    try:
        node.trust.own_statement(envelope, Agreement, node.node_key.public)
        signed = node.trust.participant_statement(envelope, Agreement, terms.provider)
    except SignatureInvalid as error:
        raise AgreementUnfit(f"{terms.agreement} lacks a signature") from error
    with node.database.read() as session:
        row = session.get(AgreementRow, terms.agreement)
    if terms.consumer != node.participant or row is None or row.digest != signed.digest:
        raise AgreementUnfit(f"{terms.agreement} is not what this node signed")
    return signed


def _agreement_in_force(node: Node, dataset: str) -> Signed[Agreement]:
    now = node.clock.now()
    best: Signed[Agreement] | None = None
    for view in node.broker.applications():
        if view.state is not ApplicationState.AGREED or view.agreement_envelope is None:
            continue
        terms = peek_statement(view.agreement_envelope, Agreement).statement
        if terms.consumer != node.participant or terms.dataset != dataset or terms.expires_at <= now:
            continue
        if best is None or terms.expires_at > best.statement.expires_at:
            best = check_both_signed(node, view.agreement_envelope)
    if best is None:
        raise NoAgreement(f"no agreement for {dataset} is in force")
    _keep_both_signatures(node, best)
    return best


def _keep_both_signatures(node: Node, agreement: Signed[Agreement]) -> None:
    with node.database.transaction() as session:
        row = session.get(AgreementRow, agreement.statement.agreement)
        if row is not None and row.role == ReceiptRole.CONSUMER.value:
            row.envelope = agreement.text
            session.add(row)
