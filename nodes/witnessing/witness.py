"""A province as a witness of the log (c2sp.org/tlog-witness): it cosigns the largest consistent tree it saw.

The new state is durable, in one transaction with the check, before a cosignature leaves. Before its first
cosignature a process compares its state with what it has published, as the exchange and as its peers show
it; a state that is behind was restored from a copy, and the witness then refuses for good. A clock that is
behind refuses as well, and so does a witness of a log that signed two histories.
"""

import base64
import hashlib
import threading
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import structlog
from sqlmodel import Session, select

from audit.database import Database
from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import (
    SIZE_CONTENT_TYPE,
    AddCheckpointInvalid,
    AddCheckpointRequest,
    Cosigner,
    Finding,
    Verdict,
    WitnessState,
    judge,
    parse_add_checkpoint,
)
from audit.formats.note import NoteInvalid, VerifierKey, format_note, parse_note
from contracts.clock import epoch_ms
from contracts.errors import Corrupt, NotFound, Unavailable, Undecidable
from contracts.messages import Challenge, ChallengeAnswer
from nodes.broker import Broker
from nodes.home import NodeIdentity
from nodes.rotating.keys import NodeKeys, witness_name
from nodes.signed import Signed, sign_statement
from nodes.tables import WitnessStateRow
from nodes.trusting.directory import other_witnesses
from nodes.trusting.shards import KnownShard
from nodes.trusting.trust import Trust
from nodes.witnessing.forks import LogStopped

log = structlog.get_logger(__name__)

NOTE_CONTENT_TYPE = "text/plain; charset=utf-8"


class WitnessStateLost(Corrupt):
    """This witness has cosigned more than it remembers."""

    code = "witness-state-lost"
    title_zh = "见证状态丢失:已公布的副署超出本机记录"
    next_zh = "本节点的数据被旧副本覆盖;用 headwaters node rotate-key --role witness 换用新的见证密钥。"
    next_en = (
        "This node's data were replaced by an old copy; run headwaters node rotate-key --role witness, and "
        "the new key cosigns."
    )


class PeersUnheard(Unavailable):
    """Too few other witnesses have said yet what this one has published."""

    code = "peers-unheard"
    title_zh = "尚未从足够多的其他见证方核对本机已公布的副署"
    next_zh = "等待其他见证方上线;节点会自动再问。"
    next_en = "Wait until other witnesses are up; the node asks again by itself."


class WitnessFresh(Unavailable):
    """This witness has not cosigned beyond the place where its key took another's place."""

    code = "witness-fresh"
    title_zh = "见证密钥刚刚更换,尚不能证明此前所见"
    next_zh = "等待其他见证方答复;新密钥副署新的检查点后即可作答。"
    next_en = "Wait for other witnesses to answer; this one can once its new key has cosigned."


class OtherLog(NotFound):
    """This witness knows no log of that origin."""

    code = "other-log"
    title_zh = "本见证方不认识该日志"


