"""What a provider checks by itself before it signs or sends anything (docs/explanation/transfer.md, step 5).

Twelve numbered checks, in the order of ``check_delivery``, each with its own refusal. Nothing the exchange
says is taken on trust where this node can know better: the agreement, the record, the manifest and the least
redaction are its own signed words.
"""

from collections.abc import Callable
from dataclasses import dataclass

from audit.httpsig import RequestSignatureInvalid
from audit.keys.signing import PublicKey, SignatureInvalid
from contracts.errors import Corrupt, Refused, Unauthenticated
from contracts.messages import (
    Agreement,
    DatasetRecord,
    DeliveryRequest,
    Grant,
    Manifest,
    Member,
    MemberStatus,
    Sharing,
)
from contracts.schema import Contract
from contracts.view import shape_view
from nodes.delivering.minimum import check_conditions, check_minimum, check_recipients
from nodes.emergencies import check_emergency, is_waived
from nodes.granted import MAX_SKEW, OpenGrant, check_time, open_grant, read_grant
from nodes.node import Node
from nodes.publishing.artifacts import artifact_path
from nodes.publishing.datasets import latest_record, own_contract
from nodes.sharing_tables import AgreementRow, ReleaseRow
from nodes.signed import Signed


class NotTheGrantee(Unauthenticated):
    """The request is not signed by the key that the grant names."""

    code = "not-the-grantee"
    title_zh = "请求不是由授权所指的密钥签名"
    next_zh = "授权不是不记名凭证:用授权中使用方的密钥签名。"
    next_en = "A grant is not a bearer token: sign with the consumer key that it names."


class GrantForAnother(Refused):
    """The grant is for another provider."""

    code = "grant-for-another"
    title_zh = "授权的提供方不是本节点"
    next_zh = "把授权交给其中所列的提供方。"
    next_en = "Present the grant to the provider that it names."


class AgreementNotOurs(Refused):
    """The agreement is not one that this node signed for this transfer."""

    code = "agreement-not-ours"
    title_zh = "协议并非本节点为此传输所签"
    next_zh = "核对协议的双方、数据集、用途与期限;必要时重新申请。"
    next_en = "Compare the agreement's parties, dataset, purpose and term; apply again if need be."


class RecordNotOurs(Refused):
    """The dataset record is not this node's current one."""

    code = "record-not-ours"
    title_zh = "数据集登记不是本节点的现行登记"
    next_zh = "数据集登记已更新时,请按新登记重新达成协议。"
    next_en = "Where the record has changed, agree anew under the new one."


class ReleaseNotOurs(Refused):
    """The release is not one that this node published."""

    code = "release-not-ours"
    title_zh = "该批次不是本节点所发布"
    next_zh = "核对批次编号与清单摘要。"
    next_en = "Compare the release number and the manifest's digest."


class ArtifactMissing(Corrupt):
    """The artifact of a published release is missing or damaged here."""

    code = "artifact-missing"
    title_zh = "已发布批次的数据工件缺失或损坏"
    next_zh = "从备份恢复 artifacts/ 中以该摘要命名的文件。"
    next_en = "Restore the file of this digest under artifacts/ from a backup."


class GrantRevoked(Refused):
    """The consumer, the agreement or the grant is revoked."""

    code = "grant-revoked"
    title_zh = "使用方、协议或授权已被吊销"
    next_zh = "联系交换中心了解吊销原因。"
    next_en = "Ask the exchange why it was revoked."


class ConsumerKeyUnknown(Refused):
    """The key in the grant is not the consumer's key."""

    code = "consumer-key-unknown"
    title_zh = "授权中的密钥不是该使用方的登记密钥"
    next_zh = "保留授权作为证据,并与使用方核对密钥指纹。"
    next_en = "Keep the grant as evidence and compare key fingerprints with the consumer."


