"""One whole transfer with real keys and a real log, as the parties would leave it behind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from audit.commitment import ContentDigest, ContentHasher, commit, content_commitment
from audit.database import open_database, upgrade
from audit.formats.dsse import Envelope, sign
from audit.formats.proof import TlogProof
from audit.keys.signing import SigningKey
from audit.keys.trust import TrustedKey, TrustedLog, TrustedParticipant, TrustedWitness, TrustRoot
from audit.keys.trust_file import SignedRoot, TrustFile
from audit.log.entry import Entry, EntryKind
from audit.log.grant_entry import obligations_digest
from audit.log.sequencer import Log
from audit.log.unit import Unit
from audit.proofs.transfer_proof import Envelopes, ProvenEntry, Term, TransferProof, encode_proof
from contracts.canonical import digest, sha256_hex
from contracts.clock import epoch_ms
from contracts.messages import (
    Agreement,
    ContractRef,
    Counts,
    DatasetRecord,
    Distribution,
    Grant,
    Manifest,
    PurposeBinding,
    Receipt,
    ReceiptRole,
    Redact,
    Sharing,
    SourceNote,
    Statement,
    Text,
)
from tests.audit.logs import NOW, ORIGIN, SIGNER, WITNESSES, appending, cosigned, running

EXCHANGE = SigningKey.from_seed(bytes([2]) * 32)
PROVIDER = SigningKey.from_seed(bytes([3]) * 32)
CONSUMER = SigningKey.from_seed(bytes([4]) * 32)
STRANGER = SigningKey.from_seed(bytes([5]) * 32)
THIRD = SigningKey.from_seed(bytes([6]) * 32)
ROOT_KEYS = [SigningKey.from_seed(bytes([20 + number]) * 32) for number in range(3)]
PROVIDER_ID, CONSUMER_ID, THIRD_ID = "p-providerxxxx", "p-consumerxxxx", "p-thirdxxxxxxx"
DATA = b"station,pm25\nA,35\n" * 10_000
SALT, CONTENT_SALT = bytes([8]) * 32, bytes([9]) * 32
CONTRACT = ContractRef(id="air-hourly", version="1.0.0", digest=digest("contract"))


def content(data: bytes = DATA) -> ContentDigest:
    """Give the digests of some bytes."""
    hasher = ContentHasher()
    hasher.update(data)
    return hasher.digest()


def trust_root(**changes: object) -> TrustRoot:
    """Give the root of the test's alliance: two parties that witness, and a third province that only does."""
    parties = [
        (PROVIDER_ID, Text(zh="甲省", en="Province A"), PROVIDER),
        (CONSUMER_ID, Text(zh="乙省", en="Province B"), CONSUMER),
        (THIRD_ID, Text(zh="丙省", en="Province C"), THIRD),
    ]
    root = TrustRoot(
        number=0,
        previous=None,
        issued_at=NOW,
        expires_at=None,
        threshold=2,
        quorum=2,
        logs=[TrustedLog(origin=ORIGIN, vkey=str(SIGNER.verifier_key))],
        statement_keys=[TrustedKey(key=EXCHANGE.public.text)],
        participants=[
            TrustedParticipant(
                participant=participant,
                name=name,
                node_keys=[TrustedKey(key=key.public.text)],
                witness_keys=[TrustedWitness(vkey=str(witness.verifier_key))],
                root_key=root_key.public.text,
            )
            for (participant, name, key), witness, root_key in zip(parties, WITNESSES, ROOT_KEYS, strict=True)
        ],
    )
    return root.model_copy(update=changes)


def trust(**changes: object) -> TrustFile:
    """Give a trust file that no province has signed."""
    return TrustFile.of(None, trust_root(**changes))


def signed_root(*, number: int = 1, signers: int = 2, **changes: object) -> SignedRoot:
    """Give a root that the first ``signers`` provinces signed."""
    signed = SignedRoot(signatures=[], signed=trust_root(number=number, **changes))
    for one, key in zip(signed.signed.participants[:signers], ROOT_KEYS, strict=False):
        signed = signed.with_signature(one.participant, key)
    return signed


def seal(statement: Statement, *keys: SigningKey) -> Envelope:
    """Sign a statement."""
    return sign(statement.payload_type, statement.canonical(), keys)


