"""A province as a witness of the log (c2sp.org/tlog-witness): it cosigns the largest consistent tree it saw.

The new state is durable, in one transaction with the check, before a cosignature leaves. Before its first
cosignature a process compares its state with what it has published; a state that is behind was restored
from a copy, and the witness then refuses for good. A clock that is behind refuses as well.
"""

import base64
import hashlib
import threading
from dataclasses import dataclass
from enum import StrEnum

import structlog
from sqlmodel import Session, select

from audit.checkpoint import Checkpoint
from audit.cosignature import (
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
from audit.database import Database
from audit.keys import SigningKey
from audit.note import NoteInvalid, format_note, parse_note
from contracts.clock import epoch_ms
from contracts.errors import Corrupt, NotFound
from contracts.messages import Challenge, ChallengeAnswer
from nodes.broker import Broker
from nodes.home import NodeIdentity
from nodes.signed import Signed, sign_statement
from nodes.tables import WitnessStateRow
from nodes.trust import Trust

log = structlog.get_logger(__name__)

NOTE_CONTENT_TYPE = "text/plain; charset=utf-8"


class WitnessStateLost(Corrupt):
    """This witness has cosigned more than it remembers."""

    code = "witness-state-lost"
    title_zh = "见证状态丢失:已公布的副署超出本机记录"
    next_zh = "本节点的数据被旧副本覆盖;停用该见证密钥,并请交换中心重新邀请。"
    next_en = (
        "This node's data were replaced by an old copy; retire the witness key and ask for a new invite."
    )


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


class Witness:
    """This node's witness for one log."""

    def __init__(
        self,
        identity: NodeIdentity,
        *,
        witness_key: SigningKey,
        node_key: SigningKey,
        database: Database,
        broker: Broker,
        trust: Trust,
    ) -> None:
        self._identity = identity
        self._cosigner = Cosigner(witness_name(identity), witness_key)
        self._node_key = node_key
        self._database = database
        self._broker = broker
        self._trust = trust
        self._lock = threading.Lock()
        self._standing = Standing.UNCHECKED

    @property
    def vkey(self) -> str:
        """The key under which this witness cosigns."""
        return str(self._cosigner.verifier_key)

    @property
    def standing(self) -> Standing:
        """Whether this process may cosign."""
        return self._standing

    def size(self) -> int:
        """Give the size last cosigned, 0 before the first."""
        with self._database.read() as session:
            row = session.get(WitnessStateRow, self._identity.origin)
            return 0 if row is None else row.size

    def check_standing(self) -> None:
        """Compare the published cosignatures with this witness's state, once for each process.

        Raises:
            WitnessStateLost: what is published goes beyond what this witness remembers.
            ExchangeSilent: the published checkpoint cannot be read; nothing is cosigned until it can.
        """
        with self._lock:
            if self._standing is Standing.UNCHECKED:
                self._standing = self._compare()
                log.info("witness_checked", standing=self._standing.value)
        if self._standing is Standing.STATE_LOST:
            raise WitnessStateLost

    def add_checkpoint(self, body: bytes) -> Answer:
        """Judge a checkpoint and cosign it where the rules allow.

        Raises WitnessStateLost, ClockBehind or ExchangeSilent where this witness must not answer at all.
        """
        try:
            request = parse_add_checkpoint(body)
        except AddCheckpointInvalid:
            return Answer(400, b"", NOTE_CONTENT_TYPE)
        self.check_standing()
        now = self._trust.guard_clock()
        with self._database.transaction() as session:
            verdict = judge(self._state(session), request, self._trust.log_key)
            if verdict.state is None:
                return _refusal(verdict)
            line = self._cosigner.cosign(request.note.text, now)
            self._keep(session, verdict.state, _both(request, line, self._trust), epoch_ms(now))
        # The transaction is durable here; only now may the cosignature leave.
        return Answer(200, line.encode(), NOTE_CONTENT_TYPE)

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
        """Say under the node's key what was last cosigned; raise OtherLog, WitnessStateLost, ClockBehind."""
        if challenge.origin != self._identity.origin:
            raise OtherLog("this witness cosigns another log")
        self.check_standing()
        now = self._trust.guard_clock()
        with self._database.read() as session:
            state = self._state(session)
        answer = ChallengeAnswer(
            origin=challenge.origin,
            nonce=challenge.nonce,
            participant=self._identity.participant,
            size=0 if state is None else state.size,
            root="" if state is None else base64.b64encode(state.root).decode(),
            at=now,
        )
        return sign_statement(answer, self._node_key)

    def _compare(self) -> Standing:
        """Read the newest published note and hold our own cosignature on it against our state."""
        published = parse_note(self._broker.checkpoint())
        claim = Checkpoint.parse(published.text)
        ours = self._cosigner.verifier_key
        signers = [key for key, _ in published.verified([self._trust.log_key, ours])]
        if self._trust.log_key not in signers or claim.origin != self._identity.origin:
            raise NoteInvalid("the pinned log did not sign its published checkpoint")
        with self._database.read() as session:
            state = self._state(session)
        if ours not in signers:
            return Standing.READY
        if state is None or claim.size > state.size:
            return Standing.STATE_LOST
        if claim.size == state.size and claim.root != state.root:
            return Standing.STATE_LOST
        return Standing.READY

    def _state(self, session: Session) -> WitnessState | None:
        row = session.get(WitnessStateRow, self._identity.origin)
        return None if row is None else WitnessState(row.size, row.root)

    def _keep(self, session: Session, state: WitnessState, note: bytes, at_ms: int) -> None:
        # One write transaction at a time (audit.database) makes this read, judge and write one step.
        origin = self._identity.origin
        row = session.get(WitnessStateRow, origin)
        if row is None:
            row = WitnessStateRow(
                origin=origin, origin_hash=origin_hash(origin), size=0, root=b"", note=b"", at=0
            )
        row.size, row.root, row.note, row.at = state.size, state.root, note, at_ms
        session.add(row)


def witness_name(identity: NodeIdentity) -> str:
    """Name a participant's witness key: under the log's origin, so no two alliances share a name."""
    return f"{identity.origin}/{identity.participant}"


def origin_hash(origin: str) -> str:
    """Give the hex SHA-256 of an origin, as it stands in a monitoring path."""
    return hashlib.sha256(origin.encode()).hexdigest()


def _refusal(verdict: Verdict) -> Answer:
    if verdict.finding in {Finding.FORK, Finding.INCONSISTENT}:
        log.error("log_fork_refused", finding=verdict.finding.value)
    is_size = verdict.last_size is not None
    return Answer(verdict.status, verdict.body, SIZE_CONTENT_TYPE if is_size else NOTE_CONTENT_TYPE)


def _both(request: AddCheckpointRequest, line: str, trust: Trust) -> bytes:
    logged = [signature.line for _, signature in request.note.verified([trust.log_key])]
    return format_note(request.note.text, [*logged, line])