class Standing(StrEnum):
    """Whether this process may cosign."""

    UNCHECKED = "unchecked"
    READY = "ready"
    STATE_LOST = "state-lost"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the witness, as tlog-witness spells it."""

    status: int
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class WitnessSeen:
    """What was cosigned: the state, the note under both signatures, and when."""

    state: WitnessState
    note: bytes
    at_ms: int


class Witness:
    """This node's witness for the shards of one log."""

    def __init__(
        self,
        identity: NodeIdentity,
        *,
        keys: NodeKeys,
        database: Database,
        broker: Broker,
        trust: Trust,
    ) -> None:
        self._identity = identity
        self._keys = keys
        self._database = database
        self._broker = broker
        self._trust = trust
        self._lock = threading.Lock()
        self._standing = Standing.UNCHECKED
        self._heard: set[str] = set()
        self._enough_heard = False

    @property
    def _cosigner(self) -> Cosigner:
        if self._keys.witness is None:
            raise OtherLog("this node is no witness")
        return self._keys.witness

    @property
    def vkey(self) -> str:
        """The key under which this witness cosigns."""
        return str(self._cosigner.verifier_key)

    @property
    def standing(self) -> Standing:
        """Whether this process may cosign."""
        return self._standing

    def renew(self) -> None:
        """Cosign under a new key from now on: what the old one published says nothing about it.

        The state stays, however old it is; the new key has cosigned nothing that it could contradict.
        """
        with self._lock:
            self._standing = Standing.UNCHECKED

    def size(self) -> int:
        """Give the size last cosigned in the newest shard, 0 before the first."""
        with self._database.read() as session:
            state = self._state(session, self._trust.shards.current().origin)
        return 0 if state is None else state.size

    def check_standing(self) -> None:
        """Compare the published cosignatures with this witness's state, once for each process.

        Raises:
            WitnessStateLost: what is published goes beyond what this witness remembers.
            ExchangeSilent: the published checkpoint cannot be read; nothing is cosigned until it can.
            PeersUnheard: the exchange alone has been asked, and it may hide what it published.
        """
        with self._lock:
            if self._standing is Standing.UNCHECKED:
                self._standing = self._compare(self._broker.checkpoint())
                log.info("witness_checked", standing=self._standing.value)
        if self._standing is Standing.STATE_LOST:
            raise WitnessStateLost
        lacking = 0 if self._enough_heard else self.peers_lacking()
        if lacking:
            raise PeersUnheard(f"{lacking} more witnesses have to answer", lacking=lacking)
        self._enough_heard = True  # whoever joins later has nothing to add

    def hear(self, peer: str, published: bytes | None) -> None:
        """Take the largest checkpoint that a peer saw published; our own cosignature may stand on it.

        Raises NoteInvalid or CheckpointInvalid; a peer that sends such a note has not been heard.
        """
        lost = published is not None and self._compare(published) is Standing.STATE_LOST
        with self._lock:
            if lost:
                log.critical("witness_state_lost", peer=peer)
                self._standing = Standing.STATE_LOST
            self._heard.add(peer)

    def peers_lacking(self) -> int:
        """Say how many more peers must be heard before this process may cosign.

        With n witnesses and a quorum of k, n - k of them may be silent or lie, so one more is asked; and no
        more than the k - 1 without whom there is no quorum anyway.
        """
        others = set(other_witnesses(self._trust.directory(), self._identity.participant))
        quorum = self._identity.quorum
        needed = min(len(others), self._identity.witnesses - quorum + 1, quorum - 1)
        return max(0, needed - len(self._heard & others))

    def add_checkpoint(self, body: bytes) -> Answer:
        """Judge a checkpoint and cosign it where the rules allow.

        Raises WitnessStateLost, ClockBehind or ExchangeSilent where this witness must not answer at all.
        """
        try:
            request = parse_add_checkpoint(body)
        except AddCheckpointInvalid:
            return Answer(400, b"", NOTE_CONTENT_TYPE)
        shard = self._shard(request.checkpoint)
        if shard is None:
            return _refusal(judge(None, request, None))
        self._trust.sight.check_open(shard.origin)
        self.check_standing()
        now = self._trust.guard_clock()
        line = ""
        with self._database.transaction() as session:
            verdict = judge(self._state(session, shard.origin), request, shard.key)
            if verdict.state is not None:
                line = self._cosigner.cosign(request.note.text, now)
                seen = WitnessSeen(verdict.state, _both(request, line, shard.key), epoch_ms(now))
                self._keep(session, shard.origin, seen)
        if verdict.state is None:
            self._suspect(request, verdict)
            return _refusal(verdict)
        # The transaction is durable here; only now may the cosignature leave.
        return Answer(200, line.encode(), NOTE_CONTENT_TYPE)

    def last_note(self, origin: str | None = None) -> bytes | None:
        """Give the note last cosigned in a shard, the newest by default, under both signatures."""
        with self._database.read() as session:
            row = session.get(WitnessStateRow, origin or self._trust.shards.current().origin)
            return None if row is None else row.note

    def checkpoint(self, origin_hash: str) -> bytes:
        """Give the note last cosigned for an origin, named by the hex SHA-256 of it; raise OtherLog."""
        with self._database.read() as session:
            row = session.exec(
                select(WitnessStateRow).where(WitnessStateRow.origin_hash == origin_hash)
            ).first()
            if row is None:
                raise OtherLog("nothing has been cosigned for this origin")
            return row.note

    def answer_challenge(self, challenge: Challenge) -> Signed[ChallengeAnswer]:
        """Say under the node's key what was last cosigned: nothing, of a shard that is not open yet.

        Raises WitnessStateLost, ClockBehind; WitnessFresh while this witness may have forgotten
        what it cosigned under a former key.
        """
        self._trust.sight.check_open(challenge.origin)
        self.check_standing()
        now = self._trust.guard_clock()
        with self._database.read() as session:
            state = self._state(session, challenge.origin)
        self._check_memory(challenge.origin, 0 if state is None else state.size)
        answer = ChallengeAnswer(
            origin=challenge.origin,
            nonce=challenge.nonce,
            participant=self._identity.participant,
            size=0 if state is None else state.size,
            root="" if state is None else base64.b64encode(state.root).decode(),
            at=now,
        )
        return sign_statement(answer, self._keys.node)

    def _check_memory(self, origin: str, size: int) -> None:
        """Answer only for what this key has seen: a key takes another's place when its state is lost, too."""
        if self._cosigner.name == witness_name(self._identity):
            return
        own = self._trust.member(self._identity.participant)
        since = [past.until for past in own.past_keys if past.role == "witness"]
        if not since or (since[-1].origin == origin and size <= since[-1].size):
            raise WitnessFresh("nothing beyond the change of the witness key has been cosigned yet")

    def _compare(self, note: bytes) -> Standing:
        """Hold our own cosignature on a published note against our state."""
        published = parse_note(note)
        claim = Checkpoint.parse(published.text)
        ours = self._cosigner.verifier_key
        shard = self._trust.sight.shard(claim.origin)
        signers = [key for key, _ in published.verified([shard.key, ours])]
        if shard.key not in signers:
            raise NoteInvalid("the pinned log did not sign its published checkpoint")
        with self._database.read() as session:
            state = self._state(session, claim.origin)
        if ours not in signers:
            return Standing.READY
        if state is None or claim.size > state.size:
            return Standing.STATE_LOST
        if claim.size == state.size and claim.root != state.root:
            return Standing.STATE_LOST
        return Standing.READY

    def _suspect(self, request: AddCheckpointRequest, verdict: Verdict) -> None:
        """Prove two histories where the request shows them; the answer stays what tlog-witness says."""
        if verdict.finding not in {Finding.FORK, Finding.INCONSISTENT}:
            return
        with self._database.read() as session:
            row = session.get(WitnessStateRow, request.checkpoint.origin)
        if row is not None:
            with suppress(LogStopped):
                self._trust.sight.accuse(row.note, request.note.encode(), request.proof)

    def _shard(self, claim: Checkpoint) -> KnownShard | None:
        """Give the shard of a checkpoint, None where it is no shard of this log or ended before."""
        try:
            shard = self._trust.sight.shard(claim.origin)
        except (NoteInvalid, Corrupt, Undecidable):
            return None
        return None if shard.size is not None and claim.size > shard.size else shard

    def _state(self, session: Session, origin: str) -> WitnessState | None:
        row = session.get(WitnessStateRow, origin)
        return None if row is None else WitnessState(row.size, row.root)

    def _keep(self, session: Session, origin: str, seen: WitnessSeen) -> None:
        # One write transaction at a time (audit.database) makes this read, judge and write one step.
        row = session.get(WitnessStateRow, origin)
        if row is None:
            row = WitnessStateRow(
                origin=origin, origin_hash=origin_hash(origin), size=0, root=b"", note=b"", at=0
            )
        row.size, row.root, row.note, row.at = seen.state.size, seen.state.root, seen.note, seen.at_ms
        session.add(row)


def origin_hash(origin: str) -> str:
    """Give the hex SHA-256 of an origin, as it stands in a monitoring path."""
    return hashlib.sha256(origin.encode()).hexdigest()


def _refusal(verdict: Verdict) -> Answer:
    if verdict.finding in {Finding.FORK, Finding.INCONSISTENT}:
        log.error("log_fork_refused", finding=verdict.finding.value)
    is_size = verdict.last_size is not None
    return Answer(verdict.status, verdict.body, SIZE_CONTENT_TYPE if is_size else NOTE_CONTENT_TYPE)


def _both(request: AddCheckpointRequest, line: str, key: VerifierKey) -> bytes:
    logged = [signature.line for _, signature in request.note.verified([key])]
    return format_note(request.note.text, [*logged, line])
