"""Gather an audit report from the exchange's database: one dataset, one day, and the proof of everything.

Nothing is decided here that a reader could not check: ``audit.proofs.report_reader`` reads the result once
more before it is signed, and refuses what it cannot explain.
"""

from datetime import date, datetime
from pathlib import Path

from sqlmodel import Session

from audit.completeness.heads import show_heads
from audit.formats.dsse import Envelope, parse_envelope
from audit.formats.merkle import leaf_hash
from audit.keys.signing import Signer
from audit.log.entry import Entry, EntryKind, chain_digest, parse_entry
from audit.proofs.report import AuditReport, Content, Opening, SignedReport, StatementKind
from audit.proofs.report_reader import read_facts
from audit.proofs.transfer_proof import ProvenEntry
from contracts.canonical import Json, parse_canonical
from contracts.errors import Corrupt, Usage
from contracts.messages import Abort, Grant, Receipt, ShownHead, SubscriptionHeads, Text
from exchange.agreements.store import find_agreement
from exchange.catalog.model import DatasetUnknown
from exchange.catalog.store import find_release
from exchange.completeness.store import cut_at_or_after
from exchange.evidence import EvidenceErased, kept, reveal
from exchange.log.home import open_home
from exchange.members import store as members
from exchange.reports import store
from exchange.reports.days import bounds
from exchange.reports.proving import Prover
from exchange.reports.search import parties
from exchange.statement_keys import StatementKeys
from exchange.transfers.store import find_transfer
from exchange.transfers.tables import TransferRow
from nodes.signed import peek_statement


class EvidenceIncomplete(Corrupt):
    """The database lacks evidence that its own log names."""

    code = "evidence-incomplete"
    title_zh = "数据库缺少日志所指的证据"
    next_zh = "保留现场,运行 headwaters audit fsck,并与备份核对。"
    next_en = "Keep it as it is, run headwaters audit fsck, and compare it with a backup."


def make_report(folder: Path, dataset: str, day: date, *, now: datetime) -> SignedReport:
    """Gather and sign the report of an exchange's home; its process may run or not.

    Raises NoLogHere, DatasetUnknown, NotYetWitnessed, EvidenceErased, EvidenceIncomplete, and Usage for a
    day that has not begun.
    """
    if now < bounds(day)[0]:
        raise Usage(f"{day} has not begun in Beijing")
    with open_home(folder) as (settings, database), database.read() as session:
        signer: Signer = _statement_keys(session, settings.statement_key_path)
        report = gather(session, dataset, day)
    read_facts(report)
    return SignedReport.sign(report, signer)


def gather(session: Session, dataset: str, day: date) -> AuditReport:
    """Gather the report of one dataset and day."""
    return _Gathering(session, dataset, day).report()


def _statement_keys(session: Session, path: Path) -> Signer:
    keys = StatementKeys(path)
    logged = members.logged_statement_key(session)
    if logged is not None and keys.current.public.text != logged:
        raise EvidenceIncomplete("the exchange's present key is not in the home yet; start the exchange once")
    return keys.current


