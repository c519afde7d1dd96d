"""Judge one transfer offline: who gave what to whom, under which grant, when, and which witnesses saw it.

The steps are numbered, here and in every refusal:

1  the file has its shape
2  a quorum of witnesses cosigned the log
3  the closing entry is in the log
4  the grant's entry is in the log, and the closing entry closes it
5  the exchange signed the grant that was logged
6  both sides signed the terms: release, dataset record, agreement
7  both sides signed receipts over one view
8  the data is that view

``verify_transfer`` returns a verdict or raises: TransferNotProven with the step that fails, QuorumMissing or
UnknownParticipant where the trust root does not suffice to judge.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, TypeVar

from audit.commitment import ContentDigest, ContentHasher, content_commitment
from audit.cosignature import Cosignature
from audit.dsse import parse_envelope
from audit.entry import Entry, EntryKind, parse_entry
from audit.grant_entry import grant_fields, obligations_digest
from audit.keys import PublicKey
from audit.merkle import ProofInvalid, leaf_hash
from audit.quorum import Witnessed
from audit.transfer_proof import Envelopes, ProvenEntry, read_proof
from audit.trust import TrustedParticipant, TrustRoot
from contracts.canonical import Json, sha256_hex
from contracts.errors import HeadwatersError, Undecidable
from contracts.messages import (
    Agreement,
    DatasetRecord,
    Grant,
    Manifest,
    Receipt,
    ReceiptRole,
    Statement,
    Text,
)

S = TypeVar("S", bound=Statement)

_PIECE_BYTES = 1024 * 1024

BEYOND_THE_LOG = Text(
    zh="提供方与使用方绕开交换中心另行传递的数据,日志无从得知。",
    en="What provider and consumer passed to each other outside the exchange is not in the log.",
)
TRUTH_OF_DATA = Text(
    zh="数据如实反映测量结果:证明只说明收到的正是提供方签发的内容。",
    en="That the data is true: the proof shows that what arrived is what the provider signed.",
)
LATER_USE = Text(
    zh="使用方在接收之后如何使用数据。",
    en="What the consumer did with the data afterwards.",
)
DATA_NOT_SHOWN = Text(
    zh="手头的文件就是所传输的数据:本次未提供文件(用 --file 指定)。",
    en="That a file at hand is the data that moved: none was given (name it with --file).",
)
CLOSED_LATE = Text(
    zh="传输在授权有效期内完成:该传输事后补登。",
    en="That the transfer ended while its grant was open: it was closed late.",
)


class TransferNotProven(ProofInvalid):
    """The transfer is not proven."""

    code = "transfer-not-proven"
    title_zh = "传输证明不成立"
    next_zh = "不要采信该证明;请对方重新提供,或向交换中心查询该传输。"
    next_en = "Do not rely on this proof; ask for it again, or look the transfer up at the exchange."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a proof proves; moments are UTC, ``cosigned_at`` is the median of the witnesses' times."""

    provider: TrustedParticipant
    consumer: TrustedParticipant
    dataset: str
    release: int
    purpose: str
    grant: str
    grant_index: int
    done_index: int
    granted_at: datetime
    done_at: datetime
    cosigned_at: datetime | None
    witnesses: tuple[str, ...]
    log_size: int
    size_bytes: int
    rows: int
    sha256: str
    redacted: tuple[str, ...]
    data_checked: bool
    not_proven: tuple[Text, ...]


