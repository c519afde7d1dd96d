"""What a consumer checks by itself: the grant, the documents behind it, the provider's receipt, and the rows.

Nothing is believed because the exchange sent it. The grant is signed, logged and this node's own; manifest,
record and agreement are the provider's signed words; the bytes are what the provider signed for, and their
rows keep the contract.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.keys.signing import SignatureInvalid
from contracts.errors import Refused
from contracts.messages import (
    Agreement,
    ContractRegistration,
    DatasetRecord,
    Distribution,
    LoggedGrant,
    Manifest,
    Obligation,
    PurposeBinding,
    Receipt,
    ReceiptRole,
)
from contracts.schema import Contract
from contracts.validation import RowValidator
from contracts.view import is_written_anew, shape_view
from nodes.granted import OpenGrant, check_time, open_logged
from nodes.node import Node
from nodes.publishing.artifacts import hash_file
from nodes.publishing.datasets import contract_of
from nodes.receiving.apply import check_both_signed
from nodes.receiving.evidence import evidence_faults
from nodes.receiving.hidden import check_hidden
from nodes.sharing_tables import SubscriptionRow
from nodes.signed import Signed, peek_statement
from nodes.sources.artifact import artifact_batches


class GrantNotOurs(Refused):
    """The grant is not for what this node asked for."""

    code = "grant-not-ours"
    title_zh = "授权与本节点的请求不符"
    next_zh = "保留授权作为证据,并通知审计人员。"
    next_en = "Keep the grant as evidence and tell the auditors."


class DocumentsUnfit(Refused):
    """The manifest, record, agreement or contract does not fit the grant."""

    code = "documents-unfit"
    title_zh = "授权所附的清单、登记、协议或契约不符"
    next_zh = "保留授权及其附件作为证据,并与提供方核对。"
    next_en = "Keep the grant and its documents as evidence and compare them with the provider."


class ReceiptUnfit(Refused):
    """The provider's receipt does not fit the grant."""

    code = "receipt-unfit"
    title_zh = "提供方回执与授权不符"
    next_zh = "不要接收数据;保留回执作为证据,并与提供方核对。"
    next_en = "Do not take the data; keep the receipt as evidence and compare it with the provider."


class DataAltered(Refused):
    """The bytes are not what the provider signed for."""

    code = "data-altered"
    title_zh = "收到的数据与提供方签名的摘要不符"
    next_zh = "数据已丢弃;重新接收,若再次发生请通知提供方与审计人员。"
    next_en = (
        "The data was discarded; pull again, and tell the provider and the auditors if it happens again."
    )


class ContractBroken(Refused):
    """The rows do not keep the contract."""

    code = "contract-broken"
    title_zh = "收到的数据行不符合契约"
    next_zh = "数据已丢弃,未签回执;请向提供方提出数据校核。"
    next_en = "The data was discarded and no receipt signed; object to the data at the provider."


@dataclass(frozen=True, slots=True)
class Judged:
    """A grant that holds, with the provider's verified documents."""

    opened: OpenGrant
    manifest: Signed[Manifest]
    record: Signed[DatasetRecord]
    agreement: Signed[Agreement]

    def check_open(self, node: Node) -> None:
        """Raise GrantExpired or ClockBehind unless the grant is valid now."""
        check_time(node.trust, self.opened.grant)


def judge_grant(node: Node, logged: LoggedGrant, subscription: SubscriptionRow, release: int) -> Judged:
    """Verify a grant and every document behind it; its time is judged where bytes are asked for.

    Raises GrantForged, GrantLeafDiffers, GrantNotLogged, LogForked, GrantNotOurs, DocumentsUnfit or
    AgreementUnfit.
    """
    opened = open_logged(node.trust, logged)
    grant = opened.grant
    asked = (subscription.subscription, release, subscription.dataset, subscription.provider)
    if (grant.subscription, grant.release, grant.dataset, grant.provider) != asked:
        raise GrantNotOurs("the grant is for another subscription, release or dataset")
    if (grant.consumer, grant.consumer_key) != (node.participant, node.node_key.public.text):
        raise GrantNotOurs("the grant is bound to another participant or key")
    manifest, record = _provider_documents(node, opened)
    agreement = check_both_signed(node, logged.agreement_envelope)
    _check_documents(opened, manifest, record, agreement)
    return Judged(opened, manifest, record, agreement)


