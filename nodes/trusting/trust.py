"""Whom a node believes: keys pinned by the invite, and the directory under them; the log is ``log_sight``'s.

The directory is signed by the pinned key or one that it led to, numbered, chained and expiring; its number
never falls, a participant that was seen keeps its keys until rotations that it signed lead to others, and
there are never more witnesses than the invite said. What is verified is durable before it is used.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from sqlmodel import Session

from audit.database import Database
from audit.formats.checkpoint import Checkpoint
from audit.formats.note import VerifierKey
from audit.formats.quorum import QuorumMissing, WitnessPolicy
from audit.keys.key_history import check_statement_keys
from audit.keys.signing import PublicKey, SignatureInvalid
from audit.keys.trust_file import TrustFile
from contracts.clock import Clock, epoch_ms, monotonic_seconds
from contracts.errors import HeadwatersError, Unauthenticated
from contracts.messages import (
    Directory,
    Inclusion,
    Member,
    MemberStatus,
    Receipt,
    Revocations,
    ShardList,
    Statement,
)
from nodes.home import NodeHome, NodeIdentity
from nodes.rotating.statements import KeyEnded, PartyWindows, envelope_text, past_of
from nodes.signed import Signed, peek_statement, read_statement
from nodes.trusting import trust_store as store
from nodes.trusting.directory import DirectoryExpired, Pin, check_growth, check_members, check_succession
from nodes.trusting.log_sight import MAX_SKEW, ClockBehind, LogSight
from nodes.trusting.places import Places
from nodes.trusting.revocations import REVOCATIONS_AGE_SECONDS, RevocationWatch
from nodes.trusting.shards import Shards
from nodes.trusting.trust_root import TrustRoots, View, trusted_logs
from nodes.witnessing.forks import Forks
from nodes.witnessing.mirror_files import Mirrors

_REFRESH_PAUSE_SECONDS = 1.0

S = TypeVar("S", bound=Statement)
T = TypeVar("T")


class UnknownParticipant(Unauthenticated):
    """The participant is not an active member of the alliance."""

    code = "unknown-participant"
    title_zh = "该参与方不是联盟的有效成员"
    next_zh = "核对参与方编号;新成员须先由交换中心批准。"
    next_en = "Check the participant's id; a new member is first approved by the exchange."


class ExchangeReader(Protocol):
    """The open, unsigned readings that trust is built from; ``nodes.broker.Broker`` is one."""

    def directory(self) -> str: ...
    def revocations(self) -> str: ...
    def checkpoint(self) -> bytes: ...
    def consistency(self, old: int, new: int, shard: int | None = None) -> list[bytes]: ...
    def shards(self) -> ShardList: ...
    def logged_statement(self, digest: str) -> Inclusion: ...


class Trust:
    """What is verified, and how it becomes so; safe to share between threads."""

    def __init__(
        self,
        identity: NodeIdentity,
        *,
        database: Database,
        broker: ExchangeReader,
        clock: Clock,
        home: NodeHome,
        forks: Forks,
    ) -> None:
        self._identity = identity
        self._database = database
        self._broker = broker
        self._clock = clock
        self._roots = TrustRoots(database, home.trust_file)
        self._pinned_key = PublicKey.from_text(identity.statement_key)
        self._exchange_keys: tuple[int, tuple[PublicKey, ...]] = (0, (self._pinned_key,))
        self._lock = threading.Lock()
        self._exporting = threading.Lock()
        self._current: Directory | None = None
        self._refused_refresh_at = -_REFRESH_PAUSE_SECONDS
        self._sight = LogSight(
            identity,
            database=database,
            paths=broker,
            clock=clock,
            witness_keys=self.witness_keys,
            members=self._possible_witnesses,
            forks=forks,
            mirrors=Mirrors(home.mirror),
        )
        self._places = Places(database, broker, self.see_checkpoint)
        self._watch = RevocationWatch(database, clock, self._listed_revocations)

    # --- keys and statements ----------------------------------------------------------------------

    @property
    def exchange_key(self) -> PublicKey:
        """The exchange's present statement key: the invite's, or the one that its rotations lead to."""
        current = self._stored()
        number = 0 if current is None else current.number
        if self._exchange_keys[0] != number:
            past = [] if current is None else current.past_keys
            self._exchange_keys = (number, check_statement_keys(self._pinned_key, past))
        return self._exchange_keys[1][-1]

    @property
    def log_key(self) -> VerifierKey:
        """The key of the log's newest shard."""
        return self.shards.current().key

    @property
    def shards(self) -> Shards:
        """The shards of the log that are known."""
        return self._sight.shards

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
        """Give an active participant's present node key; raise UnknownParticipant where there is none."""
        member = self.member(participant)
        present = PartyWindows.of_member(member).present
        if member.status is not MemberStatus.ACTIVE or present is None:
            raise UnknownParticipant(f"{participant} is {member.status.value}, or its key is revoked")
        return present

    def exchange_statement(
        self, envelope: str | bytes, kind: type[S], *, place: tuple[str, int] | None = None
    ) -> Signed[S]:
        """Read what the exchange signed; raise SignatureInvalid, KeyEnded, EnvelopeInvalid or BadMessage.

        A former key counts where ``place``, shard and index, is proved by the caller and lies below its end.
        """
        text = envelope_text(envelope)

        def read() -> Signed[S]:
            current = self._stored()
            past = [] if current is None else current.past_keys
            windows = PartyWindows.of(self.exchange_key.text, past, "statement")
            return windows.read(text, kind, lambda _digest: _proved(place), self._shards())

        return self._with_news(read)

    def participant_statement(self, envelope: str | bytes, kind: type[S], participant: str) -> Signed[S]:
        """Read a statement signed by a member, suspended and revoked ones included: their past stands.

        Where a former key signed it, its place in the log is proved first. Raises SignatureInvalid, KeyEnded,
        PlaceUnproven.
        """
        text = envelope_text(envelope)
        return self._with_news(
            lambda: self._windows(participant).read(text, kind, self._places.of, self._shards())
        )

    def receipt(self, envelope: str | bytes, participant: str, granted: tuple[str, int]) -> Signed[Receipt]:
        """Read a receipt for the grant at a place in the log; raise SignatureInvalid or KeyEnded."""
        text = envelope_text(envelope)
        return self._with_news(lambda: self._windows(participant).read_receipt(text, granted, self._shards()))

    def own_statement(self, envelope: str, kind: type[S], present: PublicKey) -> Signed[S]:
        """Read what this node signed and kept, with its ``present`` key or a former one of its own."""
        past = past_of(self._stored(), self._identity.participant)
        return PartyWindows.of(present.text, past, "node").read_own(envelope, kind)

    def seek_news(self) -> bool:
        """Look for a newer directory, at most once a second; say whether there was one."""
        before = self.directory_number()
        try:
            self._refresh_for_stranger()
        except HeadwatersError:
            return False  # what was known stays, and so does the refusal that asked for news
        return self.directory_number() > before

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
            SignatureInvalid, DirectoryRolledBack, DirectoryForked, DirectoryExpired, KeyChainBroken,
            MemberKeyChanged, PlaceUnproven, TooManyWitnesses, OutsideTrustRoot, ClockBehind; then the
            old directory stays.
        """
        text = self._broker.directory()
        exchange = check_statement_keys(self._pinned_key, peek_statement(text, Directory).statement.past_keys)
        signed = read_statement(text, Directory, exchange[-1])
        fresh = signed.statement
        self._check_period(fresh)
        self._roots.check(self._view(fresh))
        with self._database.read() as session:
            self._check_follows(session, signed, exchange)
        self._places.check_news(self._stored(), fresh)
        with self._database.transaction() as session:
            self._check_follows(session, signed, exchange)  # another directory may have come in between
            store.keep_directory(session, fresh, signed.digest, signed.text)
            store.raise_mark(session, store.NEWEST_AT, epoch_ms(fresh.issued_at))
        with self._lock:
            if self._current is None or self._current.number <= fresh.number:
                self._current = fresh
        return fresh

    def pin(self, participant: str, keys: Pin) -> None:
        """Pin a participant's keys before any directory names them: a node pins its own."""
        with self._database.transaction() as session:
            if participant not in store.pins(session):
                store.pin(session, participant, keys)

    # --- revocations ------------------------------------------------------------------------------

    def revocations(self, max_age_seconds: float = REVOCATIONS_AGE_SECONDS) -> Revocations:
        """Give a revocation list that is fresh enough; see ``RevocationWatch.fresh``."""
        return self._watch.fresh(max_age_seconds)

    # --- the log (``nodes.trusting.log_sight``) -------------------------------------------------------------

    @property
    def sight(self) -> LogSight:
        """The log as this node has seen it."""
        return self._sight

    def see_checkpoint(self, note: bytes) -> Checkpoint:
        """Verify a checkpoint; see ``LogSight.see_checkpoint``."""
        return self._sight.see_checkpoint(note)

    def last_checkpoint(self) -> Checkpoint | None:
        """Give the largest checkpoint that was verified."""
        return self._sight.last_checkpoint()

    def newest_at(self) -> datetime | None:
        """Give the newest moment that the exchange, or enough witnesses, have vouched for."""
        return self._sight.newest_at()

    def guard_clock(self) -> datetime:
        """Give the present moment; raise ClockBehind when this clock is behind the newest verified one."""
        return self._sight.guard_clock()

    def witness_policy(self) -> WitnessPolicy:
        """Give the alliance's quorum over its witnesses; raise QuorumMissing while too few have joined."""
        return self._sight.witness_policy()

    def witness_keys(self) -> dict[str, VerifierKey]:
        """Give the keys of the witnesses that the verified directory names, by participant."""
        current = self._stored()
        members = [] if current is None else current.members
        return {
            member.participant: VerifierKey.parse(member.witness_vkey)
            for member in members
            if member.witness_vkey is not None
            and member.status is not MemberStatus.REVOKED
            and self._roots.admits(member.participant)
        }

    # --- trust root -------------------------------------------------------------------------------

    @property
    def roots(self) -> TrustRoots:
        """The trust roots that the provinces signed, as this node adopted them."""
        return self._roots

    def view(self) -> View:
        """Give what this node has verified by itself, from which a trust root is drawn."""
        return self._view(self.directory())

    def export_trust_root(self) -> TrustFile:
        """Give the trust root for offline verification and keep it as ``trust.json`` in the home.

        Raises QuorumMissing while too few witnesses have joined.
        """
        self.witness_policy()
        # The mailbox and an outbox may both have reason to: one draft at a time, never an older view last.
        with self._exporting:
            return self._roots.write(self.view())

    def keep_trust_root(self) -> bool:
        """Write ``trust.json`` where enough witnesses have joined for one; say whether it was written."""
        try:
            self.export_trust_root()
        except QuorumMissing:
            return False
        return True

    # --- private ----------------------------------------------------------------------------------

    def _possible_witnesses(self) -> list[Member]:
        current = self._stored()
        return [] if current is None else [m for m in current.members if self._roots.admits(m.participant)]

    def _view(self, directory: Directory) -> View:
        logs = trusted_logs(self.shards.all(), directory)
        key = check_statement_keys(self._pinned_key, directory.past_keys)[-1]
        return View(directory, key.text, logs)

    def _listed_revocations(self) -> Revocations:
        listed = self.exchange_statement(self._broker.revocations(), Revocations).statement
        self._check_not_ahead(listed.issued_at)
        return listed

    def _windows(self, participant: str) -> PartyWindows:
        return PartyWindows.of_member(self.member(participant))

    def _shards(self) -> tuple[str, ...]:
        return self.shards.origins()

    def _with_news(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except SignatureInvalid:
            # A key may have been replaced a moment ago, and this node not have heard of it.
            if not self.seek_news():
                raise
        return read()

    def _check_follows(
        self, session: Session, signed: Signed[Directory], exchange: tuple[PublicKey, ...]
    ) -> None:
        last, fresh = store.newest_directory(session), signed.statement
        if last is not None:
            check_succession(last.number, last.digest, fresh, signed.digest)
            check_growth(peek_statement(last.envelope, Directory).statement, fresh)
        check_members(
            fresh,
            store.pins(session),
            exchange={key.key_id: key for key in exchange},
            quorum=self._identity.quorum,
            witnesses=self._identity.witnesses,
        )

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


def _find(directory: Directory, participant: str) -> Member | None:
    return next((member for member in directory.members if member.participant == participant), None)


def _proved(place: tuple[str, int] | None) -> tuple[str, int]:
    if place is None:
        raise KeyEnded("a former key of the exchange signed this, and it is not logged")
    return place
