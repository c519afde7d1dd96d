"""What an audit report says: transfers, denials, agreements, and the unbroken chains behind them.

These facts are read out of a report by ``audit.proofs.report_reader``. The page that people see and the
verdict are both made from them, so that the two cannot say different things.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from audit.formats.dsse import Envelope
from audit.log.chains import STATE_AFTER, GrantState
from audit.log.entry import Entry, EntryKind
from audit.proofs.report import AuditReport, Opening
from audit.proofs.transfer_proof import ProvenEntry
from contracts.messages import Abort, Agreement, DatasetRecord, Grant, Manifest, Receipt, Statement, Text


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry of the report; ``digest`` is its leaf hash as ``prev`` writes it."""

    entry: Entry
    proven: ProvenEntry
    digest: str

    @property
    def at(self) -> datetime:
        """The moment that the exchange gave it."""
        return self.entry.at

    @property
    def index(self) -> int:
        """Its place in its shard."""
        return self.proven.proof.index

    def said(self, field: str) -> str:
        """Give a field as text; an absent or empty one as nothing."""
        value = self.entry.fields.get(field)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Told(Placed):
    """An entry together with the statement that it names."""

    statement: Statement
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Terms:
    """A release, a dataset record and an agreement as they were signed."""

    manifest: Manifest
    record: DatasetRecord
    agreement: Agreement
    envelopes: tuple[Envelope, Envelope, Envelope]


@dataclass(frozen=True, slots=True)
class Transfer:
    """One grant and what came of it; ``receipts`` are the provider's and, if any, the consumer's."""

    grant: Grant
    envelope: Envelope
    granted: Placed
    closings: tuple[Placed, ...]
    terms: Terms
    receipts: tuple[tuple[Receipt, Envelope], ...]
    abort: tuple[Abort, Envelope] | None

    @property
    def closing(self) -> Placed | None:
        """The entry that settled it: ``done`` where there is one."""
        done = [one for one in self.closings if one.entry.kind is EntryKind.DONE]
        settled = done or list(self.closings)
        return settled[-1] if settled else None

    @property
    def state(self) -> GrantState:
        """How it stands."""
        return "open" if self.closing is None else STATE_AFTER[self.closing.entry.kind]


@dataclass(frozen=True, slots=True)
class Denial:
    """A refusal that concerns the dataset, and what was kept about it."""

    denied: Placed
    opening: Opening


@dataclass(frozen=True, slots=True)
class AgreementFact:
    """Terms that both sides signed, and the entry that ended them early, if any."""

    told: Told
    agreement: Agreement
    ended: Placed | None


@dataclass(frozen=True, slots=True)
class Chain:
    """One subscription's entries around the day, without a gap among them or before them.

    ``closed``: nothing of the day can follow the last one, because a later entry or later heads say so;
    ``of_day`` counts the entries of the day itself.
    """

    subscription: str
    entries: tuple[Placed, ...]
    closed: bool
    of_day: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report says; moments are UTC, the day is [since, until)."""

    report: AuditReport
    since: datetime
    until: datetime
    placed: tuple[Placed, ...]
    transfers: tuple[Transfer, ...]
    denials: tuple[Denial, ...]
    agreements: tuple[AgreementFact, ...]
    records: tuple[Told, ...]
    releases: tuple[Told, ...]
    chains: tuple[Chain, ...]
    names: Mapping[str, Text]

    @property
    def received(self) -> list[Transfer]:
        """The transfers that were closed by both receipts on the day."""
        return [
            one
            for one in self.transfers
            if one.closing is not None and one.state == "done" and self.on_day(one.closing)
        ]

    @property
    def others(self) -> list[Transfer]:
        """The transfers that began or ended on the day without being received on it."""
        received = {one.grant.grant for one in self.received}
        return [one for one in self.transfers if one.grant.grant not in received]

    @property
    def title(self) -> Text | None:
        """How the newest record that is shown calls the dataset."""
        records = [told.statement for told in self.records if isinstance(told.statement, DatasetRecord)]
        return max(records, key=lambda one: one.number).title if records else None

    def on_day(self, placed: Placed) -> bool:
        """Say whether an entry is of the day."""
        return self.since <= placed.at < self.until
