"""Read an audit report: link entries, statements and openings, before any key is asked. Pure.

Every entry must be explained and every statement, salt and name be needed, so that nothing rides along.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

from audit.commitment import commit
from audit.completeness.heads import check_shown
from audit.formats.dsse import Envelope
from audit.formats.merkle import leaf_hash
from audit.log.chains import STATE_AFTER
from audit.log.entry import EntryKind, chain_digest, parse_entry
from audit.proofs.report import KINDS, AuditReport, ReportInvalid, StatementKind
from audit.proofs.report_facts import AgreementFact, Chain, Denial, Facts, Placed, Terms, Told, Transfer
from audit.proofs.transfer_proof import ProvenEntry
from contracts.canonical import sha256_hex
from contracts.messages import (
    Abort,
    Agreement,
    DatasetRecord,
    Grant,
    Manifest,
    Receipt,
    ShownHead,
    Statement,
    Text,
)

S = TypeVar("S", bound=Statement)

CHAINED = (EntryKind.GRANT, *STATE_AFTER)
_KNOWN = {
    *CHAINED,
    EntryKind.DENY,
    EntryKind.HEADS,
    EntryKind.AGREEMENT,
    EntryKind.AGREEMENT_END,
    EntryKind.RELEASE_PUBLISH,
    EntryKind.DATASET_PUBLISH,
}


def read_facts(report: AuditReport) -> Facts:
    """Read a report; raise ReportInvalid where it contradicts itself or holds what nothing needs."""
    return _Reader(report).facts()


class _Reader:
    """One pass over a report; what was used is ticked off."""

    def __init__(self, report: AuditReport) -> None:
        self._report = report
        self._since, self._until = report.bounds()
        _check_order(report)
        self._placed = [_placed(proven) for proven in report.proven()]
        self._by_kind: dict[EntryKind, list[Placed]] = defaultdict(list)
        for one in self._placed:
            self._by_kind[one.entry.kind].append(one)
        if unknown := self._by_kind.keys() - _KNOWN:
            raise ReportInvalid(f"a {min(unknown)} entry has no place in a report")
        self._envelopes: dict[str, tuple[StatementKind, Envelope]] = {}
        for shown in report.statements:
            envelope = shown.envelope(KINDS[shown.kind])
            self._envelopes[sha256_hex(envelope.payload)] = (shown.kind, envelope)
        self._used: set[str] = set()
        # Nobody has signed this yet as far as is known, so nothing here may take long for a long list.
        self._ends: dict[str, list[Placed]] = defaultdict(list)
        for one in self._by_kind[EntryKind.AGREEMENT_END]:
            self._ends[one.said("agr")].append(one)
        self._cuts = {cut.shown.head.subscription: cut for cut in report.cuts}
        self._waiting = Counter(cut.entry for cut in report.cuts)
        self._headings = {
            place for place, one in enumerate(self._placed) if one.entry.kind is EntryKind.HEADS
        }

    def facts(self) -> Facts:
        agreements = tuple(self._agreement(one) for one in self._by_kind[EntryKind.AGREEMENT])
        transfers = self._transfers()
        records = self._told(EntryKind.DATASET_PUBLISH, "dig", "record", DatasetRecord)
        releases = self._told(EntryKind.RELEASE_PUBLISH, "man", "manifest", Manifest)
        logged = {one.said("dig") for one in (*records, *(fact.told for fact in agreements))}
        logged |= {one.said("man") for one in releases}
        for one in transfers:
            if not {one.grant.manifest, one.grant.record, one.grant.agreement_digest} <= logged:
                raise ReportInvalid(f"the report lacks an entry about the terms of {one.grant.grant}")
        facts = Facts(
            report=self._report,
            since=self._since,
            until=self._until,
            placed=tuple(self._placed),
            transfers=tuple(transfers),
            denials=tuple(self._denials()),
            agreements=agreements,
            records=tuple(records),
            releases=tuple(releases),
            chains=tuple(self._chains({one.grant.grant for one in transfers})),
            names=self._names(),
        )
        if self._used != self._envelopes.keys() or self._ends:
            raise ReportInvalid("a statement or an entry in the report belongs to nothing")
        return facts

    def _statement(self, digest: str, kind: StatementKind, model: type[S]) -> tuple[S, Envelope]:
        found = self._envelopes.get(digest)
        if found is None or found[0] != kind:
            raise ReportInvalid(f"the report lacks the {kind} {digest[:23]}…")
        self._used.add(digest)
        statement = model.parse(found[1].payload)
        if statement.canonical() != found[1].payload:
            raise ReportInvalid(f"a {kind} is not in its one spelling")
        return statement, found[1]

    def _told(self, kind: EntryKind, field: str, name: StatementKind, model: type[S]) -> list[Told]:
        told = []
        for one in self._by_kind[kind]:
            statement, envelope = self._statement(one.said(field), name, model)
            if statement.model_dump()["dataset"] != self._report.dataset:
                raise ReportInvalid(f"a {name} is about another dataset")
            told.append(Told(one.entry, one.proven, one.digest, statement, envelope))
        return told

    def _agreement(self, one: Placed) -> AgreementFact:
        agreement, envelope = self._statement(one.said("dig"), "agreement", Agreement)
        sides = (agreement.agreement, agreement.provider, agreement.consumer, agreement.dataset)
        if sides != (one.said("agr"), one.said("prov"), one.said("cons"), self._report.dataset):
            raise ReportInvalid("an agreement is not what its entry says")
        ends = self._ends.pop(one.said("agr"), [])
        return AgreementFact(
            Told(one.entry, one.proven, one.digest, agreement, envelope),
            agreement,
            ends[0] if ends else None,
        )

    def _transfers(self) -> list[Transfer]:
        grants = {}
        for digest, (name, _) in self._envelopes.items():
            if name == "grant":
                grant, envelope = self._statement(digest, "grant", Grant)
                grants[grant.grant] = (grant, envelope)
        closings = defaultdict(list)
        for kind in STATE_AFTER:
            for one in self._by_kind[kind]:
                closings[one.said("gid")].append(one)
        transfers = [
            self._transfer(*grants.pop(one.said("gid")), one, closings[one.said("gid")])
            for one in self._by_kind[EntryKind.GRANT]
            if one.said("gid") in grants
        ]
        if grants:
            raise ReportInvalid("a grant in the report has no entry")
        return sorted(transfers, key=lambda one: (one.granted.at, one.grant.subscription, one.grant.seq))

    def _transfer(
        self, grant: Grant, envelope: Envelope, granted: Placed, closings: list[Placed]
    ) -> Transfer:
        said = (grant.dataset, grant.subscription, grant.provider, grant.consumer)
        wanted = (self._report.dataset, *(granted.said(field) for field in ("sub", "prov", "cons")))
        if said != wanted:
            raise ReportInvalid("a grant is not what its entry says, or about another dataset")
        if not any(self._on_day(one) for one in (granted, *closings)):
            raise ReportInvalid(f"{grant.grant} has nothing to do with the day")
        manifest, one = self._statement(grant.manifest, "manifest", Manifest)
        record, two = self._statement(grant.record, "record", DatasetRecord)
        agreement, three = self._statement(grant.agreement_digest, "agreement", Agreement)
        receipts, abort = [], None
        for closing in sorted(closings, key=lambda closing: closing.at):
            named = [closing.said(field) for field in ("pr", "cr")]
            found = [digest for digest in named if digest]
            if closing.entry.kind is EntryKind.DONE:
                receipts = [self._statement(digest, "receipt", Receipt) for digest in found]
            elif not receipts:
                receipts = [
                    self._statement(digest, "receipt", Receipt)
                    for digest in found
                    if digest in self._envelopes
                ]
            if closing.entry.kind is EntryKind.ABORT:
                abort = self._statement(closing.said("dig"), "abort", Abort)
        return Transfer(
            grant=grant,
            envelope=envelope,
            granted=granted,
            closings=tuple(sorted(closings, key=lambda closing: closing.at)),
            terms=Terms(manifest, record, agreement, (one, two, three)),
            receipts=tuple(receipts),
            abort=abort,
        )

    def _denials(self) -> list[Denial]:
        openings = {one.commitment: one for one in self._report.openings}
        found = []
        for one in self._by_kind[EntryKind.DENY]:
            opening = openings.pop(one.said("ev"), None)
            if opening is None or not opening.opens() or not self._on_day(one):
                raise ReportInvalid(f"the denial {one.index} is not opened, or not of the day")
            if commit(bytes.fromhex(opening.salt), self._report.dataset.encode()) != one.said("dsc"):
                raise ReportInvalid(f"the denial {one.index} is about another dataset")
            found.append(Denial(one, opening))
        if openings:
            raise ReportInvalid("the report opens a commitment that it does not show")
        return found

    def _chains(self, listed: set[str]) -> list[Chain]:
        entries: dict[str, list[Placed]] = defaultdict(list)
        for one in self._placed:
            if one.entry.kind in CHAINED:
                if self._on_day(one) and one.said("gid") not in listed:
                    raise ReportInvalid(f"entry {one.index} of the day is not explained")
                entries[one.said("sub")].append(one)
        chains = []
        for name in sorted(entries):
            main = _main_segment(entries[name], listed, self._on_day)
            first, last = main[0], main[-1]
            if first.entry.fields["prev"] is not None and first.at >= self._since:
                raise ReportInvalid(f"what {name} did before the day is not shown")
            closed = last.at >= self._until or self._is_closed_by_heads(name, last)
            chains.append(Chain(name, tuple(main), closed, sum(map(self._on_day, main))))
        if self._cuts or self._headings:
            raise ReportInvalid("the report shows heads that close no chain")
        return chains

    def _is_closed_by_heads(self, subscription: str, last: Placed) -> bool:
        """Say whether heads of after the day name ``last`` as the newest entry of its subscription."""
        cut = self._cuts.pop(subscription, None)
        if cut is None:
            return False
        heading = self._placed[cut.entry] if cut.entry < len(self._placed) else None
        if heading is None or heading.entry.kind is not EntryKind.HEADS or heading.at < self._until:
            raise ReportInvalid("the heads in the report are not of after the day")
        _check_head(cut.shown, heading, last)
        self._waiting[cut.entry] -= 1
        if not self._waiting[cut.entry]:
            self._headings.discard(cut.entry)
        return True

    def _names(self) -> dict[str, Text]:
        mentioned = {
            value
            for one in self._placed
            for field in ("part", "prov", "cons", "by")
            if (value := one.said(field)).startswith("p-")
        }
        names = {one.participant: one.name for one in self._report.names}
        if names.keys() != mentioned or len(names) != len(self._report.names):
            raise ReportInvalid("the report does not name exactly the participants that it is about")
        return names

    def _on_day(self, one: Placed) -> bool:
        return self._since <= one.at < self._until


def _placed(proven: ProvenEntry) -> Placed:
    return Placed(parse_entry(proven.leaf), proven, chain_digest(leaf_hash(proven.leaf)))


def _check_head(shown: ShownHead, heading: Placed, last: Placed) -> None:
    size, root = heading.entry.fields["n"], heading.entry.fields["root"]
    if not isinstance(size, int) or not isinstance(root, str):
        raise ReportInvalid("a heads entry has no size or root")
    if check_shown(shown, size, root).last_leaf != last.digest:
        raise ReportInvalid("the heads name another entry than the last one that is shown")


def _check_order(report: AuditReport) -> None:
    places = [(entry.checkpoint, entry.index) for entry in report.entries]
    lists: list[list[str]] = [
        [sha256_hex(shown.envelope(KINDS[shown.kind]).payload) for shown in report.statements],
        [one.participant for one in report.names],
        [one.commitment for one in report.openings],
        [one.shown.head.subscription for one in report.cuts],
    ]
    ordered = all(left < right for left, right in pairwise(places))
    if not ordered or any(left >= right for one in lists for left, right in pairwise(one)):
        raise ReportInvalid("a list in the report is not in order, or repeats itself")
    if sorted({checkpoint for checkpoint, _ in places}) != list(range(len(report.checkpoints))):
        raise ReportInvalid("a checkpoint in the report is not used")


def _main_segment(entries: list[Placed], listed: set[str], on_day: Callable[[Placed], bool]) -> list[Placed]:
    """Follow ``prev`` through a subscription's entries and give the run that covers the day.

    Outside that run there is nothing but entries of transfers that are listed.
    """
    segments = _segments(entries)
    of_day = [run for run in segments if any(map(on_day, run))]
    others = [run for run in segments if any(one.said("gid") not in listed for one in run)]
    main = of_day or others or segments[:1]
    rest = [run for run in others if run is not main[0]]
    if len(main) > 1 or rest:
        raise ReportInvalid("a subscription's entries have a gap")
    return main[0]


def _segments(entries: list[Placed]) -> list[list[Placed]]:
    following = {one.said("prev"): one for one in entries if one.said("prev")}
    known = {one.digest for one in entries}
    starts = [one for one in entries if one.said("prev") not in known]
    if len(following) + sum(not one.said("prev") for one in entries) != len(entries):
        raise ReportInvalid("two entries of a subscription follow the same one")
    segments = []
    for start in starts:
        run = [start]
        while (after := following.get(run[-1].digest)) is not None:
            run.append(after)
        segments.append(run)
    return segments
