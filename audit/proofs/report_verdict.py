"""Judge an audit report offline: by a trust root, without the exchange and without the network.

The steps are numbered, here and in every refusal:

1  the report has its shape, and nothing in it is superfluous
2  the exchange signed it
3  a quorum of witnesses cosigned the log, and every entry is in it
4  every transfer, agreement, record and refusal is what its entry says, signed by whoever must have
5  participants bear the names that the trust root gives them

``verify_report`` returns a verdict or raises: ReportNotProven with the step that fails, QuorumMissing or
UnknownParticipant where the trust root does not suffice to judge.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from audit.formats.merkle import ProofInvalid
from audit.keys.signers import Judge, Logged, Party
from audit.keys.signing import SignatureInvalid
from audit.keys.trust_file import TrustFile
from audit.log.entry import EntryKind
from audit.log.grant_entry import grant_fields
from audit.proofs.doubts import BEYOND_THE_LOG, DATA_NOT_SHOWN, LATER_USE, TRUTH_OF_DATA, root_doubts
from audit.proofs.report import AuditReport, ReportInvalid, SignedReport
from audit.proofs.report_facts import AgreementFact, Facts, Placed, Told, Transfer
from audit.proofs.report_reader import read_facts
from audit.proofs.steps import step
from audit.proofs.transfer_proof import Envelopes, Term, TransferProof
from audit.proofs.transfer_proof import ProvenEntry as Proven
from audit.proofs.verify import Verdict, judge_transfer
from contracts.messages import Abort, Agreement, Grant, Receipt, ReceiptRole, Statement, Text

S = TypeVar("S", bound=Statement)

LEFT_OUT = Text(
    zh="该数据集没有其他订阅或拒绝:日志不显示数据集名称,是否齐全由交换中心以其签名负责。",
    en="That nothing else concerns this dataset: leaves hide its name; the exchange signs for completeness.",
)
ROLLED_UP = Text(
    zh="超出每分钟三十次而合并计数的拒绝属于哪个数据集。",
    en="Which dataset a refusal concerned that was one of more than thirty a minute, and only counted.",
)
OPEN_END = Text(
    zh="所示末条之后当日再无传输:尚无更晚的条目或订阅末态可证。",
    en="That no transfer follows the last one shown: no later entry or subscription head proves it yet.",
)
OLD_SIGNATURE = Text(
    zh="报告签于密钥更换之前:交换中心此后已更换签名密钥。",
    en="That the report is older than the change of the exchange's key, which has been replaced since.",
)


class ReportNotProven(ProofInvalid):
    """The audit report is not proven."""

    code = "report-not-proven"
    title_zh = "审计报告不成立"
    next_zh = "不要采信该报告;保留文件,请出具方说明,并查各传输的 .hwproof。"
    next_en = "Do not rely on it; keep the file, ask who made it, and look at the transfers' own .hwproof."


_step = partial(step, ReportNotProven)


@dataclass(frozen=True, slots=True)
class Seen:
    """One cosigned checkpoint under a report; ``cosigned_at`` is the median of the witnesses' times."""

    origin: str
    size: int
    witnesses: tuple[str, ...]
    cosigned_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReportVerdict:
    """What a report proves, and what it does not."""

    facts: Facts
    logs: tuple[Seen, ...]
    root_number: int
    root_signers: tuple[str, ...]
    unsigned_keys: tuple[str, ...]
    not_proven: tuple[Text, ...]


def verify_report(signed: SignedReport, trust: TrustFile, *, now: datetime) -> ReportVerdict:
    """Judge a report that was read; ``now`` bounds cosignature times.

    Raises ReportNotProven, QuorumMissing or UnknownParticipant.
    """
    judge = Judge(trust.root, now)
    with _step(1, "shape"):
        facts = read_facts(signed.report)
    with _step(2, "signature"):
        replaced = _check_signature(signed, judge)
    with _step(3, "log"):
        logs = tuple(_seen(note.encode(), judge) for note in signed.report.checkpoints)
        for placed in facts.placed:
            judge.included(placed.proven)
    with _step(4, "evidence"):
        for told in (*facts.records, *facts.releases):
            _check_told(told, judge)
        for agreement in facts.agreements:
            _check_agreement(agreement, judge)
        verdicts = [_check_transfer(one, facts, trust, judge) for one in facts.transfers]
    with _step(5, "names"):
        for participant, name in facts.names.items():
            if judge.root.participant(participant).name != name:
                raise ReportInvalid(f"{participant} bears another name in the trust root")
    unsigned = trust.unsigned(sorted(judge.relied_on))
    return ReportVerdict(
        facts=facts,
        logs=logs,
        root_number=judge.root.number,
        root_signers=trust.signers,
        unsigned_keys=unsigned,
        not_proven=_not_proven(facts, verdicts, trust, judge, replaced=replaced),
    )


def _check_signature(signed: SignedReport, judge: Judge) -> bool:
    """Verify the exchange's signature, and say whether the key was replaced since."""
    keys = {key.public.key_id: key for key in judge.root.statement_keys if key.why != "revoked"}
    ((name, _),) = signed.envelope.signatures
    if name not in keys:
        raise SignatureInvalid("the exchange has not signed with a key that counts")
    signed.envelope.payload_as(AuditReport.payload_type)
    signed.envelope.verified_by({name: keys[name].public}, {name})
    judge.relied_on.add(keys[name].key)
    return keys[name].until is not None


