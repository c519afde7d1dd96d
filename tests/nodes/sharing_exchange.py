"""The simulated exchange with transfers: it grants, logs and closes as the design says.

Tests reach into it to misbehave: ``spoil_grant``, ``spoil_entry`` and ``spoil_closing`` change what is signed
and what is logged.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from audit.commitment import content_commitment
from audit.formats.cosignature import Cosigner
from audit.formats.merkle import inclusion_path, leaf_hash, tree_root
from audit.keys.signing import SealingKey, SigningKey
from audit.log.entry import Entry, EntryKind, chain_digest
from audit.log.grant_entry import grant_fields
from contracts.errors import Conflict, Invalid, NotFound, Refused
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    Agreement,
    ContractRegistration,
    DatasetRecord,
    Grant,
    Inclusion,
    LoggedGrant,
    Manifest,
    Member,
    MemberStatus,
    Obligation,
    PurposeBinding,
    Receipt,
    ReceiptDelivery,
    ReceiptState,
    Redact,
    Revocations,
    TransferRequest,
)
from contracts.schema import parse_contract
from nodes.signed import peek_statement, sign_statement
from tests.nodes.catalog_exchange import CatalogExchange, wire
from tests.nodes.simulated_exchange import PROFILE

DIGEST = "sha256:" + "0" * 64
GRANT_SECONDS = 60


class NotYetWitnessed(Conflict):
    """No quorum has seen the entry."""

    code = "not-yet-witnessed"
    title_zh = "尚无足够见证方副署"


@dataclass
class Transfer:
    """One grant and how far it has come."""

    logged: LoggedGrant
    grant: Grant
    state: str = "granted"
    provider_receipt: str | None = None
    consumer_receipt: str | None = None
    index: int | None = None


@dataclass
class SharingExchange(CatalogExchange):
    """One provider's and one consumer's exchange."""

    entries: dict[int, bytes] = field(default_factory=dict)
    witness_keys: list[SigningKey] = field(
        default_factory=lambda: [SigningKey.generate(), SigningKey.generate()]
    )
    witnessing: bool = True
    transfers: dict[str, Transfer] = field(default_factory=dict)
    revoked: dict[str, list[str]] = field(
        default_factory=lambda: {"participants": [], "agreements": [], "grants": []}
    )
    revocations_age_seconds: float = 0
    refuse_receipts: bool = False
    spoil_grant: dict[str, Any] = field(default_factory=dict)
    spoil_entry: dict[str, Any] = field(default_factory=dict)
    spoil_closing: dict[str, Any] = field(default_factory=dict)
    obligations: Callable[[Agreement], list[Obligation]] | None = None
    chain: dict[str, str] = field(default_factory=dict)

    def add_witnesses(self) -> None:
        for number, key in enumerate(self.witness_keys):
            participant = new_id(Kind.PARTICIPANT)
            self.set_member(
                Member(
                    participant=participant,
                    profile=PROFILE,
                    status=MemberStatus.ACTIVE,
                    node_key=SigningKey.generate().public.text,
                    sealing_key=SealingKey.generate().public_text,
                    witness_vkey=str(Cosigner(f"witness.example/{number}", key).verifier_key),
                    address=None,
                )
            )

    def append(self, entry: Entry) -> int:
        raw = entry.encode()
        self.entries[len(self.leaves)] = raw
        self.leaf_bytes[leaf_hash(raw)] = raw
        self.leaves.append(leaf_hash(raw))
        return len(self.leaves) - 1

    def cosigned(self) -> bytes:
        note = self.checkpoint()
        text = note.decode().partition("\n\n")[0] + "\n"
        lines = [
            Cosigner(f"witness.example/{number}", key).cosign(text, self.clock.now())
            for number, key in enumerate(self.witness_keys)
        ]
        return note + "".join(lines).encode()

    def revocations(self) -> str:
        issued = self.clock.now() - timedelta(seconds=self.revocations_age_seconds)
        listed = Revocations(
            number=self.revocation_number,
            issued_at=issued,
            expires_at=issued + timedelta(seconds=5),
            **self.revoked,
        )
        return sign_statement(listed, self.statement_key).text

    def revoke(self, kind: str, name: str) -> None:
        self.revoked[kind].append(name)
        self.revocation_number += 1

    def _signed(self, request: httpx.Request, path: str) -> httpx.Response:
        body = request.content
        match (request.method, *path.strip("/").split("/")):
            case ("POST", "transfers"):
                self.caller(request)
                return wire(self.grant(TransferRequest.parse(body)))
            case ("POST", "transfers", grant, "receipts"):
                self.caller(request)
                return wire(self._receipts(grant, ReceiptDelivery.parse(body)))
            case ("GET", "transfers", grant):
                self.caller(request)
                return wire(self._state(grant))
            case ("GET", "log", "proof", index):
                self.caller(request)
                return wire(self._inclusion(int(index)))
            case _:
                return super()._signed(request, path)

    # --- transfers --------------------------------------------------------------------------------

    def grant(self, asked: TransferRequest) -> LoggedGrant:
        """Grant, log, and give the grant with its proof; ``spoil_*`` change what is signed and logged."""
        subscription = self.subscriptions[asked.subscription]
        for transfer in self.transfers.values():
            if self._is_open(transfer, asked):
                return self.logged(transfer)
        agreement = self._agreed(subscription.agreement)
        record = self.records[subscription.dataset]
        release = self.feeds[subscription.dataset][asked.release - 1]
        seq = 1 + sum(t.grant.subscription == asked.subscription for t in self.transfers.values())
        grant = Grant(
            grant=new_id(Kind.GRANT),
            subscription=asked.subscription,
            seq=seq,
            provider=subscription.provider,
            consumer=subscription.consumer,
            consumer_key=self.members[subscription.consumer].node_key,
            dataset=subscription.dataset,
            release=asked.release,
            manifest=peek_statement(release.manifest_envelope, Manifest).digest,
            agreement=subscription.agreement,
            agreement_digest=agreement.digest,
            record=record.digest,
            purpose=agreement.statement.purpose,
            obligations=self._obligations(agreement.statement, record.statement),
            policy=DIGEST,
            decision=new_id(Kind.DECISION),
            salt="11" * 32,
            issued_at=self.clock.now(),
            expires_at=self.clock.now() + timedelta(seconds=GRANT_SECONDS),
        ).model_copy(update=self.spoil_grant)
        fields = {
            **grant_fields(grant, grant.canonical()),
            "prev": self.chain.get(asked.subscription),
            **self.spoil_entry,
        }
        index = self.append(Entry(EntryKind.GRANT, self.clock.now(), fields))
        self.chain[asked.subscription] = chain_digest(leaf_hash(self.entries[index]))
        logged = LoggedGrant(
            grant_envelope=sign_statement(grant, self.statement_key).text,
            leaf=base64.b64encode(self.entries[index]).decode(),
            index=index,
            inclusion_path=[],
            checkpoint="",
            manifest_envelope=release.manifest_envelope,
            agreement_envelope=agreement.text,
            record_envelope=record.text,
        )
        self.transfers[grant.grant] = Transfer(logged, grant)
        return self.logged(self.transfers[grant.grant])

    def logged(self, transfer: Transfer) -> LoggedGrant:
        path = [base64.b64encode(one).decode() for one in self._path_of(transfer.logged.index)]
        return transfer.logged.model_copy(
            update={"inclusion_path": path, "checkpoint": self.checkpoint().decode()}
        )

    def expire(self, grant: str) -> None:
        """Log that nobody closed the grant."""
        transfer = self.transfers[grant]
        receipt = transfer.provider_receipt
        fields = self._closing(transfer) | {
            "pr": None if receipt is None else peek_statement(receipt, Receipt).digest
        }
        self._close(transfer, Entry(EntryKind.EXPIRE, self.clock.now(), fields), "expired")

    def _is_open(self, transfer: Transfer, asked: TransferRequest) -> bool:
        grant = transfer.grant
        if grant.grant in self.revoked["grants"]:
            return False
        same = (grant.subscription, grant.release) == (asked.subscription, asked.release)
        return same and transfer.state in {"granted", "delivered"} and self.clock.now() < grant.expires_at

    def _obligations(self, agreement: Agreement, record: DatasetRecord) -> list[Obligation]:
        if self.obligations is not None:
            return self.obligations(agreement)
        document = peek_statement(
            self.contracts[record.contract.id, record.contract.version], ContractRegistration
        ).statement.document
        fields = {one.name for one in parse_contract(document.encode()).fields}
        hidden: set[str] = set()
        for entry in record.purpose_fields:
            if entry.purpose == agreement.purpose:
                hidden |= fields - set(entry.fields)
        redact: list[Obligation] = [Redact(fields=sorted(hidden))] if hidden else []
        return [*redact, PurposeBinding(purpose=agreement.purpose)]

    def _receipts(self, grant: str, delivery: ReceiptDelivery) -> ReceiptState:
        if self.refuse_receipts:
            raise Refused("receipts are refused today")
        if grant not in self.transfers:
            raise NotFound(grant)
        transfer = self.transfers[grant]
        if transfer.state == "done":
            return self._state(grant)
        transfer.provider_receipt = delivery.provider_receipt
        transfer.state = "delivered" if transfer.state == "granted" else transfer.state
        if delivery.consumer_receipt is not None:
            self._finish(transfer, delivery.provider_receipt, delivery.consumer_receipt)
        return self._state(grant)

    def _finish(self, transfer: Transfer, provider: str, consumer: str) -> None:
        given, taken = peek_statement(provider, Receipt), peek_statement(consumer, Receipt)
        if given.statement.view_sha256 != taken.statement.view_sha256:
            raise Invalid("the receipts contradict each other")
        transfer.consumer_receipt = consumer
        view = given.statement
        fields = self._closing(transfer) | {
            "cc": content_commitment(
                bytes.fromhex(view.content_salt), view.view_chunk_root, view.view_size_bytes
            ),
            "len": view.view_size_bytes,
            "pr": given.digest,
            "cr": taken.digest,
            "late": self.clock.now() >= transfer.grant.expires_at,
        }
        fields |= self.spoil_closing
        self._close(transfer, Entry(EntryKind.DONE, self.clock.now(), fields), "done")

    def _closing(self, transfer: Transfer) -> dict[str, Any]:
        grant = transfer.grant
        return {
            "gid": grant.grant,
            "gidx": transfer.logged.index,
            "sub": grant.subscription,
            "seq": grant.seq,
            "prev": self.chain[grant.subscription],
        }

    def _close(self, transfer: Transfer, entry: Entry, state: str) -> None:
        transfer.index = self.append(entry)
        self.chain[transfer.grant.subscription] = chain_digest(leaf_hash(self.entries[transfer.index]))
        transfer.state = state

    def _state(self, grant: str) -> ReceiptState:
        if grant not in self.transfers:
            raise NotFound(grant)
        transfer = self.transfers[grant]
        return ReceiptState.model_validate({"grant": grant, "state": transfer.state, "index": transfer.index})

    def _inclusion(self, index: int) -> Inclusion:
        if not self.witnessing:
            raise NotYetWitnessed(f"entry {index} is not covered yet")
        return Inclusion(
            index=index,
            leaf=base64.b64encode(self.entries[index]).decode(),
            path=[base64.b64encode(one).decode() for one in self._path_of(index)],
            checkpoint=self.cosigned().decode(),
        )

    def _path_of(self, index: int) -> list[bytes]:
        size = len(self.leaves)
        return inclusion_path(
            index, size, lambda level, i: tree_root(self.leaves[i << level : (i + 1) << level])
        )