class _Gathering:
    """Collects entries and statements; asking for the same twice gives it once."""

    def __init__(self, session: Session, dataset: str, day: date) -> None:
        self._session = session
        self._connection = session.connection()
        self._dataset = dataset
        self._day = day
        self._since, self._until = bounds(day)
        self._places = store.places_of_day(self._connection, self._since, self._until)
        self._prover = Prover(self._connection)
        self._entries: dict[int, ProvenEntry] = {}
        self._statements: dict[str, tuple[StatementKind, Envelope]] = {}
        self._openings: list[Opening] = []
        self._cuts: list[tuple[ProvenEntry, ShownHead]] = []

    def report(self) -> AuditReport:
        self._add_record()
        for row in store.subscriptions_to(self._session, self._dataset):
            self._add_subscription(row.subscription)
        for agreement in store.agreements_on(self._session, self._dataset, self._since, self._places.stop):
            self._add_agreement(agreement.agreement)
        for place in store.denials_of(self._session, self._dataset, self._since, self._until):
            self._add_denial(place)
        return Content(
            dataset=self._dataset,
            day=self._day,
            entries=list(self._entries.values()),
            statements=list(self._statements.values()),
            openings=self._openings,
            cuts=self._cuts,
            names=self._names(),
        ).report()

    # --- subscriptions ----------------------------------------------------------------------------

    def _add_subscription(self, subscription: str) -> None:
        """Add a subscription's chain around the day, and every transfer that the day touches."""
        rows = {row.grant_id: row for row in store.transfers_in(self._session, subscription, self._places)}
        own = {place for row in rows.values() for place in (row.entry, row.closed_entry or -1)}
        of_day = sorted(place for place in own if place in self._places)
        before, after = store.neighbours(self._session, subscription, self._places)
        known = [place for place in (before, *of_day, after) if place is not None]
        run = [place for place in self._linked(subscription, known) if self._prover.covers(place)]
        for place in run:
            entry = parse_entry(self._add(place).leaf)
            if place in self._places and str(entry.fields["gid"]) not in rows:
                rows[str(entry.fields["gid"])] = self._transfer(str(entry.fields["gid"]))
            if place in self._places and entry.kind is EntryKind.ABORT:
                self._add_abort(rows[str(entry.fields["gid"])], entry)
        for row in rows.values():
            self._add_transfer(row)
        if run and run[-1] < self._places.stop:
            self._close_by_heads(subscription, run[-1])

    def _linked(self, subscription: str, known: list[int]) -> list[int]:
        """Put in what stands in no row: the expiry or abort of a transfer that was closed late after all."""
        linked = known[:1]
        for place in known[1:]:
            if self._prev(place) != self._digest(linked[-1]):
                linked += store.given_up(self._connection, subscription, range(linked[-1] + 1, place))
            linked.append(place)
        return linked

    def _prev(self, place: int) -> Json:
        return parse_entry(store.leaf_at(self._connection, place)).fields["prev"]

    def _digest(self, place: int) -> str:
        return chain_digest(leaf_hash(store.leaf_at(self._connection, place)))

    def _close_by_heads(self, subscription: str, last: int) -> None:
        """Show what the first heads after the day say of the subscription, where they name its last entry."""
        row = cut_at_or_after(self._session, int(self._until.timestamp() * 1000))
        if row is None or not self._prover.covers(row.entry):
            return
        heads = SubscriptionHeads.parse(row.document).heads
        for shown in show_heads(heads, subscription):
            if (shown.head.subscription, shown.head.last_leaf) == (subscription, self._digest(last)):
                self._cuts.append((self._add(row.entry), shown))

    def _transfer(self, grant: str) -> TransferRow:
        row = find_transfer(self._session, grant)
        if row is None:
            raise EvidenceIncomplete(f"{grant} is in the log and not in the database")
        return row

    def _add_transfer(self, row: TransferRow) -> None:
        grant = self._sign("grant", kept(row.envelope))
        said = peek_statement(row.envelope, Grant).statement
        self._add(row.entry)
        if row.closed_entry is not None and self._prover.covers(row.closed_entry):
            self._add(row.closed_entry)
            self._add_receipts(row)
        release = find_release(self._session, said.dataset, said.release)
        record = store.record_with(self._session, said.dataset, said.record)
        if release is None or record is None or grant.payload != said.canonical():
            raise EvidenceIncomplete(f"the terms of {row.grant_id} are not on record")
        self._add(release.entry)
        self._sign("manifest", release.envelope)
        self._add(record.entry)
        self._sign("record", record.envelope)
        self._add_agreement(row.agreement)

    def _add_receipts(self, row: TransferRow) -> None:
        """Add the statements that the closing entry names; a receipt may have come after an expiry."""
        closing = parse_entry(row.closed_leaf or b"")
        named = {closing.fields.get("pr"), closing.fields.get("cr")}
        for envelope in (row.provider_receipt, row.consumer_receipt):
            if envelope and peek_statement(envelope, Receipt).digest in named:
                self._sign("receipt", envelope)
        self._add_abort(row, closing)

    def _add_abort(self, row: TransferRow, closing: Entry) -> None:
        if row.abort and peek_statement(row.abort, Abort).digest == closing.fields.get("dig"):
            self._sign("abort", row.abort)

    # --- everything else --------------------------------------------------------------------------

    def _add_record(self) -> None:
        """Add the record that stood at the end of the day: it says what the dataset is called."""
        row = store.record_before(self._session, self._dataset, self._places.stop)
        if row is None:
            raise DatasetUnknown(f"{self._dataset} is not in the catalogue")
        self._add(row.entry)
        self._sign("record", row.envelope)

    def _add_agreement(self, name: str) -> None:
        row = find_agreement(self._session, name)
        if row is None:
            raise EvidenceIncomplete(f"{name} is not on record")
        self._add(row.entry)
        self._sign("agreement", kept(row.envelope))
        end = None if row.ended_at is None else store.end_of_agreement(self._connection, row)
        if end is not None and self._prover.covers(end):
            self._add(end)

    def _add_denial(self, place: int) -> None:
        denied = parse_entry(self._add(place).leaf)
        commitment = str(denied.fields["ev"])
        opened = reveal(self._session, commitment)
        if opened is None:
            raise EvidenceErased
        salt, value = opened
        said = parse_canonical(value)
        self._openings.append(
            Opening.model_validate({"commitment": commitment, "salt": salt.hex(), "value": said})
        )

    def _add(self, place: int) -> ProvenEntry:
        proven = self._entries[place] = self._prover.prove(place)
        return proven

    def _sign(self, kind: StatementKind, text: str) -> Envelope:
        envelope = parse_envelope(text.encode())
        self._statements[text] = (kind, envelope)
        return envelope

    def _names(self) -> dict[str, Text]:
        known = {member.participant: member.profile.name for member in members.list_members(self._session)}
        mentioned = {name for entry in self._entries.values() for name in parties(parse_entry(entry.leaf))}
        return {name: known[name] for name in mentioned}
