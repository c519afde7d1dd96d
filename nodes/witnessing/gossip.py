"""Gossip among nodes: each asks the witnesses what they saw of the log, so that no two see different logs.

A question carries a nonce and the asker's largest checkpoint; the answer is signed by the peer's node key and
carries what the peer cosigned, what it mirrors, the path between the two views and every proof of a forked
log. It travels to the peer's address or through the exchange, which can block it but not forge it: a peer
that stays silent for long is an alarm, and so is a checkpoint that nobody can show to be of the one history.
"""

import secrets
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field

import httpx
import structlog

from audit.formats.checkpoint import Checkpoint
from audit.formats.note import parse_note
from contracts.clock import epoch_ms, monotonic_seconds
from contracts.errors import HeadwatersError, Unauthenticated, Unavailable
from contracts.messages import GossipAnswer, GossipQuestion, Severity, Text
from contracts.problem import error_from
from contracts.spelling import from_base64, to_base64
from nodes.answers import read_answer
from nodes.node import Node
from nodes.relay import ProviderLink, open_provider
from nodes.signed import Signed, read_statement, sign_statement
from nodes.trusting.directory import other_witnesses
from nodes.trusting.log_sight import ShardOverrun
from nodes.witnessing import gossip_store as store
from nodes.witnessing.forks import LogForked, LogStopped
from nodes.witnessing.mirror_files import MirrorFiles
from nodes.witnessing.witness import OtherLog

log = structlog.get_logger(__name__)

PATH = "/witness/gossip"
PERIOD_SECONDS = 300.0
ASK_SECONDS = 10.0  # how long one peer may stay silent
ROUND_SECONDS = 60.0  # how long a round waits for all; who is slower is not asked again before it is done
PATIENCE_PERIODS = 6  # silence, or an open question, for longer than this is an alarm
MAX_ANSWER_BYTES = 1024 * 1024

SILENT = "gossip.silent"
UNSETTLED = "log.unsettled"
OVERRUN = "log.overrun"
_SILENT_TITLE = Text(
    zh="见证方长时间不回答闲谈询问", en="A witness has not answered this node's questions for long"
)
_UNSETTLED_TITLE = Text(
    zh="有检查点长时间无法证明属于同一历史",
    en="A checkpoint could not be shown to be of the one history for long",
)
_OVERRUN_TITLE = Text(
    zh="日志在分片结束之后仍签署了更多条目", en="The log signed more of a shard than its last entry"
)

Link = Callable[[Node, str], ProviderLink]


class WrongGossip(Unauthenticated):
    """The peer answered another question than the one that was asked."""

    code = "wrong-gossip"
    title_zh = "闲谈应答与询问不符"
    next_zh = "联系该参与方核对其节点;节点会自动再问。"
    next_en = "Ask that participant to check its node; this node asks again by itself."


class PeerSilent(Unavailable):
    """The peer does not answer."""

    code = "peer-silent"
    title_zh = "对方节点没有应答"
    next_zh = "对方节点可能离线;节点会自动再问。"
    next_en = "The other node may be offline; this node asks again by itself."


