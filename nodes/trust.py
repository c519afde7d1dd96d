"""Whom a node believes: keys pinned by the invite, the directory under them, and the log as it was last seen.

The directory is signed by the pinned key, numbered, chained and expiring; its number never falls, a
participant that was seen keeps its node key and witness key for ever, and there are never more witnesses
than the invite said. Every checkpoint must extend, or be extended by, the largest one seen (RFC 9162
s2.1.4). A clock behind the newest verified moment refuses. What is verified is durable before it is used.
"""

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from audit.checkpoint import Checkpoint
from audit.cosignature import Cosignature
from audit.database import Database
from audit.dsse import EnvelopeInvalid
from audit.keys import PublicKey
from audit.merkle import ProofInvalid, verify_consistency
from audit.note import KeyType, NoteInvalid, VerifierKey, parse_note
from audit.quorum import QuorumMissing, WitnessPolicy
from audit.trust import TrustedParticipant, TrustRoot
from contracts.clock import Clock, epoch_ms, from_epoch_ms, monotonic_seconds
from contracts.errors import Conflict, Corrupt, Unauthenticated, Unavailable
from contracts.messages import Directory, Member, MemberStatus, Revocations, Statement
from nodes import trust_store as store
from nodes.directory import check_members, check_succession
from nodes.home import NodeIdentity, write_private
from nodes.signed import peek_statement, read_statement

log = structlog.get_logger(__name__)

MAX_SKEW = timedelta(seconds=5)
REVOCATIONS_AGE_SECONDS = 5.0
_REFRESH_PAUSE_SECONDS = 1.0
_REMEMBERED_CHECKPOINTS = 256

S = TypeVar("S", bound=Statement)


class DirectoryExpired(Unavailable):
    """The directory has expired."""

    code = "directory-expired"
    title_zh = "成员目录已过期"
    next_zh = "检查与交换中心的连接;节点会自动获取新目录。"
    next_en = "Check the connection to the exchange; the node fetches a new directory by itself."


class UnknownParticipant(Unauthenticated):
    """The participant is not an active member of the alliance."""

    code = "unknown-participant"
    title_zh = "该参与方不是联盟的有效成员"
    next_zh = "核对参与方编号;新成员须先由交换中心批准。"
    next_en = "Check the participant's id; a new member is first approved by the exchange."


class RevocationsRolledBack(Conflict):
    """An older revocation list was served again."""

    code = "revocations-rolled-back"
    title_zh = "交换中心给出了更旧的吊销清单"
    next_zh = "暂停交付,联系交换中心核对吊销清单编号。"
    next_en = "Pause deliveries and compare the revocation list's number with the exchange."


class RevocationsStale(Unavailable):
    """No revocation list is fresh enough."""

    code = "revocations-stale"
    title_zh = "没有足够新的吊销清单"
    next_zh = "校准本机时钟并检查与交换中心的连接,然后重试。"
    next_en = "Set this machine's clock, check the connection to the exchange, and try again."


class LogForked(Corrupt):
    """The log contradicts what it showed before."""

    code = "log-forked"
    title_zh = "日志与其先前内容矛盾"
    next_zh = "保留两个检查点作为证据,立即通知其他省与主管部门。"
    next_en = "Keep both checkpoints as evidence and tell the other provinces at once."


class ClockBehind(Unavailable):
    """This machine's clock is behind a moment that was verified."""

    code = "clock-behind"
    title_zh = "本机时钟落后于已验证的时间"
    next_zh = "校准本机时钟(NTP)后重试。"
    next_en = "Set this machine's clock (NTP) and try again."


class ExchangeReader(Protocol):
    """The open, unsigned readings that trust is built from; ``nodes.broker.Broker`` is one."""

    def directory(self) -> str: ...
    def revocations(self) -> str: ...
    def checkpoint(self) -> bytes: ...
    def consistency(self, old: int, new: int) -> list[bytes]: ...