def _seen(note: bytes, judge: Judge) -> Seen:
    witnessed = judge.checkpoint(note)
    return Seen(
        origin=witnessed.checkpoint.origin,
        size=witnessed.checkpoint.size,
        witnesses=tuple(one.name for one in witnessed.cosignatures),
        cosigned_at=witnessed.cosigned_at,
    )


def _party(name: str, judge: Judge) -> Party:
    return Party(name, judge.root.participant(name).node_keys)


def _require(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise ReportInvalid(f"{what} does not match")


def _check_told(told: Told, judge: Judge) -> None:
    """A record or a release is the word of the provider that its entry names."""
    statement, provider = told.statement, told.said("part")
    judge.statement(
        told.envelope, type(statement), _party(provider, judge), logged=[judge.included(told.proven)]
    )
    said = statement.model_dump()
    _require("the provider", said["provider"], provider)
    _require("the number", said["number"], told.entry.fields["n"])


def _check_agreement(one: AgreementFact, judge: Judge) -> None:
    sides = [_party(name, judge) for name in (one.agreement.provider, one.agreement.consumer)]
    judge.statement(one.told.envelope, Agreement, *sides, logged=[judge.included(one.told.proven)])


def _check_transfer(one: Transfer, facts: Facts, trust: TrustFile, judge: Judge) -> Verdict | None:
    if one.state == "done" and one.closing is not None:
        given, taken = (envelope for _, envelope in one.receipts)
        manifest, record, agreement = one.terms.envelopes
        envelopes = Envelopes(one.envelope, manifest, agreement, record, given, taken)
        proof = TransferProof(
            one.closing.proven, one.granted.proven, envelopes, dict(_logged_terms(one, facts))
        )
        return judge_transfer(proof, None, trust, judge)
    granted_at = judge.included(one.granted.proven)
    exchange = Party("the exchange", judge.root.statement_keys)
    judge.statement(one.envelope, Grant, exchange, logged=[granted_at])
    for field, value in grant_fields(one.grant, one.envelope.payload).items():
        _require(f"the grant's entry: {field}", one.granted.entry.fields[field], value)
    if one.closing is not None:
        _check_closing(one, one.closing, granted_at, judge)
    return None


def _check_closing(one: Transfer, closing: Placed, granted_at: Logged, judge: Judge) -> None:
    """An expiry or an abort closes this very grant, and what it names was signed."""
    closed_at = judge.included(closing.proven)
    fields = closing.entry.fields
    other_shard = None if granted_at.origin == closed_at.origin else granted_at.origin
    _require("the closing entry's gidx", fields["gidx"], granted_at.index)
    _require("the closing entry's gsh", fields.get("gsh"), other_shard)
    _require("the closing entry's seq", fields["seq"], one.grant.seq)
    for receipt, envelope in one.receipts:
        provider = _party(one.grant.provider, judge)
        judge.statement(envelope, Receipt, provider, logged=[granted_at], closed=[closed_at])
        said = (receipt.role, receipt.grant, receipt.grant_index, receipt.participant)
        wanted = (ReceiptRole.PROVIDER, one.grant.grant, granted_at.index, one.grant.provider)
        _require("the provider's receipt", said, wanted)
    if closing.entry.kind is EntryKind.ABORT and one.abort is not None:
        abort, envelope = one.abort
        judge.statement(envelope, Abort, _party(abort.participant, judge), logged=[closed_at])
        said_of = (abort.grant, abort.grant_index, abort.participant, abort.reason)
        wanted_of = (one.grant.grant, granted_at.index, closing.said("by"), closing.said("why"))
        _require("the abort", said_of, wanted_of)


def _logged_terms(one: Transfer, facts: Facts) -> Iterator[tuple[Term, Proven]]:
    """Give the entries by which a transfer's terms were logged, as far as the report shows them."""
    for told in facts.releases:
        if told.said("man") == one.grant.manifest:
            yield "manifest", told.proven
    for told in facts.records:
        if told.said("dig") == one.grant.record:
            yield "record", told.proven
    for agreement in facts.agreements:
        if agreement.told.said("dig") == one.grant.agreement_digest:
            yield "agreement", agreement.told.proven


def _not_proven(
    facts: Facts, verdicts: list[Verdict | None], trust: TrustFile, judge: Judge, *, replaced: bool
) -> tuple[Text, ...]:
    doubts = {
        LEFT_OUT: True,
        ROLLED_UP: True,
        OPEN_END: not all(chain.closed for chain in facts.chains),
        OLD_SIGNATURE: replaced,
        BEYOND_THE_LOG: True,
        TRUTH_OF_DATA: True,
        LATER_USE: True,
    }
    seen = [judge.checkpoint(note.encode()) for note in reversed(facts.report.checkpoints)]
    texts = [text for text, holds in doubts.items() if holds]
    texts += root_doubts(trust, judge, seen)
    texts += [text for verdict in verdicts if verdict is not None for text in verdict.not_proven]
    return tuple(text for text in dict.fromkeys(texts) if text != DATA_NOT_SHOWN)