@dataclass(frozen=True, slots=True)
class Asker:
    """How this node asks: how often a round comes, the way to a peer, and who has not answered yet."""

    node: Node
    period_seconds: float = PERIOD_SECONDS
    link: Link = open_provider
    busy: set[str] = field(default_factory=set)

    def round(self) -> None:
        """Ask every witness at once, settle what was open, and hand proofs to the exchange.

        A peer that answers badly, byte by byte or not at all spoils nothing but its own standing.
        """
        until = monotonic_seconds() + ROUND_SECONDS
        asked = [peer for peer in self.peers() if peer not in self.busy]
        self.busy.update(asked)
        threads = [threading.Thread(target=self._ask, args=[peer], daemon=True) for peer in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - monotonic_seconds()))
        self._settle()
        self._tell()

    def peers(self) -> list[str]:
        """Name the other witnesses that take part now."""
        return other_witnesses(self.node.trust.directory(), self.node.participant)

    def _ask(self, peer: str) -> None:
        try:
            self.ask(peer)
        except LogForked as error:
            log.error("gossip_found_fork", peer=peer, code=error.code)  # noqa: TRY400  # a fact, no stack
        except HeadwatersError as error:
            # The class's own code: what the peer calls its refusal is no word for this node's alarms.
            self._silent(peer, type(error).code)
        finally:
            self.busy.discard(peer)

    def ask(self, peer: str) -> None:
        """Ask one peer about the newest shard and the one before it, and take the answers in.

        The end of a shard decides what follows it, so it is compared as well; but what an ended shard's key
        signs later, when it may have been stolen, stops nothing of the newest one. Raises PeerSilent,
        WrongGossip, SignatureInvalid and its like, LogStopped.
        """
        *older, newest = self.node.trust.shards.all()
        answer = self._question(peer, newest.origin)
        trouble, heard = self._take_in(peer, answer), [answer.published]
        for shard in older[-1:]:
            with suppress(LogStopped):
                said = self._question(peer, shard.origin)
                trouble = self._take_in(peer, said) or trouble
                heard.insert(0, said.published)
        if self.node.witness is not None and trouble is None:
            for published in heard:
                self.node.witness.hear(peer, None if published is None else published.encode())
        size = None
        if trouble is None and answer.published is not None:
            size = self.node.trust.sight.overhear(answer.published.encode()).size
        with self.node.database.transaction() as session:
            store.note_answer(session, peer, size=size, trouble=trouble, at=self._now_ms())

    def _take_in(self, peer: str, answer: GossipAnswer) -> str | None:
        """Hold what a peer saw against what this node saw; give the code of what was wrong with it."""
        trouble: str | None = None
        for proof in answer.forks:
            self._keep_fork(proof)
        path = [from_base64(text) for text in answer.path]
        for note, offered in ((answer.published, path), (answer.cosigned, [])):
            if note is None:
                continue
            try:
                self.node.trust.sight.see_checkpoint(note.encode(), offered)
            except LogStopped:
                raise
            except ShardOverrun:
                self._alarm_overrun(peer, note.encode())
            except (LogForked, Unavailable):
                self._keep_claim(peer, note.encode())
            except HeadwatersError as error:
                trouble = error.code
        return trouble

    def _question(self, peer: str, origin: str) -> GossipAnswer:
        sighting = self.node.trust.sight.last_sighting(origin)
        question = GossipQuestion(
            origin=origin,
            nonce=secrets.token_urlsafe(24),
            checkpoint=None if sighting is None else sighting.note.decode(),
        )
        raw = self._post(peer, question.canonical())
        key = self.node.trust.node_key(peer)
        answer = read_statement(raw.decode("utf-8", "replace"), GossipAnswer, key).statement
        if (answer.origin, answer.nonce, answer.participant) != (question.origin, question.nonce, peer):
            raise WrongGossip("origin, nonce or participant differ")
        return answer

    def _post(self, peer: str, body: bytes) -> bytes:
        headers = {"content-type": "application/json"}
        try:
            with self.link(self.node, peer) as way:
                request = way.client.build_request(
                    "POST", PATH, content=body, headers=headers, timeout=ASK_SECONDS
                )
                with closing(way.client.send(request, stream=True)) as response:
                    raw = read_answer(response, MAX_ANSWER_BYTES)
        except httpx.TransportError as error:
            raise PeerSilent(f"{peer} does not answer: {type(error).__name__}") from error
        if not response.is_success:
            raise error_from(response.status_code, raw)
        return raw

    def _keep_fork(self, text: str) -> None:
        with suppress(HeadwatersError):
            raw = from_base64(text)
            self.node.forks.keep(raw, *(shard.key for shard in self.node.trust.shards.all()))

    def _keep_claim(self, peer: str, note: bytes) -> None:
        origin = self.node.trust.sight.overhear(note).origin
        with self.node.database.transaction() as session:
            store.keep_claim(session, origin, note, peer, self._now_ms())

    def _silent(self, peer: str, code: str) -> None:
        now = self._now_ms()
        with self.node.database.transaction() as session:
            since = store.note_silence(session, peer, code, now)
        if self._long(since):
            facts: dict[str, int | str] = {"participant": peer, "since": since, "code": code}
            self.node.alarms.raise_alarm(SILENT, Severity.MEDIUM, _SILENT_TITLE, facts)

    def _settle(self) -> None:
        """Ask again about every checkpoint that is not settled; one that stays so for long is an alarm."""
        with self.node.database.read() as session:
            waiting = store.claims(session)
        for claim in waiting:
            try:
                seen = self.node.trust.sight.see_checkpoint(claim.note)
            except LogStopped:
                continue
            except LogForked:
                if self._long(claim.since):
                    self._alarm_unsettled(claim.participant, claim.note, claim.since)
                continue
            except HeadwatersError:
                continue  # the exchange is away, or this clock is behind: that is no finding about the log
            log.info("checkpoint_settled", size=seen.size, participant=claim.participant)
            with self.node.database.transaction() as session:
                store.drop_claim(session, claim)

    def _alarm_unsettled(self, peer: str, note: bytes, since: int) -> None:
        claim = self.node.trust.sight.overhear(note)
        facts: dict[str, int | str] = {
            "participant": peer,
            "origin": claim.origin,
            "size": claim.size,
            "root": to_base64(claim.root),
            "since": since,
        }
        self.node.alarms.raise_alarm(UNSETTLED, Severity.HIGH, _UNSETTLED_TITLE, facts)

    def _alarm_overrun(self, peer: str, note: bytes) -> None:
        """The log signed this beyond the end that a quorum cosigned: the note in the log file is evidence."""
        claim = Checkpoint.parse(parse_note(note).text)
        log.critical("shard_overrun", peer=peer, note=note.decode())
        facts: dict[str, int | str] = {"participant": peer, "origin": claim.origin, "size": claim.size}
        self.node.alarms.raise_alarm(OVERRUN, Severity.CRITICAL, _OVERRUN_TITLE, facts)

    def _tell(self) -> None:
        """Hand every proof to the exchange, which tells everybody and stops its log, if it is honest."""
        for raw in self.node.forks.untold():
            try:
                self.node.broker.report_fork(to_base64(raw))
            except HeadwatersError as error:
                log.warning("fork_not_reported", code=error.code)
                continue
            self.node.forks.told(raw)

    def _long(self, since_ms: int) -> bool:
        return self._now_ms() - since_ms >= PATIENCE_PERIODS * self.period_seconds * 1000

    def _now_ms(self) -> int:
        return epoch_ms(self.node.clock.now())