class Trust:
    """What is verified, and how it becomes so; safe to share between threads."""

    def __init__(
        self, identity: NodeIdentity, *, database: Database, broker: ExchangeReader, clock: Clock, file: Path
    ) -> None:
        self._identity = identity
        self._database = database
        self._broker = broker
        self._clock = clock
        self._file = file
        self._log_key = VerifierKey.parse(identity.log_vkey)
        self._exchange_key = PublicKey.from_text(identity.statement_key)
        self._lock = threading.Lock()
        self._refresh_lock = threading.Lock()
        self._current: Directory | None = None
        self._revocations: Revocations | None = None
        self._revocations_at_seconds = 0.0  # on the monotonic clock, when the list above was asked for
        self._refused_refresh_at = -_REFRESH_PAUSE_SECONDS
        self._seen: dict[Checkpoint, None] = {}

    # --- keys and statements ----------------------------------------------------------------------

    @property
    def exchange_key(self) -> PublicKey:
        """The exchange's statement key, as the invite pinned it."""
        return self._exchange_key

    @property
    def log_key(self) -> VerifierKey:
        """The log's key, as the invite pinned it."""
        return self._log_key

    def member(self, participant: str) -> Member:
        """Find a participant in the directory, whatever its status; raise UnknownParticipant."""
        found = _find(self.directory(), participant)
        if found is None:
            self._refresh_for_stranger()
            found = _find(self.directory(), participant)
        if found is None:
            raise UnknownParticipant(f"{participant[:20]} is not in the directory")
        return found

    def node_key(self, participant: str) -> PublicKey:
        """Give an active participant's node key; raise UnknownParticipant."""
        member = self.member(participant)
        if member.status is not MemberStatus.ACTIVE:
            raise UnknownParticipant(f"{participant} is {member.status.value}")
        return PublicKey.from_text(member.node_key)

    def exchange_statement(self, envelope: str | bytes, kind: type[S]) -> S:
        """Read what the exchange signed; raise SignatureInvalid, EnvelopeInvalid or BadMessage."""
        return read_statement(_text(envelope), kind, self._exchange_key).statement

    def participant_statement(self, envelope: str | bytes, kind: type[S], participant: str) -> S:
        """Read a statement signed by a member, suspended and revoked ones included: their past stands."""
        key = PublicKey.from_text(self.member(participant).node_key)
        return read_statement(_text(envelope), kind, key).statement

    # --- directory --------------------------------------------------------------------------------

    def directory(self) -> Directory:
        """Give the verified directory; fetch one when there is none or it expired."""
        current = self._stored()
        if current is not None and self._clock.now() < current.expires_at:
            return current
        return self.refresh_directory()

    def directory_number(self) -> int:
        """Give the number of the newest verified directory, 0 before the first."""
        current = self._stored()
        return 0 if current is None else current.number

    def refresh_directory(self) -> Directory:
        """Fetch, verify and keep the newest directory.

        Raises:
            SignatureInvalid, DirectoryRolledBack, DirectoryForked, DirectoryExpired, MemberKeyChanged,
            TooManyWitnesses, ClockBehind: the old directory then stays.
        """
        signed = read_statement(self._broker.directory(), Directory, self._exchange_key)
        fresh = signed.statement
        self._check_period(fresh)
        with self._database.transaction() as session:
            last = store.newest_directory(session)
            if last is not None:
                check_succession(last.number, last.digest, fresh, signed.digest)
            check_members(
                fresh,
                store.pins(session),
                quorum=self._identity.quorum,
                witnesses=self._identity.witnesses,
            )
            store.keep_directory(session, fresh, signed.digest, signed.text)
            store.raise_mark(session, store.NEWEST_AT, epoch_ms(fresh.issued_at))
        with self._lock:
            if self._current is None or self._current.number <= fresh.number:
                self._current = fresh
        return fresh

    def pin(self, participant: str, node_key: str, witness_vkey: str | None) -> None:
        """Pin a participant's keys before any directory names them: a node pins its own."""
        with self._database.transaction() as session:
            store.pin(session, participant, node_key, witness_vkey)

    # --- revocations ------------------------------------------------------------------------------

    def revocations(self, max_age_seconds: float = REVOCATIONS_AGE_SECONDS) -> Revocations:
        """Give a revocation list issued at most ``max_age_seconds`` ago, fetching it when need be.

        Raises:
            RevocationsRolledBack, RevocationsStale, SignatureInvalid, ClockBehind, ExchangeSilent.
        """
        with self._refresh_lock:
            # A clock that is set back must not keep an old list young, so its age is measured both ways.
            held_seconds = monotonic_seconds() - self._revocations_at_seconds
            held = self._revocations if held_seconds <= max_age_seconds else None
            if held is not None and self._fresh(held, max_age_seconds):
                return held
            asked_at_seconds = monotonic_seconds()
            listed = self.exchange_statement(self._broker.revocations(), Revocations)
            self._check_not_ahead(listed.issued_at)
            if not self._fresh(listed, max_age_seconds):
                raise RevocationsStale(f"the list was issued at {listed.issued_at.isoformat()}")
            with self._database.transaction() as session:
                if not store.raise_mark(session, store.REVOCATIONS, listed.number):
                    raise RevocationsRolledBack(f"number {listed.number} is older than one seen before")
            self._revocations, self._revocations_at_seconds = listed, asked_at_seconds
            return listed

    # --- the log ----------------------------------------------------------------------------------

    def see_checkpoint(self, note: bytes) -> Checkpoint:
        """Verify a checkpoint: signed by the log, and one history with the largest one seen.

        A cosignature by a known witness must hold too; that there are enough of them is ``witness_policy``'s
        matter. Raises NoteInvalid, CheckpointInvalid, LogForked, ExchangeSilent.
        """
        signed = parse_note(note)
        claim = Checkpoint.parse(signed.text)
        verified = signed.verified([self._log_key, *self._witness_keys().values()])
        if claim.origin != self._identity.origin or self._log_key not in [key for key, _ in verified]:
            raise NoteInvalid("the pinned log did not sign this checkpoint")
        times = [
            Cosignature.read(line).timestamp_seconds * 1000
            for key, line in verified
            if key.type is KeyType.COSIGNATURE
        ]
        if claim not in self._seen:
            self._connect(claim, note)
        moment = self._vouched(times)
        if moment is not None and moment > (self._newest_ms() or 0):
            with self._database.transaction() as session:
                store.raise_mark(session, store.NEWEST_AT, moment)
        return claim

    def last_checkpoint(self) -> Checkpoint | None:
        """Give the largest checkpoint that was verified."""
        with self._database.read() as session:
            return store.log_state(session, self._identity.origin)

    def newest_at(self) -> datetime | None:
        """Give the newest moment that the exchange, or enough witnesses, have vouched for."""
        ms = self._newest_ms()
        return None if ms is None else from_epoch_ms(ms)

    def guard_clock(self) -> datetime:
        """Give the present moment; raise ClockBehind when this clock is behind the newest verified one."""
        now = self._clock.now()
        newest = self.newest_at()
        if newest is not None and now + MAX_SKEW < newest:
            raise ClockBehind(f"the clock is {int((newest - now).total_seconds())} s behind")
        return now

    def witness_policy(self) -> WitnessPolicy:
        """Give the alliance's quorum over its witnesses; raise QuorumMissing while too few have joined."""
        keys = self._witness_keys()
        if len(keys) < self._identity.quorum:
            raise QuorumMissing(f"{len(keys)} witnesses have joined", have=len(keys))
        return WitnessPolicy.k_of_n(self._log_key, keys, self._identity.quorum)

    def export_trust_root(self) -> TrustRoot:
        """Give the trust root for offline verification and keep it as ``trust.json`` in the home."""
        root = TrustRoot(
            origin=self._identity.origin,
            log_vkey=self._identity.log_vkey,
            statement_key=self._identity.statement_key,
            policy=self.witness_policy().format(),
            participants=[
                TrustedParticipant(participant=one.participant, name=one.profile.name, node_key=one.node_key)
                for one in self.directory().members
            ],
        )
        write_private(self._file, root.canonical())
        return root

    def keep_trust_root(self) -> bool:
        """Write ``trust.json`` where enough witnesses have joined for one; say whether it was written."""
        try:
            self.export_trust_root()
        except QuorumMissing:
            return False
        return True

    # --- private ----------------------------------------------------------------------------------

    def _stored(self) -> Directory | None:
        with self._lock:
            if self._current is None:
                with self._database.read() as session:
                    last = store.newest_directory(session)
                if last is not None:
                    # It was verified before it was kept; the file is the owner's alone.
                    self._current = peek_statement(last.envelope, Directory).statement
            return self._current

    def _refresh_for_stranger(self) -> None:
        # A stranger's requests must not make this node ask the exchange without end.
        with self._lock:
            now = monotonic_seconds()
            if now - self._refused_refresh_at < _REFRESH_PAUSE_SECONDS:
                return
            self._refused_refresh_at = now
        self.refresh_directory()

    def _check_period(self, fresh: Directory) -> None:
        self._check_not_ahead(fresh.issued_at)
        if self._clock.now() >= fresh.expires_at:
            raise DirectoryExpired(f"directory {fresh.number} expired at {fresh.expires_at.isoformat()}")

    def _check_not_ahead(self, issued_at: datetime) -> None:
        behind = issued_at - self._clock.now()
        if behind > MAX_SKEW:
            raise ClockBehind(f"the clock is {int(behind.total_seconds())} s behind the exchange")

    def _fresh(self, listed: Revocations, max_age_seconds: float) -> bool:
        now = self._clock.now()
        age = now - listed.issued_at
        return now < listed.expires_at and -MAX_SKEW <= age <= timedelta(seconds=max_age_seconds)

    def _witness_keys(self) -> dict[str, VerifierKey]:
        current = self._stored()
        members = [] if current is None else current.members
        return {
            member.participant: VerifierKey.parse(member.witness_vkey)
            for member in members
            if member.witness_vkey is not None and member.status is not MemberStatus.REVOKED
        }

    def _vouched(self, times_ms: list[int]) -> int | None:
        # n - k witnesses may lie without breaking the quorum's promise; one more time than that is honest.
        needed = self._identity.witnesses - self._identity.quorum + 1
        return sorted(times_ms, reverse=True)[needed - 1] if len(times_ms) >= needed else None

    def _connect(self, claim: Checkpoint, note: bytes) -> None:
        while True:
            last = self.last_checkpoint()
            if last is not None:
                self._prove(*sorted((last, claim), key=lambda one: one.size))
            with self._database.transaction() as session:
                # Two branches seen at once must meet each other, not only their common past.
                if store.advance_log(session, last, claim, note):
                    break
        with self._lock:
            self._seen[claim] = None
            if len(self._seen) > _REMEMBERED_CHECKPOINTS:
                del self._seen[next(iter(self._seen))]

    def _newest_ms(self) -> int | None:
        with self._database.read() as session:
            return store.mark(session, store.NEWEST_AT)

    def _prove(self, old: Checkpoint, new: Checkpoint) -> None:
        path = [] if old.size in {0, new.size} else self._broker.consistency(old.size, new.size)
        try:
            verify_consistency(old.size, new.size, path, old.root, new.root)
        except ProofInvalid as error:
            log.error("log_forked", old_size=old.size, new_size=new.size)  # noqa: TRY400  # a fact, no stack
            raise LogForked(f"sizes {old.size} and {new.size} are not one history") from error


def _find(directory: Directory, participant: str) -> Member | None:
    return next((member for member in directory.members if member.participant == participant), None)


def _text(envelope: str | bytes) -> str:
    if isinstance(envelope, str):
        return envelope
    try:
        return envelope.decode()
    except UnicodeDecodeError as error:
        raise EnvelopeInvalid("an envelope is UTF-8 text") from error