def verify_transfer(proof: bytes, data: BinaryIO | None, trust: TrustRoot, *, now: datetime) -> Verdict:
    """Verify a ``.hwproof`` file, and ``data`` against it when it is given; ``now`` bounds cosignature times.

    ``data`` is read in pieces. Raises TransferNotProven, QuorumMissing or UnknownParticipant.
    """
    with _step(1, "shape"):
        whole = read_proof(proof)
        done = _entry(whole.done, EntryKind.DONE)
        granted = _entry(whole.grant, EntryKind.GRANT)
    with _step(2, "quorum"):
        witnessed = _witnessed(whole.done, trust, now)
        same = whole.grant.proof().checkpoint_note == whole.done.proof().checkpoint_note
        earlier = witnessed if same else _witnessed(whole.grant, trust, now)
    with _step(3, "closing entry"):
        done_index = _included(whole.done, witnessed)
    with _step(4, "grant entry"):
        _require("the closing entry's gidx", done.fields["gidx"], _included(whole.grant, earlier))
        _require_same("the closing entry", done.fields, granted.fields, ("gid", "sub", "seq"))
    with _step(5, "grant"):
        grant = _check_grant(whole.envelopes, granted, trust)
    provider, consumer = trust.participant(grant.provider), trust.participant(grant.consumer)
    with _step(6, "terms"):
        _check_terms(whole.envelopes, grant, provider.key(), consumer.key())
    with _step(7, "receipts"):
        receipt = _check_receipts(whole.envelopes, done, grant, provider, consumer)
    if data is not None:
        with _step(8, "data"):
            _check_data(data, receipt)
    return Verdict(
        provider=provider,
        consumer=consumer,
        dataset=grant.dataset,
        release=grant.release,
        purpose=grant.purpose,
        grant=grant.grant,
        grant_index=receipt.grant_index,
        done_index=done_index,
        granted_at=granted.at,
        done_at=done.at,
        cosigned_at=_median(witnessed.cosignatures),
        witnesses=tuple(one.name for one in witnessed.cosignatures),
        log_size=witnessed.checkpoint.size,
        size_bytes=receipt.view_size_bytes,
        rows=receipt.view_rows,
        sha256=receipt.view_sha256,
        redacted=tuple(receipt.redacted),
        data_checked=data is not None,
        not_proven=_not_proven(late=done.fields["late"] is True, data=data is not None),
    )


@contextmanager
def _step(number: int, name: str) -> Iterator[None]:
    try:
        yield
    except (Undecidable, TransferNotProven):
        raise
    except HeadwatersError as error:
        raise TransferNotProven(f"step {number} ({name}): {error}", step=number) from error