@dataclass(frozen=True, slots=True)
class Checked:
    """A grant that passed every check, with the documents that this node signed itself."""

    opened: OpenGrant
    manifest: Signed[Manifest]
    record: Signed[DatasetRecord]
    agreement: Signed[Agreement]
    contract: Contract

    @property
    def grant(self) -> Grant:
        """Give the grant."""
        return self.opened.grant


Authenticate = Callable[[Callable[[str], PublicKey]], object]
"""Verifies the request at hand under the key that a resolver gives, and keeps its nonce."""


def check_delivery(node: Node, request: DeliveryRequest, authenticate: Authenticate) -> Checked:
    """Run the twelve checks; raise the refusal of the first that fails."""
    # 2 comes before 1: a made-up grant must not make this node remember nonces of a made-up key.
    check_grantee(read_grant(node.trust, request.logged).statement, authenticate)  # 1
    opened = open_grant(node.trust, request.logged)  # 2 to 6
    grant = opened.grant
    check_audience(node, grant)  # 7
    agreement = check_agreement(node, opened)  # 8
    record, manifest = check_release(node, opened, agreement.statement)  # 9
    check_emergency(node, grant, record.statement)  # 9, where it is for an emergency
    check_not_revoked(node, grant)  # 10
    consumer = check_consumer_key(node, grant)  # 11
    contract = own_contract(node, manifest.statement.contract)
    check_obligations(opened, record.statement, contract, consumer)  # 12
    return Checked(opened, manifest, record, agreement, contract)


def check_grantee(grant: Grant, authenticate: Authenticate) -> None:
    """Check 1: the request is signed once, by the key in the grant, in the consumer's name."""

    def resolve(keyid: str) -> PublicKey:
        if keyid != grant.consumer:
            raise NotTheGrantee(f"the request is signed by {keyid[:40]}, the grant is {grant.consumer}'s")
        return PublicKey.from_text(grant.consumer_key)

    try:
        authenticate(resolve)
    except RequestSignatureInvalid as error:
        raise NotTheGrantee(f"the signature is not by the key of {grant.grant}") from error


def check_audience(node: Node, grant: Grant) -> None:
    """Check 7: the grant names this participant as provider."""
    if grant.provider != node.participant:
        raise GrantForAnother(f"{grant.grant} is for {grant.provider}")


def check_agreement(node: Node, opened: OpenGrant) -> Signed[Agreement]:
    """Check 8: an agreement that this node and the consumer signed, for exactly this use, in force."""
    grant = opened.grant
    envelope = opened.logged.agreement_envelope
    try:
        node.trust.own_statement(envelope, Agreement, node.node_key.public)
        signed = node.trust.participant_statement(envelope, Agreement, grant.consumer)
    except SignatureInvalid as error:
        raise AgreementNotOurs("it lacks this node's or the consumer's signature") from error
    agreement = signed.statement
    expected = (grant.agreement_digest, grant.agreement, grant.provider, grant.consumer)
    found = (signed.digest, agreement.agreement, agreement.provider, agreement.consumer)
    if found != expected:
        raise AgreementNotOurs("it is another agreement, or between others, than the grant says")
    if (agreement.dataset, agreement.purpose) != (grant.dataset, grant.purpose):
        raise AgreementNotOurs("it is about another dataset or purpose")
    now = node.clock.now()
    if now + MAX_SKEW < agreement.not_before or now >= agreement.expires_at:
        raise AgreementNotOurs(f"it is in force until {agreement.expires_at.isoformat()}")
    if grant.expires_at > agreement.expires_at:
        # Later fetches look at the grant alone, so it must not outlive what this node signed.
        raise AgreementNotOurs("the grant would last beyond the agreement")
    with node.database.read() as session:
        row = session.get(AgreementRow, agreement.agreement)
    # The row may be gone with an old disk, the own signature then still speaks; a differing row never may.
    if row is not None and row.digest != signed.digest:
        raise AgreementNotOurs("this node signed other words under this number")
    return signed


