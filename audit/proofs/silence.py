"""The ``.hwsilence`` file: proof that nothing was sent under one subscription between two cuts of the heads.

The steps are numbered, here and in every refusal:

1  the file has its shape
2  a quorum of witnesses cosigned the log
3  both ``heads`` entries are in the log, the later one after the earlier
4  what each of them says of the subscription is proved by its root
5  nothing happened in between: the same head, and no grant was open; or no head at all
6  both sides signed the agreement that the head names, where the file shows it

``verify_silence`` returns a verdict or raises: SilenceNotProven with the step that fails, QuorumMissing or
UnknownParticipant where the trust root does not suffice to judge.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from audit.completeness.heads import find_shown
from audit.formats.dsse import Envelope
from audit.formats.merkle import ProofInvalid
from audit.formats.packed import is_packed, pack, unpack
from audit.keys.signers import Judge, Logged, Party
from audit.keys.trust_file import TrustFile
from audit.log.entry import Entry, EntryKind, parse_entry
from audit.proofs.doubts import BEYOND_THE_LOG, root_doubts
from audit.proofs.steps import step
from audit.proofs.transfer_proof import EntryShape, ProvenEntry, StatementShape, entry_shape, statement_shape
from contracts.canonical import canonical_bytes, parse_canonical, sha256_hex
from contracts.clock import from_epoch_ms
from contracts.errors import HeadwatersError, Invalid
from contracts.messages import Agreement, LogPlace, ShownHead, SubscriptionHead, SubscriptionId, Text, Wire

MAX_SILENCE_BYTES = 1024 * 1024
MAX_PLAIN_BYTES = 4 * 1024 * 1024
SILENCE_TYPE: Literal["headwaters-silence-proof/v1"] = "headwaters-silence-proof/v1"

OTHER_SUBSCRIPTIONS = Text(
    zh="双方之间其他订阅下是否有传输:本证明只涉及这一个订阅。",
    en="What moved under other subscriptions: this proof is about one subscription only.",
)
MOMENTS = Text(
    zh="两次末态的时刻由交换中心写入日志;副署只证明其先后与最晚时间。",
    en="The exact moments of the two cuts are the exchange's; cosignatures prove order and the latest time.",
)


class BadSilenceProof(Invalid):
    """The file is no proof of silence."""

    code = "bad-silence-proof"
    title_zh = "该文件不是零传输证明"


class SilenceNotProven(ProofInvalid):
    """It is not proven that nothing was sent."""

    code = "silence-not-proven"
    title_zh = "零传输证明不成立"
    next_zh = "换一对订阅末态再试;若期间确有传输,请查对应的传输证明。"
    next_en = "Try another pair of cuts; where something did move, ask for the transfer's own proof."


_step = partial(step, SilenceNotProven)


@dataclass(frozen=True, slots=True)
class ProvenCut:
    """A ``heads`` entry in the log, and what it says of one subscription."""

    entry: ProvenEntry
    shown: tuple[ShownHead, ...]


@dataclass(frozen=True, slots=True)
class SilenceProof:
    """What the file holds; the agreement comes with the entry that logged it."""

    subscription: str
    since: ProvenCut
    until: ProvenCut
    agreement: tuple[Envelope, ProvenEntry] | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """What a file proves: nothing between the two cuts; ``transfers`` is how many there were before.

    Provider and consumer are None for a subscription that never had a transfer.
    """

    subscription: str
    provider: str | None
    consumer: str | None
    dataset: str | None
    purpose: str | None
    transfers: int
    since: datetime
    until: datetime
    log_size: int
    witnesses: tuple[str, ...]
    root_number: int
    root_signers: tuple[str, ...]
    unsigned_keys: tuple[str, ...]
    not_proven: tuple[Text, ...]


class _CutShape(Wire):
    entry: EntryShape
    shown: list[ShownHead]

    def proven(self, notes: list[str]) -> ProvenCut:
        return ProvenCut(self.entry.proven(notes), tuple(self.shown))


class _AgreementShape(Wire):
    entry: EntryShape
    statement: StatementShape


class _File(Wire):
    agreement: _AgreementShape | None
    checkpoints: list[str]
    since: _CutShape
    subscription: SubscriptionId
    type: Literal["headwaters-silence-proof/v1"]
    until: _CutShape


def encode_silence(proof: SilenceProof) -> bytes:
    """Write the file."""
    return pack(_plain(proof))


def read_silence(raw: bytes) -> SilenceProof:
    """Read the file; raise BadSilenceProof, BadMessage or PackedFileInvalid. Nothing is verified."""
    plain = unpack(raw, max_packed_bytes=MAX_SILENCE_BYTES, max_plain_bytes=MAX_PLAIN_BYTES)
    shape = _File.parse(plain)
    agreement = None
    if shape.agreement is not None:
        entry = shape.agreement.entry.proven(shape.checkpoints)
        agreement = (shape.agreement.statement.envelope(Agreement), entry)
    proof = SilenceProof(
        shape.subscription,
        shape.since.proven(shape.checkpoints),
        shape.until.proven(shape.checkpoints),
        agreement,
    )
    if _plain(proof) != plain:
        raise BadSilenceProof("the file is not the one spelling of its proof")
    return proof


def is_silence_file(raw: bytes) -> bool:
    """Tell whether a file says that it is a proof of silence; says nothing about whether it holds."""
    if not is_packed(raw):
        return False
    try:
        plain = unpack(raw, max_packed_bytes=MAX_SILENCE_BYTES, max_plain_bytes=MAX_PLAIN_BYTES)
        value = parse_canonical(plain)
    except HeadwatersError:
        return False
    return isinstance(value, dict) and value.get("type") == SILENCE_TYPE


def verify_silence(raw: bytes, trust: TrustFile, *, now: datetime) -> Silence:
    """Verify a ``.hwsilence`` file; ``now`` bounds cosignature times.

    Raises SilenceNotProven, QuorumMissing or UnknownParticipant.
    """
    judge = Judge(trust.root, now)
    with _step(1, "shape"):
        proof = read_silence(raw)
        earlier, later = _heads_entry(proof.since), _heads_entry(proof.until)
    with _step(2, "quorum"):
        before_it = judge.checkpoint(proof.since.entry.proof.checkpoint_note)
        witnessed = judge.checkpoint(proof.until.entry.proof.checkpoint_note)
    with _step(3, "heads entries"):
        places = judge.included(proof.since.entry), judge.included(proof.until.entry)
        _check_order(judge, *places, earlier, later)
    with _step(4, "heads"):
        before = _said(proof.since, earlier, proof.subscription)
        after = _said(proof.until, later, proof.subscription)
    with _step(5, "silence"):
        _check_silent(before, after)
    agreement = None
    if proof.agreement is not None:
        with _step(6, "agreement"):
            agreement = _check_agreement(proof.agreement, after, judge)
    return Silence(
        subscription=proof.subscription,
        provider=after.provider if after else None,
        consumer=after.consumer if after else None,
        dataset=agreement.dataset if agreement else None,
        purpose=agreement.purpose if agreement else None,
        transfers=after.seq if after else 0,
        since=_moment(earlier),
        until=_moment(later),
        log_size=witnessed.checkpoint.size,
        witnesses=tuple(one.name for one in witnessed.cosignatures),
        root_number=judge.root.number,
        root_signers=trust.signers,
        unsigned_keys=trust.unsigned(sorted(judge.relied_on)),
        not_proven=(
            BEYOND_THE_LOG,
            OTHER_SUBSCRIPTIONS,
            MOMENTS,
            *root_doubts(trust, judge, (witnessed, before_it)),
        ),
    )


def check_silent(before: SubscriptionHead | None, after: SubscriptionHead | None) -> None:
    """Raise SilenceNotProven unless nothing can have moved between two heads of one subscription."""
    with _step(5, "silence"):
        _check_silent(before, after)


def _heads_entry(cut: ProvenCut) -> Entry:
    entry = parse_entry(cut.entry.leaf)
    if entry.kind is not EntryKind.HEADS:
        raise ProofInvalid(f"a {entry.kind.value} entry says nothing of heads")
    return entry


def _check_order(judge: Judge, first: Logged, second: Logged, earlier: Entry, later: Entry) -> None:
    places = [judge.root.position(LogPlace(origin=one.origin, size=one.index)) for one in (first, second)]
    if places[0] >= places[1] or _moment(earlier) > _moment(later):
        raise ProofInvalid("the second cut does not come after the first")


def _said(cut: ProvenCut, entry: Entry, subscription: str) -> SubscriptionHead | None:
    size, root = entry.fields["n"], entry.fields["root"]
    if not isinstance(size, int) or not isinstance(root, str):
        raise ProofInvalid("the entry has no size or root")
    return find_shown(cut.shown, subscription, size, root)


def _check_silent(before: SubscriptionHead | None, after: SubscriptionHead | None) -> None:
    if before is None and after is None:
        return
    if before is None or after is None or before.seq != after.seq:
        first = before.seq + 1 if before else 1
        last = f" to {after.seq}" if after else ""
        raise ProofInvalid(f"there was a grant in between: transfers {first}{last}")
    if before.last_leaf != after.last_leaf or before != after:
        raise ProofInvalid("a transfer that was granted before was closed in between")
    if any(one.state == "open" for one in before.open_grants):
        raise ProofInvalid("a grant was open, so bytes may have moved under it")


def _check_agreement(
    shown: tuple[Envelope, ProvenEntry], head: SubscriptionHead | None, judge: Judge
) -> Agreement:
    envelope, proven = shown
    if head is None:
        raise ProofInvalid("without a head there is nothing that names the agreement")
    entry = parse_entry(proven.leaf)
    digest = sha256_hex(envelope.payload)
    if entry.kind is not EntryKind.AGREEMENT or {entry.fields["dig"], digest} != {head.agreement}:
        raise ProofInvalid("the agreement is another than the head names")
    parties = [Party(name, judge.root.participant(name).node_keys) for name in (head.provider, head.consumer)]
    agreement = judge.statement(envelope, Agreement, *parties, logged=[judge.included(proven)])
    if (agreement.provider, agreement.consumer) != (head.provider, head.consumer):
        raise ProofInvalid("the agreement is between others")
    return agreement


def _moment(entry: Entry) -> datetime:
    until = entry.fields["until"]
    return from_epoch_ms(until) if isinstance(until, int) else entry.at


def _plain(proof: SilenceProof) -> bytes:
    notes: list[str] = []
    value: dict[str, Any] = {  # Any: canonical_bytes checks every value below
        "since": _cut_shape(proof.since, notes),
        "subscription": proof.subscription,
        "type": SILENCE_TYPE,
        "until": _cut_shape(proof.until, notes),
        "agreement": None,
    }
    if proof.agreement is not None:
        envelope, entry = proof.agreement
        value["agreement"] = {"entry": entry_shape(entry, notes), "statement": statement_shape(envelope)}
    return canonical_bytes({**value, "checkpoints": notes})


def _cut_shape(cut: ProvenCut, notes: list[str]) -> dict[str, Any]:  # Any: as above
    return {
        "entry": entry_shape(cut.entry, notes),
        "shown": [one.model_dump(mode="json") for one in cut.shown],
    }