def _require(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise ProofInvalid(f"{what} does not match")


def _require_same(
    what: str, left: Mapping[str, Json], right: Mapping[str, Json], names: tuple[str, ...]
) -> None:
    for name in names:
        _require(f"{what}: {name}", left[name], right[name])


def _entry(proven: ProvenEntry, kind: EntryKind) -> Entry:
    proven.proof()
    entry = parse_entry(proven.leaf_bytes())
    _require("the kind of the entry", entry.kind, kind)
    return entry


def _witnessed(proven: ProvenEntry, trust: TrustRoot, now: datetime) -> Witnessed:
    return trust.witness_policy().check(proven.proof().checkpoint_note, now=now)


def _included(proven: ProvenEntry, witnessed: Witnessed) -> int:
    proof = proven.proof()
    proof.verify(leaf_hash(proven.leaf_bytes()), witnessed.checkpoint)
    return proof.index


def _statement(envelope: str, kind: type[S], *signers: PublicKey) -> tuple[S, bytes]:
    """Read a statement and its payload as signed; raise unless every one of ``signers`` signed it."""
    signed = parse_envelope(envelope.encode())
    payload = signed.payload_as(kind.payload_type)
    keys = {key.key_id: key for key in signers}
    signed.verified_by(keys, set(keys))
    return kind.parse(payload), payload


def _check_grant(envelopes: Envelopes, granted: Entry, trust: TrustRoot) -> Grant:
    """Step 5: the exchange signed the grant, and the logged leaf commits to exactly that grant."""
    grant, payload = _statement(envelopes.grant, Grant, trust.exchange_key())
    expected = grant_fields(grant, payload)
    _require_same("the grant's entry", granted.fields, expected, tuple(expected))
    return grant


def _check_terms(envelopes: Envelopes, grant: Grant, provider: PublicKey, consumer: PublicKey) -> None:
    """Step 6: release and dataset are the provider's word, the agreement is both sides'."""
    manifest, manifest_bytes = _statement(envelopes.manifest, Manifest, provider)
    record, record_bytes = _statement(envelopes.record, DatasetRecord, provider)
    agreement, agreement_bytes = _statement(envelopes.agreement, Agreement, provider, consumer)
    _require("the manifest's digest", sha256_hex(manifest_bytes), grant.manifest)
    _require("the dataset record's digest", sha256_hex(record_bytes), grant.record)
    _require("the agreement's digest", sha256_hex(agreement_bytes), grant.agreement_digest)
    _require("the manifest's provider", manifest.provider, grant.provider)
    _require("the manifest's dataset", manifest.dataset, grant.dataset)
    _require("the manifest's number", manifest.number, grant.release)
    _require("the dataset record's provider", record.provider, grant.provider)
    _require("the dataset record's dataset", record.dataset, grant.dataset)
    _require("the agreement's id", agreement.agreement, grant.agreement)
    _require("the agreement's provider", agreement.provider, grant.provider)
    _require("the agreement's consumer", agreement.consumer, grant.consumer)
    _require("the agreement's dataset", agreement.dataset, grant.dataset)
    _require("the agreement's purpose", agreement.purpose, grant.purpose)
    if not agreement.not_before <= grant.issued_at < agreement.expires_at:
        raise ProofInvalid("the grant was issued outside the agreement's time")


def _check_receipts(
    envelopes: Envelopes,
    done: Entry,
    grant: Grant,
    provider: TrustedParticipant,
    consumer: TrustedParticipant,
) -> Receipt:
    """Step 7: both sides signed receipts over one and the same view, and the closing entry names them."""
    given, given_bytes = _statement(envelopes.provider_receipt, Receipt, provider.key())
    taken, taken_bytes = _statement(envelopes.consumer_receipt, Receipt, consumer.key())
    _require("the provider's receipt's digest", sha256_hex(given_bytes), done.fields["pr"])
    _require("the consumer's receipt's digest", sha256_hex(taken_bytes), done.fields["cr"])
    _require("the provider's receipt's role", given.role, ReceiptRole.PROVIDER)
    _require("the consumer's receipt's role", taken.role, ReceiptRole.CONSUMER)
    _require("the provider's receipt's participant", given.participant, provider.participant)
    _require("the consumer's receipt's participant", taken.participant, consumer.participant)
    _require("the receipts' grant", given.grant, grant.grant)
    _require("the receipts' grant index", given.grant_index, done.fields["gidx"])
    _require("the receipts' manifest", given.manifest, grant.manifest)
    _require("the receipts' obligations", given.obligations, obligations_digest(grant.obligations))
    _require("the other receipt", _common(taken), _common(given))
    _require("the closing entry's len", done.fields["len"], given.view_size_bytes)
    salt = bytes.fromhex(given.content_salt)
    _require(
        "the closing entry's content commitment",
        done.fields["cc"],
        content_commitment(salt, given.view_chunk_root, given.view_size_bytes),
    )
    return given


def _common(receipt: Receipt) -> dict[str, object]:
    """Give what the two receipts of one delivery must say alike."""
    return receipt.model_dump(exclude={"role", "participant", "at"})


def _check_data(data: BinaryIO, receipt: Receipt) -> None:
    """Step 8: read the data once and compare both digests."""
    hasher = ContentHasher()
    while piece := data.read(_PIECE_BYTES):
        hasher.update(piece)
    expected = ContentDigest(receipt.view_sha256, receipt.view_chunk_root, receipt.view_size_bytes)
    _require("the data", hasher.digest(), expected)


def _median(cosignatures: tuple[Cosignature, ...]) -> datetime | None:
    """Give the lower median, which a minority of wrong clocks cannot move outside the honest times."""
    times = sorted(one.at for one in cosignatures)
    return times[(len(times) - 1) // 2] if times else None


def _not_proven(*, late: bool, data: bool) -> tuple[Text, ...]:
    texts = [BEYOND_THE_LOG, TRUTH_OF_DATA, LATER_USE]
    if late:
        texts.append(CLOSED_LATE)
    if not data:
        texts.append(DATA_NOT_SHOWN)
    return tuple(texts)
