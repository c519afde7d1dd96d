"""A small alliance in one process: a real exchange (SQLite, log, policy, keys) and signing participants.

The participants answer the exchange's offers in process instead of over a long poll; everything that they
sign and everything that the exchange checks is real.
"""

import asyncio
import base64
import shutil
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import pytest

from audit.keys.signing import SigningKey
from audit.log.entry import Entry, EntryKind, parse_entry
from audit.log.grant_entry import obligations_digest
from contracts.canonical import sha256_hex
from contracts.clock import FrozenClock
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    Application,
    ApplicationView,
    ContractRegistration,
    Counts,
    DatasetRecord,
    Distribution,
    Grant,
    Level,
    LoggedGrant,
    Manifest,
    MemberStatus,
    Profile,
    Receipt,
    ReceiptDelivery,
    ReceiptRole,
    ReceiptState,
    Sharing,
    SourceNote,
    SubscriptionRequest,
    SubscriptionView,
    Text,
    TransferRequest,
    redacted_fields,
)
from contracts.schema import Contract, parse_contract
from exchange.agreements import flow as agreements
from exchange.catalog import flow as catalog
from exchange.home import init
from exchange.members import store as members
from exchange.members.model import MemberRecord
from exchange.parts import build_parts
from exchange.settings import load_settings
from exchange.subscriptions import flow as subscriptions
from exchange.transfers import flow as transfers
from exchange.transfers import receipts
from exchange.wiring import HOOKS
from nodes.signed import peek_statement, sign_statement
from tests.exchange.signers import Manner, NodesInProcess, Participant

T = TypeVar("T")

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
DATASET = "city-air"
CONTRACT = parse_contract((files("contracts") / "library" / "ambient-air-city-hourly.json").read_bytes())


