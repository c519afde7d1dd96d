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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import BinaryIO

from audit.commitment import ContentDigest, ContentHasher, content_commitment
from audit.formats.merkle import ProofInvalid
from audit.formats.note import SuiteName
from audit.formats.quorum import Witnessed
from audit.keys.signers import Judge, Logged, Party
from audit.keys.trust import TrustedParticipant
from audit.keys.trust_file import TrustFile
from audit.log.entry import Entry, EntryKind, parse_entry
from audit.log.grant_entry import grant_fields, obligations_digest
from audit.proofs.doubts import transfer_doubts
from audit.proofs.steps import step
from audit.proofs.transfer_proof import Envelopes, ProvenEntry, Term, TransferProof, read_proof
from contracts.canonical import Json, sha256_hex
from contracts.messages import (
    Agreement,
    DatasetRecord,
    Grant,
    Manifest,
    Receipt,
    ReceiptRole,
    Text,
)

_PIECE_BYTES = 1024 * 1024

_TERM_ENTRIES: Mapping[Term, tuple[EntryKind, str]] = {
    "agreement": (EntryKind.AGREEMENT, "dig"),
    "manifest": (EntryKind.RELEASE_PUBLISH, "man"),
    "record": (EntryKind.DATASET_PUBLISH, "dig"),
}


@dataclass(frozen=True, slots=True)
class _Parties:
    provider: TrustedParticipant
    consumer: TrustedParticipant

    @property
    def signers(self) -> tuple[Party, Party]:
        provider, consumer = self.provider, self.consumer
        return (
            Party(provider.participant, provider.node_keys),
            Party(consumer.participant, consumer.node_keys),
        )


class TransferNotProven(ProofInvalid):
    """The transfer is not proven."""

    code = "transfer-not-proven"
    title_zh = "传输证明不成立"
    next_zh = "不要采信该证明;请对方重新提供,或向交换中心查询该传输。"
    next_en = "Do not rely on this proof; ask for it again, or look the transfer up at the exchange."


_step = partial(step, TransferNotProven)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a proof proves; moments are UTC, ``cosigned_at`` is the median of the witnesses' times.

    ``root_signers`` are the provinces that signed the trust root, ``unsigned_keys`` those keys behind this
    verdict that only the trust file's writer vouches for, ``suites`` those in which the log signed every
    checkpoint behind it.
    """

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
    chunk_root: str
    redacted: tuple[str, ...]
    data_checked: bool
    root_number: int
    root_signers: tuple[str, ...]
    unsigned_keys: tuple[str, ...]
    suites: tuple[SuiteName, ...]
    not_proven: tuple[Text, ...]


def verify_transfer(proof: bytes, data: BinaryIO | None, trust: TrustFile, *, now: datetime) -> Verdict:
    """Verify a ``.hwproof`` file, and ``data`` against it when it is given; ``now`` bounds cosignature times.

    ``data`` is read in pieces. Raises TransferNotProven, QuorumMissing or UnknownParticipant.
    """
    with _step(1, "shape"):
        whole = read_proof(proof)
    return judge_transfer(whole, data, trust, Judge(trust.root, now))


def judge_transfer(whole: TransferProof, data: BinaryIO | None, trust: TrustFile, judge: Judge) -> Verdict:
    """Verify a proof that was read already; one ``judge`` verifies each checkpoint of many proofs once."""
    with _step(1, "shape"):
        done = _entry(whole.done, EntryKind.DONE)
        granted = _entry(whole.grant, EntryKind.GRANT)
    with _step(2, "quorum"):
        witnessed = judge.checkpoint(whole.done.proof.checkpoint_note)
        judge.checkpoint(whole.grant.proof.checkpoint_note)
    with _step(3, "closing entry"):
        closed_at = judge.included(whole.done)
    with _step(4, "grant entry"):
        granted_at = judge.included(whole.grant)
        _check_closing(done, closed_at, granted, granted_at)
    with _step(5, "grant"):
        grant = _check_grant(whole.envelopes, granted, judge, granted_at)
    parties = _Parties(judge.root.participant(grant.provider), judge.root.participant(grant.consumer))
    with _step(6, "terms"):
        _check_terms(whole, grant, parties, judge, granted_at)
    with _step(7, "receipts"):
        receipt = _check_receipts(whole.envelopes, grant, parties, judge, (granted_at, closed_at))
        _check_closed_with(done, receipt, whole.envelopes)
    if data is not None:
        with _step(8, "data"):
            _check_data(data, receipt)
    proven = (whole.done, whole.grant, *whole.terms.values())
    seen = [judge.checkpoint(one.proof.checkpoint_note) for one in proven]
    return Verdict(
        provider=parties.provider,
        consumer=parties.consumer,
        dataset=grant.dataset,
        release=grant.release,
        purpose=grant.purpose,
        grant=grant.grant,
        grant_index=granted_at.index,
        done_index=closed_at.index,
        granted_at=granted.at,
        done_at=done.at,
        cosigned_at=witnessed.cosigned_at,
        witnesses=tuple(one.name for one in witnessed.cosignatures),
        log_size=witnessed.checkpoint.size,
        size_bytes=receipt.view_size_bytes,
        rows=receipt.view_rows,
        sha256=receipt.view_sha256,
        chunk_root=receipt.view_chunk_root,
        redacted=tuple(receipt.redacted),
        data_checked=data is not None,
        root_number=judge.root.number,
        root_signers=trust.signers,
        unsigned_keys=trust.unsigned(sorted(judge.relied_on)),
        suites=_common_suites(seen),
        not_proven=transfer_doubts(
            trust,
            judge,
            seen,
            late=done.fields["late"] is True,
            data_shown=data is not None,
        ),
    )


def _require(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise ProofInvalid(f"{what} does not match")


def _require_same(
    what: str, left: Mapping[str, Json], right: Mapping[str, Json], names: tuple[str, ...]
) -> None:
    for name in names:
        _require(f"{what}: {name}", left[name], right[name])


def _entry(proven: ProvenEntry, kind: EntryKind) -> Entry:
    entry = parse_entry(proven.leaf)
    _require("the kind of the entry", entry.kind, kind)
    return entry


def _check_closing(done: Entry, closed_at: Logged, granted: Entry, granted_at: Logged) -> None:
    """Step 4: the closing entry names the grant's place, with its shard exactly where that is another one."""
    other_shard = None if granted_at.origin == closed_at.origin else granted_at.origin
    _require("the closing entry's gidx", done.fields["gidx"], granted_at.index)
    _require("the closing entry's gsh", done.fields.get("gsh"), other_shard)
    _require_same("the closing entry", done.fields, granted.fields, ("gid", "sub", "seq"))