@dataclass(frozen=True)
class Statements:
    """The six statements before they are signed."""

    manifest: Manifest
    record: DatasetRecord
    agreement: Agreement
    grant: Grant
    given: Receipt
    taken: Receipt


@dataclass(frozen=True)
class Evidence:
    """What a transfer leaves behind, in parts that a test can exchange."""

    statements: Statements
    signed: dict[str, Envelope]
    grant: ProvenEntry
    done: ProvenEntry

    terms: Mapping[Term, ProvenEntry] = field(default_factory=dict)
    early: tuple[ProvenEntry, ...] = ()

    def whole(self, **signed: Envelope) -> TransferProof:
        """Put the proof together, with some envelopes exchanged for others."""
        return TransferProof(self.done, self.grant, Envelopes(**{**self.signed, **signed}), self.terms)

    def proof(self, **signed: Envelope) -> bytes:
        """Write the proof file, with some envelopes exchanged for others."""
        return encode_proof(self.whole(**signed))


def statements() -> Statements:
    """Give the statements of a transfer in which one column was redacted."""
    record, manifest = _record(), _manifest()
    agreement = _agreement(record)
    grant = _grant(record, manifest, agreement)
    given = _receipt(grant)
    taken = given.model_copy(update={"role": ReceiptRole.CONSUMER, "participant": CONSUMER_ID})
    return Statements(manifest, record, agreement, grant, given, taken)


def _record() -> DatasetRecord:
    return DatasetRecord(
        dataset="air-quality",
        provider=PROVIDER_ID,
        number=1,
        title=Text(zh="空气质量", en="Air quality"),
        contract=CONTRACT,
        theme="air",
        sharing=Sharing.CONDITIONAL,
        sharing_basis="basis",
        classification=2,
        purposes=["joint-forecast"],
        purpose_fields=[],
        place="甲省",
        synthetic=False,
        update_frequency="hourly",
        at=NOW,
    )


def _manifest() -> Manifest:
    whole = content(b"before the view")
    return Manifest(
        dataset="air-quality",
        provider=PROVIDER_ID,
        number=3,
        previous=digest("previous"),
        contract=CONTRACT,
        distribution=Distribution(
            media_type="application/vnd.apache.parquet",
            sha256=whole.sha256,
            chunk_root=whole.chunk_root,
            size_bytes=whole.size_bytes,
        ),
        counts=Counts(read=10_001, published=10_000, quarantined=1),
        source=SourceNote(file_name="a.csv", sha256=digest("source"), place="甲省", synthetic=False),
        at=NOW,
    )


def _agreement(record: DatasetRecord) -> Agreement:
    return Agreement(
        agreement="a-abcdefghijkm",
        application=digest("application"),
        provider=PROVIDER_ID,
        consumer=CONSUMER_ID,
        dataset="air-quality",
        record=record.content_digest(),
        sharing=Sharing.CONDITIONAL,
        purpose="joint-forecast",
        not_before=NOW - timedelta(days=1),
        expires_at=NOW + timedelta(days=30),
    )


def _grant(record: DatasetRecord, manifest: Manifest, agreement: Agreement) -> Grant:
    return Grant(
        grant="g-abcdefghijkm",
        subscription="s-abcdefghijkm",
        seq=1,
        provider=PROVIDER_ID,
        consumer=CONSUMER_ID,
        consumer_key=CONSUMER.public.text,
        dataset="air-quality",
        release=3,
        manifest=manifest.content_digest(),
        agreement=agreement.agreement,
        agreement_digest=agreement.content_digest(),
        record=record.content_digest(),
        purpose="joint-forecast",
        obligations=[Redact(fields=["operator"]), PurposeBinding(purpose="joint-forecast")],
        policy=digest("policy"),
        decision="c-abcdefghijkm",
        salt=SALT.hex(),
        issued_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
    )


def _receipt(grant: Grant) -> Receipt:
    view = content()
    return Receipt(
        role=ReceiptRole.PROVIDER,
        grant=grant.grant,
        grant_index=2,
        participant=PROVIDER_ID,
        manifest=grant.manifest,
        obligations=obligations_digest(grant.obligations),
        view_sha256=view.sha256,
        view_chunk_root=view.chunk_root,
        view_size_bytes=view.size_bytes,
        view_rows=10_000,
        redacted=["operator"],
        content_salt=CONTENT_SALT.hex(),
        at=NOW,
    )