class Alliance:
    """An exchange and its participants; every method is what a node would do."""

    def __init__(self, home: Path, clock: FrozenClock) -> None:
        self.clock = clock
        self.nodes: dict[str, Participant] = {}
        parts = build_parts(load_settings(home, commit_window_seconds=0.0), HOOKS, clock)
        self.parts = replace(parts, mailbox=NodesInProcess(parts, self.nodes))
        self.parts.log.start()
        self.parts.log.unseal()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one use case to its end."""
        return asyncio.run(work)

    def close(self) -> None:
        """Stop the exchange."""
        self.parts.close()

    # --- members --------------------------------------------------------------------------------

    def join(
        self, *, level: Level = Level.PROVINCE, sector: str = "government", manner: Manner = "sign"
    ) -> Participant:
        """Add an active member."""
        node = Participant(new_id(Kind.PARTICIPANT), SigningKey.generate(), manner)
        profile = Profile(
            name=Text(zh="某省", en="A province"),
            admin_code="510000",
            admin_code_edition="2023",
            level=level,
            sector=sector,
        )
        record = MemberRecord(
            participant=node.id,
            profile=profile,
            status=MemberStatus.ACTIVE,
            witness=False,
            secret_hash="",
            invite_expires_at=START,
            node_key=node.key.public.text,
            sealing_key="x25519:" + base64.b64encode(node.key.public_raw).decode(),
        )
        self.nodes[node.id] = node
        self._save(record)
        return node

    def set_status(self, node: Participant, status: MemberStatus) -> None:
        """Change a member's standing as the operator would."""
        self._save(replace(self.parts.roll.member(node.id), status=status))

    def _save(self, record: MemberRecord) -> None:
        self.parts.log.commit_blocking(lambda unit: members.save_member(unit.session, record, unit.now))
        self.parts.roll.load()

    # --- catalogue ------------------------------------------------------------------------------

    def registration(self, node: Participant, contract: Contract = CONTRACT) -> str:
        """Sign the registration of a contract."""
        statement = ContractRegistration(
            provider=node.id,
            contract=contract.ref(),
            document=contract.canonical().decode(),
            at=self.clock.now(),
        )
        return sign_statement(statement, node.key).text

    def record(self, node: Participant, dataset: str = DATASET, **changes: Any) -> DatasetRecord:
        """Write a dataset record."""
        values: dict[str, Any] = {
            "dataset": dataset,
            "provider": node.id,
            "number": 1,
            "title": Text(zh="城市空气质量", en="City air quality"),
            "contract": CONTRACT.ref(),
            "theme": "air",
            "sharing": Sharing.CONDITIONAL,
            "sharing_basis": "Order 809, article 15",
            "classification": 1,
            "purposes": ["joint-control"],
            "purpose_fields": [],
            "place": "Chengdu",
            "synthetic": False,
            "update_frequency": "hourly",
            "at": self.clock.now(),
        }
        return DatasetRecord(**{**values, **changes})

    def declare(self, node: Participant, dataset: str = DATASET, **changes: Any) -> DatasetRecord:
        """Register contract and record."""
        self.run(catalog.register_contract(self.parts, node.caller, self.registration(node)))
        record = self.record(node, dataset, **changes)
        envelope = sign_statement(record, node.key).text
        self.run(catalog.register_dataset(self.parts, node.caller, envelope))
        return record

    def manifest(self, node: Participant, dataset: str = DATASET, **changes: Any) -> Manifest:
        """Write the manifest of a release."""
        content = b"parquet"
        values: dict[str, Any] = {
            "dataset": dataset,
            "provider": node.id,
            "number": 1,
            "previous": None,
            "contract": CONTRACT.ref(),
            "distribution": Distribution(
                media_type="application/vnd.apache.parquet",
                sha256=sha256_hex(content),
                chunk_root=sha256_hex(b"\x00" + content),
                size_bytes=len(content),
            ),
            "counts": Counts(read=10, published=8, quarantined=2),
            "source": SourceNote(
                file_name="air.csv", sha256=sha256_hex(b"csv"), place="Chengdu", synthetic=False
            ),
            "at": self.clock.now(),
        }
        return Manifest(**{**values, **changes})

    def publish(self, node: Participant, count: int = 1, dataset: str = DATASET) -> list[Manifest]:
        """Publish releases 1 to ``count``."""
        done: list[Manifest] = []
        for number in range(1, count + 1):
            previous = done[-1].content_digest() if done else None
            manifest = self.manifest(node, dataset, number=number, previous=previous)
            envelope = sign_statement(manifest, node.key).text
            self.run(catalog.publish_release(self.parts, node.caller, dataset, envelope))
            done.append(manifest)
        return done

    # --- agreement and transfer -----------------------------------------------------------------

    def application(self, node: Participant, dataset: str = DATASET, **changes: Any) -> Application:
        """Write an application."""
        values: dict[str, Any] = {
            "application": new_id(Kind.APPLICATION),
            "consumer": node.id,
            "dataset": dataset,
            "purpose": "joint-control",
            "basis": "joint prevention and control",
            "scenario": "heavy pollution episodes",
            "scope": "internal",
            "until": self.clock.now() + timedelta(days=30),
            "at": self.clock.now(),
        }
        return Application(**{**values, **changes})

    def apply(self, node: Participant, dataset: str = DATASET, **changes: Any) -> ApplicationView:
        """Sign and hand in an application."""
        envelope = sign_statement(self.application(node, dataset, **changes), node.key).text
        return self.run(agreements.apply(self.parts, node.caller, envelope))

    def subscribe(self, node: Participant, agreement: str | None) -> SubscriptionView:
        """Open the subscription under an agreement."""
        assert agreement is not None
        request = SubscriptionRequest(agreement=agreement)
        return self.run(subscriptions.subscribe(self.parts, node.caller, request))

    def agreed(self, consumer: Participant, dataset: str = DATASET) -> SubscriptionView:
        """Apply, agree and subscribe."""
        return self.subscribe(consumer, self.apply(consumer, dataset).agreement)

    def request(self, node: Participant, subscription: str, release: int = 1) -> LoggedGrant:
        """Ask for one release."""
        request = TransferRequest(subscription=subscription, release=release)
        return self.run(transfers.request_transfer(self.parts, node.caller, request))

    def receipt(self, node: Participant, role: ReceiptRole, logged: LoggedGrant, **changes: Any) -> str:
        """Sign a receipt for a grant."""
        grant = grant_of(logged)
        values: dict[str, Any] = {
            "role": role,
            "grant": grant.grant,
            "grant_index": logged.index,
            "participant": node.id,
            "manifest": grant.manifest,
            "obligations": obligations_digest(grant.obligations),
            "view_sha256": sha256_hex(b"view"),
            "view_chunk_root": sha256_hex(b"\x00view"),
            "view_size_bytes": 4,
            "view_rows": 8,
            "redacted": list(redacted_fields(grant.obligations)),
            "content_salt": "5a" * 32,
            "at": self.clock.now(),
        }
        return sign_statement(Receipt(**{**values, **changes}), node.key).text

    def deliver(
        self,
        sender: Participant,
        logged: LoggedGrant,
        provider: str,
        consumer: str | None = None,
    ) -> ReceiptState:
        """Hand in the provider's receipt, or both."""
        grant = grant_of(logged).grant
        delivery = ReceiptDelivery(grant=grant, provider_receipt=provider, consumer_receipt=consumer)
        return self.run(receipts.deliver_receipts(self.parts, sender.caller, grant, delivery))

    # --- the log --------------------------------------------------------------------------------

    def entries(self, kind: EntryKind | None = None) -> list[Entry]:
        """Read the log, or its entries of one kind."""
        log = self.parts.log
        found = [parse_entry(leaf) for leaf in log.entries(0, log.size())]
        return [entry for entry in found if kind is None or entry.kind is kind]


def grant_of(logged: LoggedGrant) -> Grant:
    """Read the grant that a consumer received."""
    return peek_statement(logged.grant_envelope, Grant).statement


@dataclass
class Trade:
    """A provider with two releases, and a consumer with a subscription to them."""

    alliance: Alliance
    provider: Participant
    consumer: Participant
    subscription: str

    @property
    def agreement(self) -> str:
        """Give the agreement's id."""
        view = agreements.applications(self.alliance.parts, self.consumer.caller)[0]
        assert view.agreement is not None
        return view.agreement


@pytest.fixture(scope="session")
def exchange_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Found one exchange; every test works on a copy."""
    home = tmp_path_factory.mktemp("exchange") / "home"
    init(
        home,
        origin="alliance.example/audit/2026h1",
        public_url="http://127.0.0.1:8420",
        clock=FrozenClock(START - timedelta(hours=1)),
    )
    return home


@pytest.fixture
def alliance(exchange_home: Path, tmp_path: Path) -> Iterator[Alliance]:
    """Give an alliance without members."""
    home = tmp_path / "home"
    shutil.copytree(exchange_home, home)
    opened = Alliance(home, FrozenClock(START))
    yield opened
    opened.close()


@pytest.fixture
def trade(alliance: Alliance) -> Trade:
    """Give a provider with two releases and a subscribed consumer."""
    return trade_in(alliance)


def trade_in(alliance: Alliance) -> Trade:
    """Let a provider publish two releases and a consumer subscribe to them."""
    provider, consumer = alliance.join(), alliance.join()
    alliance.declare(provider)
    alliance.publish(provider, 2)
    subscription = alliance.agreed(consumer)
    return Trade(alliance, provider, consumer, subscription.subscription)