def _check_grant(envelopes: Envelopes, granted: Entry, judge: Judge, at: Logged) -> Grant:
    """Step 5: the exchange signed the grant, and the logged leaf commits to exactly that grant."""
    exchange = Party("the exchange", judge.root.statement_keys)
    grant = judge.statement(envelopes.grant, Grant, exchange, logged=[at])
    expected = grant_fields(grant, envelopes.grant.payload)
    _require_same("the grant's entry", granted.fields, expected, tuple(expected))
    return grant


def _check_terms(
    whole: TransferProof, grant: Grant, parties: _Parties, judge: Judge, granted_at: Logged
) -> None:
    """Step 6: release and dataset are the provider's word, the agreement is both sides'.

    The grant's own entry binds all three by their digests; where a key ended before that, the entry that
    logged the statement itself says that it was there in time.
    """
    provider, consumer = parties.signers
    digests: dict[Term, str] = {
        "manifest": grant.manifest,
        "record": grant.record,
        "agreement": grant.agreement_digest,
    }
    logged = {name: [granted_at] for name in digests}
    for name, proven in whole.terms.items():
        logged[name].append(_logged_term(proven, name, digests[name], judge))
    envelopes = whole.envelopes
    manifest = judge.statement(envelopes.manifest, Manifest, provider, logged=logged["manifest"])
    record = judge.statement(envelopes.record, DatasetRecord, provider, logged=logged["record"])
    agreement = judge.statement(
        envelopes.agreement, Agreement, provider, consumer, logged=logged["agreement"]
    )
    for name, expected in digests.items():
        _require(f"the {name}'s digest", sha256_hex(getattr(envelopes, name).payload), expected)
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
    if grant.consumer_key not in judge.counting(consumer, [granted_at]):
        raise ProofInvalid("the grant is bound to a key that was not the consumer's")


def _logged_term(proven: ProvenEntry, name: Term, expected: str, judge: Judge) -> Logged:
    kind, field = _TERM_ENTRIES[name]
    entry = _entry(proven, kind)
    _require(f"the {name}'s own entry", entry.fields[field], expected)
    return judge.included(proven)


def _check_receipts(
    envelopes: Envelopes,
    grant: Grant,
    parties: _Parties,
    judge: Judge,
    places: tuple[Logged, Logged],
) -> Receipt:
    """Step 7: both sides signed receipts over one and the same view.

    The grant binds both sides to the keys they had, so a receipt by a key that was replaced meanwhile still
    closes it; one by a key that was revoked must have been logged before.
    """
    provider, consumer = parties.signers
    given_envelope, taken_envelope = envelopes.provider_receipt, envelopes.consumer_receipt
    opened, closed = [places[0]], [places[1]]
    given = judge.statement(given_envelope, Receipt, provider, logged=opened, closed=closed)
    taken = judge.statement(taken_envelope, Receipt, consumer, logged=opened, closed=closed)
    _require("the provider's receipt's role", given.role, ReceiptRole.PROVIDER)
    _require("the consumer's receipt's role", taken.role, ReceiptRole.CONSUMER)
    _require("the provider's receipt's participant", given.participant, grant.provider)
    _require("the consumer's receipt's participant", taken.participant, grant.consumer)
    _require("the receipts' grant", given.grant, grant.grant)
    _require("the receipts' grant index", given.grant_index, places[0].index)
    _require("the receipts' manifest", given.manifest, grant.manifest)
    _require("the receipts' obligations", given.obligations, obligations_digest(grant.obligations))
    _require("the other receipt", _common(taken), _common(given))
    return given


def _check_closed_with(done: Entry, given: Receipt, envelopes: Envelopes) -> None:
    """Step 7: the closing entry names both receipts, and the view that they are about."""
    _require(
        "the provider's receipt's digest", sha256_hex(envelopes.provider_receipt.payload), done.fields["pr"]
    )
    _require(
        "the consumer's receipt's digest", sha256_hex(envelopes.consumer_receipt.payload), done.fields["cr"]
    )
    _require("the closing entry's len", done.fields["len"], given.view_size_bytes)
    salt = bytes.fromhex(given.content_salt)
    _require(
        "the closing entry's content commitment",
        done.fields["cc"],
        content_commitment(salt, given.view_chunk_root, given.view_size_bytes),
    )


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


def _common_suites(seen: Sequence[Witnessed]) -> tuple[SuiteName, ...]:
    """Give the suites in which the log signed each of the checkpoints."""
    return tuple(suite for suite in seen[0].suites if all(suite in one.suites for one in seen))