def check_receipt(node: Node, judged: Judged, envelope: str) -> Signed[Receipt]:
    """Verify the provider's receipt: about this grant, and about what the obligations leave of the release.

    Raises ReceiptUnfit.
    """
    grant, manifest = judged.opened.grant, judged.manifest.statement
    try:
        node.trust.node_key(grant.provider)  # it is active, and a key of its counts
        signed = node.trust.receipt(envelope, grant.provider, judged.opened.place)
    except SignatureInvalid as error:
        raise ReceiptUnfit(f"the receipt is not signed by {grant.provider}") from error
    receipt = signed.statement
    said = (receipt.role, receipt.grant, receipt.grant_index, receipt.participant)
    if said != (ReceiptRole.PROVIDER, grant.grant, judged.opened.logged.index, grant.provider):
        raise ReceiptUnfit("the receipt is about another grant or by another party")
    if (receipt.manifest, receipt.obligations) != (grant.manifest, judged.opened.obligations_digest):
        raise ReceiptUnfit("the receipt is about another release or other obligations")
    if tuple(receipt.redacted) != judged.opened.redacted:
        raise ReceiptUnfit("the redactions are not what the grant says")
    rows, published = receipt.view_rows, manifest.counts.published
    faults = list(evidence_faults(grant.obligations, receipt.discharged, rows=rows, published=published))
    if faults:
        raise ReceiptUnfit(faults[0], faults=faults)
    if not any(map(is_written_anew, grant.obligations)) and _view(receipt) != _whole(manifest.distribution):
        raise ReceiptUnfit("nothing is hidden, yet the bytes are not the release's")
    return signed


def check_bytes(path: Path, receipt: Receipt) -> None:
    """Verify size, digest and chunk root of what arrived; raise DataAltered."""
    content = hash_file(path)
    if (content.sha256, content.chunk_root, content.size_bytes) != _view(receipt):
        raise DataAltered(f"{content.size_bytes} bytes arrived that the provider did not sign for")


def check_rows(path: Path, contract: Contract, obligations: Sequence[Obligation], signed_for: int) -> None:
    """Judge every row under what the obligations leave of the contract, and that there are ``signed_for``.

    Raises ObligationUnfit when the obligations do not fit the contract, ViewShowsMore when the file shows
    what they hide, ContractBroken when a row breaks another rule.
    """
    shape = shape_view(contract, obligations)
    check_hidden(path, shape)
    validator = RowValidator(shape.contract)
    rows = 0
    for batch in artifact_batches(path, shape.contract):
        rows += len(batch)
        for _, number, row in batch.doubtful(validator):
            for rule in validator.violations(row)[:1]:
                raise ContractBroken(f"row {number} breaks {rule.rule} at {rule.pointer or '/'}", row=number)
    if rows != signed_for:
        raise ContractBroken(f"the file has {rows} rows, the receipt says {signed_for}")


def fetch_contract(node: Node, manifest: Manifest) -> Contract:
    """Fetch the contract that a manifest names, held to its digest; raise DocumentsUnfit."""
    ref = manifest.contract
    registration = peek_statement(node.broker.contract(ref.id, ref.version), ContractRegistration).statement
    contract = contract_of(registration.document)
    if contract.ref() != ref:
        raise DocumentsUnfit(f"{ref.id} {ref.version} at the exchange is another contract")
    return contract


def _provider_documents(node: Node, opened: OpenGrant) -> tuple[Signed[Manifest], Signed[DatasetRecord]]:
    provider, trust = opened.grant.provider, node.trust
    trust.node_key(provider)  # it is active, and a key of its counts
    try:
        manifest = trust.participant_statement(opened.logged.manifest_envelope, Manifest, provider)
        record = trust.participant_statement(opened.logged.record_envelope, DatasetRecord, provider)
    except SignatureInvalid as error:
        raise DocumentsUnfit("manifest or record is not signed by the provider") from error
    return manifest, record


def _check_documents(
    opened: OpenGrant,
    manifest: Signed[Manifest],
    record: Signed[DatasetRecord],
    agreement: Signed[Agreement],
) -> None:
    grant, terms = opened.grant, agreement.statement
    digests = (manifest.digest, record.digest, agreement.digest, terms.record)
    if digests != (grant.manifest, grant.record, grant.agreement_digest, grant.record):
        raise DocumentsUnfit("a document is not the one that the grant names")
    about = (manifest.statement.dataset, manifest.statement.number, manifest.statement.provider)
    if about != (grant.dataset, grant.release, grant.provider):
        raise DocumentsUnfit("the manifest is about another release")
    if (record.statement.dataset, record.statement.provider) != (grant.dataset, grant.provider):
        raise DocumentsUnfit("the record is about another dataset")
    parties = (terms.agreement, terms.provider, terms.dataset, terms.purpose)
    if parties != (grant.agreement, grant.provider, grant.dataset, grant.purpose):
        raise DocumentsUnfit("the agreement is about something else")
    bound = [item.purpose for item in grant.obligations if isinstance(item, PurposeBinding)]
    if any(purpose != terms.purpose for purpose in bound):
        raise DocumentsUnfit("the grant binds the data to another purpose")


def _view(receipt: Receipt) -> tuple[str, str, int]:
    return receipt.view_sha256, receipt.view_chunk_root, receipt.view_size_bytes


def _whole(distribution: Distribution) -> tuple[str, str, int]:
    return distribution.sha256, distribution.chunk_root, distribution.size_bytes