def check_release(
    node: Node, opened: OpenGrant, agreement: Agreement
) -> tuple[Signed[DatasetRecord], Signed[Manifest]]:
    """Check 9: the record and the manifest are this node's own, current, and the artifact is here."""
    grant = opened.grant
    record = latest_record(node, grant.dataset)
    if record is None or {record.digest} != {grant.record, agreement.record, opened.record.digest}:
        raise RecordNotOurs(f"{grant.dataset}: the grant or the agreement is about another record")
    if record.statement.sharing is Sharing.NOT_SHARED:
        raise RecordNotOurs(f"{grant.dataset} is not shared")
    if record.statement.purposes and grant.purpose not in record.statement.purposes:
        raise RecordNotOurs(f"{grant.dataset} is not offered for this purpose")
    with node.database.read() as session:
        row = session.get(ReleaseRow, (grant.dataset, grant.release))
    if row is None or {row.manifest} != {grant.manifest, opened.manifest.digest}:
        raise ReleaseNotOurs(f"{grant.dataset} {grant.release} is not what this node published")
    try:
        manifest = node.trust.own_statement(row.envelope, Manifest, node.node_key.public)
    except SignatureInvalid as error:
        raise ReleaseNotOurs(f"{grant.dataset} {grant.release} is not signed by this node") from error
    check_artifact(node, manifest.statement)
    return record, manifest


def check_artifact(node: Node, manifest: Manifest) -> None:
    """Check 9, its last part: the artifact is on disk with its full length."""
    path = artifact_path(node, manifest.distribution.sha256)
    try:
        size_bytes = path.stat().st_size
    except FileNotFoundError as error:
        raise ArtifactMissing(f"{path.name} is gone") from error
    if size_bytes != manifest.distribution.size_bytes:
        raise ArtifactMissing(f"{path.name} has {size_bytes} bytes")


def check_not_revoked(node: Node, grant: Grant) -> None:
    """Check 10: a list at most five seconds old revokes neither party, agreement nor grant."""
    listed = node.trust.revocations()
    if (
        grant.consumer in listed.participants
        or grant.provider in listed.participants
        or grant.agreement in listed.agreements
        or grant.grant in listed.grants
    ):
        raise GrantRevoked(f"{grant.grant}, its agreement or its consumer is revoked", list=listed.number)


def check_consumer_key(node: Node, grant: Grant) -> Member:
    """Check 11: the grant's key is the consumer's own in the pinned directory, and the consumer is active."""
    member = node.trust.member(grant.consumer)
    if member.status is not MemberStatus.ACTIVE:
        raise GrantRevoked(f"{grant.consumer} is {member.status.value}")
    if member.node_key != grant.consumer_key and node.trust.seek_news():
        member = node.trust.member(grant.consumer)
    if member.node_key != grant.consumer_key:
        raise ConsumerKeyUnknown(f"{grant.consumer} has another key in the directory")
    return member


def check_obligations(opened: OpenGrant, record: DatasetRecord, contract: Contract, consumer: Member) -> None:
    """Check 12: the record admits this use, and the obligations can be met and hide what it demands.

    A record that opted in waives its conditions for government in an emergency; that one is declared is
    checked beside.
    """
    grant = opened.grant
    if not is_waived(record, grant.purpose, consumer):
        check_conditions(record, grant.purpose, consumer.profile, grant.issued_at)
    shape_view(contract, grant.obligations)
    check_recipients(grant.obligations, grant.consumer)
    check_minimum(record, contract, grant.purpose, consumer.profile, obligations=grant.obligations)


def check_still_offered(node: Node, grant: Grant) -> None:
    """Check 9 again, before each answer with data: this node has not changed the record since."""
    record = latest_record(node, grant.dataset)
    if record is None or record.digest != grant.record:
        raise RecordNotOurs(f"{grant.dataset} has another record by now")


def check_still_granted(node: Node, grant: Grant) -> None:
    """Check 6 and 10 again, before each piece of a long stream; raise GrantExpired or GrantRevoked."""
    check_time(node.trust, grant)
    check_not_revoked(node, grant)