def signed_by_their_owners(told: Statements) -> dict[str, Envelope]:
    """Sign every statement as its parties do."""
    return {
        "grant": seal(told.grant, EXCHANGE),
        "manifest": seal(told.manifest, PROVIDER),
        "agreement": seal(told.agreement, PROVIDER, CONSUMER),
        "record": seal(told.record, PROVIDER),
        "provider_receipt": seal(told.given, PROVIDER),
        "consumer_receipt": seal(told.taken, CONSUMER),
    }


def grant_fields(grant: Grant) -> dict[str, str | int | None]:
    """Give the fields of a grant's entry."""
    return {
        "gid": grant.grant,
        "sub": grant.subscription,
        "seq": grant.seq,
        "prev": None,
        "prov": grant.provider,
        "cons": grant.consumer,
        "ckey": grant.consumer_key,
        "man": grant.manifest,
        "agr": grant.agreement_digest,
        "rec": grant.record,
        "obl": obligations_digest(grant.obligations),
        "pol": grant.policy,
        "dec": grant.decision,
        "dsc": commit(SALT, grant.dataset.encode()),
        "pur": commit(SALT, grant.purpose.encode()),
        "exp": epoch_ms(grant.expires_at),
        "ev": commit(SALT, grant.canonical()),
    }


def done_fields(told: Statements) -> dict[str, str | int | bool]:
    """Give the fields of the closing entry, without ``prev``."""
    given = told.given
    return {
        "gid": told.grant.grant,
        "gidx": 2,
        "sub": told.grant.subscription,
        "seq": told.grant.seq,
        "cc": content_commitment(CONTENT_SALT, given.view_chunk_root, given.view_size_bytes),
        "len": given.view_size_bytes,
        "pr": sha256_hex(told.given.canonical()),
        "cr": sha256_hex(told.taken.canonical()),
        "late": False,
    }


def evidence(
    folder: Path,
    told: Statements | None = None,
    *,
    witnesses: int = 2,
    done: dict[str, str | int | bool] | None = None,
    granted: dict[str, str | int | None] | None = None,
    early: Callable[[Unit, Statements], None] | None = None,
) -> Evidence:
    """Log a transfer and collect its evidence; ``done`` and ``granted`` replace fields of the entries.

    ``early`` appends the first two entries, which are proven beside it.
    """
    told = told or statements()
    database = open_database(f"sqlite:///{folder / 'evidence.db'}")
    upgrade(database, "exchange:migrations")

    def grant_unit(unit: Unit) -> int:
        fields = {**grant_fields(told.grant), **(granted or {})}
        return unit.append(Entry(EntryKind.GRANT, unit.now, fields))

    def done_unit(unit: Unit) -> int:
        fields = {**done_fields(told), "prev": unit.leaf_hash(2), **(done or {})}
        return unit.append(Entry(EntryKind.DONE, unit.now, fields))

    with running(database) as log:
        log.commit_blocking(appending(0, 1) if early is None else lambda unit: early(unit, told))
        log.commit_blocking(grant_unit)
        log.commit_blocking(appending(3))
        log.commit_blocking(done_unit)
        note = cosigned(log.commit_blocking(appending(5, 6, 7)).checkpoint, witnesses)
        first = (_proven(log, 0, note), _proven(log, 1, note))
        granted_at, closed_at = _proven(log, 2, note), _proven(log, 4, note)
        collected = Evidence(told, signed_by_their_owners(told), granted_at, closed_at, early=first)
    database.close()
    return collected


def with_checkpoint(entry: ProvenEntry, note: bytes) -> ProvenEntry:
    """Exchange the checkpoint under a proven entry."""
    return ProvenEntry(entry.leaf, replace(entry.proof, checkpoint_note=note))


def _proven(log: Log, index: int, note: bytes) -> ProvenEntry:
    path = tuple(log.inclusion_path(index, 8))
    return ProvenEntry(log.entry(index), TlogProof(index, path, note))
