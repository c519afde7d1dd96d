"""The audit report as a document: who received one dataset on one day, with everything that proves it.

It holds log entries with their places under cosigned checkpoints, the signed statements that they name, the
salts that open their commitments, and nothing else; what it says follows from those
(``audit.proofs.report_facts``). The exchange signs the whole, so it answers for what a report leaves out.
``audit.proofs.report_verdict`` judges it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, ClassVar, Literal, Self, cast

from pydantic import Field, JsonValue

from audit.commitment import commit
from audit.formats.dsse import Envelope, sign
from audit.keys.signing import Signer
from audit.proofs.transfer_proof import EntryShape, ProvenEntry, StatementShape, entry_shape, statement_shape
from contracts.canonical import Json, canonical_bytes, sha256_hex
from contracts.clock import BEIJING
from contracts.errors import Invalid
from contracts.messages import (
    Abort,
    Agreement,
    DatasetId,
    DatasetRecord,
    Digest,
    Grant,
    Manifest,
    ParticipantId,
    Receipt,
    ShownHead,
    Statement,
    Text,
    Wire,
)

MAX_REPORT_BYTES = 256 * 1024 * 1024

StatementKind = Literal["abort", "agreement", "grant", "manifest", "receipt", "record"]
KINDS: Mapping[StatementKind, type[Statement]] = {
    "abort": Abort,
    "agreement": Agreement,
    "grant": Grant,
    "manifest": Manifest,
    "receipt": Receipt,
    "record": DatasetRecord,
}


class ReportInvalid(Invalid):
    """The file is no audit report, or contradicts itself."""

    code = "report-invalid"
    title_zh = "审计报告无效"
    next_zh = "不要采信该报告;请出具方重新生成。"
    next_en = "Do not rely on this report; have it made again."


class Named(Wire):
    """How the exchange calls a participant; a verifier compares it with the trust root."""

    participant: ParticipantId
    name: Text


class Opening(Wire):
    """The salt and the value behind a commitment."""

    commitment: Digest
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    value: dict[str, JsonValue]

    def opens(self) -> bool:
        """Say whether salt and value give the commitment."""
        value = cast(Json, self.value)  # what is no Json is refused as not canonical
        return commit(bytes.fromhex(self.salt), canonical_bytes(value)) == self.commitment


class Shown(StatementShape):
    """A signed statement, and what kind of statement it is."""

    kind: StatementKind


class CutShape(Wire):
    """What one ``heads`` entry says of a subscription; ``entry`` is its place among the report's entries."""

    entry: Annotated[int, Field(ge=0)]
    shown: ShownHead


class AuditReport(Statement):
    """Everything that the report rests on; signed by the exchange. Lists are in order, without repeats."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.audit-report.v1+json"

    checkpoints: list[str]
    cuts: list[CutShape]
    dataset: DatasetId
    day: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    entries: Annotated[list[EntryShape], Field(min_length=1)]
    names: list[Named]
    openings: list[Opening]
    statements: list[Shown]

    def bounds(self) -> tuple[datetime, datetime]:
        """Give the first moment of the day (UTC+8) and that of the next; raise ReportInvalid."""
        try:
            start = datetime.combine(date.fromisoformat(self.day), time(), BEIJING)
        except ValueError as error:
            raise ReportInvalid("there is no such day") from error
        return start, start + timedelta(days=1)

    def proven(self) -> list[ProvenEntry]:
        """Give the entries with their places; nothing is verified."""
        return [entry.proven(self.checkpoints) for entry in self.entries]


@dataclass(frozen=True, slots=True)
class Content:
    """What a report is made of, before it is written."""

    dataset: str
    day: date
    entries: Sequence[ProvenEntry]
    statements: Sequence[tuple[StatementKind, Envelope]]
    openings: Sequence[Opening]
    cuts: Sequence[tuple[ProvenEntry, ShownHead]]
    names: Mapping[str, Text]

    def report(self) -> AuditReport:
        """Write the statement; entries stand by checkpoint and index, everything else by its name."""
        once = {(one.proof.checkpoint_note, one.proof.index): one for one in self.entries}
        entries = [once[place] for place in sorted(once, key=lambda place: (_size(place[0]), place[1]))]
        places = {(one.proof.checkpoint_note, one.proof.index): at for at, one in enumerate(entries)}
        notes: list[str] = []
        shapes = [entry_shape(entry, notes) for entry in entries]
        shown = {sha256_hex(envelope.payload): (kind, envelope) for kind, envelope in self.statements}
        cuts: list[Json] = [
            {
                "entry": places[cut.proof.checkpoint_note, cut.proof.index],
                "shown": head.model_dump(mode="json"),
            }
            for cut, head in sorted(self.cuts, key=lambda pair: pair[1].head.subscription)
        ]
        value: dict[str, Json] = {
            "checkpoints": notes,
            "cuts": cuts,
            "dataset": self.dataset,
            "day": self.day.isoformat(),
            "entries": shapes,
            "names": [
                {"name": self.names[name].model_dump(), "participant": name} for name in sorted(self.names)
            ],
            "openings": [
                one.model_dump(mode="json") for one in sorted(self.openings, key=lambda one: one.commitment)
            ],
            "statements": [
                {**statement_shape(shown[digest][1]), "kind": shown[digest][0]} for digest in sorted(shown)
            ],
        }
        return AuditReport.parse(canonical_bytes(value))


@dataclass(frozen=True, slots=True)
class SignedReport:
    """A report and the one signature under it; not verified yet."""

    report: AuditReport
    envelope: Envelope

    @classmethod
    def sign(cls, report: AuditReport, key: Signer) -> Self:
        """Sign a report in the name of the exchange."""
        return cls(report, sign(AuditReport.payload_type, report.canonical(), [key]))

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Read a report's JSON; raise ReportInvalid, BadMessage or NotCanonical for any other spelling."""
        if len(raw) > MAX_REPORT_BYTES:
            raise ReportInvalid(f"a report has at most {MAX_REPORT_BYTES} bytes")
        shape = StatementShape.parse(raw)
        if len(shape.signatures) != 1:
            raise ReportInvalid("a report has one signature, that of the exchange")
        envelope = shape.envelope(AuditReport)
        found = cls(AuditReport.parse(envelope.payload), envelope)
        if found.encode() != raw or found.report.canonical() != envelope.payload:
            raise ReportInvalid("the file is not the one spelling of its report")
        return found

    def encode(self) -> bytes:
        """Write the report's JSON."""
        return canonical_bytes(statement_shape(self.envelope))


def _size(note: bytes) -> tuple[str, int]:
    """Order checkpoints by origin and size, as they say themselves."""
    lines = note.decode().split("\n", 2)
    return lines[0], int(lines[1])