def answer(node: Node, question: GossipQuestion) -> Signed[GossipAnswer]:
    """Say under the node's key what was seen of a shard; raise OtherLog for one that is not known here.

    The asker's checkpoint is held against the mirror, so both sides find a fork; nobody is called meanwhile.
    """
    shard = node.trust.shards.named(question.origin)
    if shard is None:
        raise OtherLog("this node follows another log, or has not come to this shard yet")
    files = node.mirror.files(shard.number)
    said = GossipAnswer(
        origin=question.origin,
        nonce=question.nonce,
        participant=node.participant,
        cosigned=_text(node.witness.last_note(shard.origin) if node.witness is not None else None),
        published=_text(files.note()),
        path=[to_base64(value) for value in _path(node, files, question.checkpoint)],
        forks=[to_base64(raw) for raw in node.forks.proofs()[:8]],
        at=node.clock.now(),
    )
    return sign_statement(said, node.node_key)


def _path(node: Node, files: MirrorFiles, checkpoint: str | None) -> list[bytes]:
    """Give the path from what is mirrored to its own root at the asker's size, where it reaches that far."""
    if checkpoint is None:
        return []
    with suppress(HeadwatersError):
        claim = node.trust.sight.overhear(checkpoint.encode())
        whole = files.checkpoint()
        if whole is not None and whole.origin == claim.origin and 0 < claim.size < whole.size:
            return files.path(claim.size, whole.size)
    return []


def _text(note: bytes | None) -> str | None:
    return None if note is None else note.decode()
