"""Asking the witnesses: a new checkpoint goes to all at once and is published when a quorum has cosigned.

A witness is asked over the mailbox with ``add-checkpoint`` (c2sp.org/tlog-witness). Every cosignature is
verified under the key of the directory before it counts. A 422, or a 409 that names no size, means that the
witness saw another history: that is an alarm for the whole alliance, never a retry.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import SIZE_CONTENT_TYPE, Cosignature, format_add_checkpoint
from audit.formats.note import KeyType, VerifierKey, format_note, parse_note
from audit.formats.quorum import MAX_SKEW_SECONDS
from contracts.errors import HeadwatersError
from contracts.messages import Severity, Text
from exchange.members.model import MemberRecord
from exchange.parts import Alarm, Parts

ADD_CHECKPOINT = "/witness/add-checkpoint"
ACCUSED_AGAIN_AFTER = timedelta(minutes=10)  # every alarm is an entry, which a witness must not make at will
LOST_AFTER_SECONDS = 5.0  # longer than a witness's restart, shorter than anybody's patience

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Collection:
    """One checkpoint on its way: the note that the log signed, and the witnesses' lines so far."""

    note: bytes
    checkpoint: Checkpoint
    lines: dict[str, str] = field(default_factory=dict)
    second_lines: list[str] | None = None  # the exchange's own in other suites, once they are signed
    asked_at: dict[str, datetime] = field(default_factory=dict)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    def whole(self) -> bytes:
        """Give the note under the log's signature, its second lines and all cosignatures."""
        signed = parse_note(self.note)
        own = [signature.line for signature in signed.signatures]
        return format_note(signed.text, [*own, *(self.second_lines or ()), *self.lines.values()])


class Cosigning:
    """The background task that collects cosignatures; one per exchange."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sizes: dict[tuple[str, str], int] = {}  # what each witness cosigned last, by shard and name
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._accused: set[str] = set()
        self._accused_at: dict[str, datetime] = {}
        self._collection: _Collection | None = None
        self._publishing = asyncio.Lock()

    async def run(self) -> None:
        """Hold rounds until cancelled."""
        try:
            while True:
                if not self._parts.log.sealed:
                    await self.round()
                await asyncio.sleep(self._parts.settings.cosign_interval_seconds)
        finally:
            for task in self._asking.values():
                task.cancel()

    async def round(self) -> None:
        """Ask the witnesses whose cosignature is missing or old; return at a quorum, or when nobody is left.

        Witnesses that are still thinking go on; their lines are added when they come.
        """
        parts, now = self._parts, self._parts.clock.now()
        collection = await self._current()
        parts.log_state.observe(await asyncio.to_thread(parts.log.unwitnessed_since))
        witnesses = parts.roll.witnesses()
        if len(witnesses) >= parts.settings.quorum:
            tasks = [
                self._start(witness, collection)
                for witness in witnesses
                if self._due(witness, collection, now)
            ]
            if tasks:
                await self._enough(collection, tasks)
        await self._tell_transition()

    async def settle(self) -> None:
        """Wait for every witness that is still thinking."""
        await asyncio.gather(*self._asking.values())

    async def _current(self) -> _Collection:
        note = await asyncio.to_thread(self._parts.log.checkpoint)
        if self._collection is None or self._collection.note != note:
            self._collection = _Collection(note, Checkpoint.parse(parse_note(note).text))
        return self._collection

    def _due(self, witness: MemberRecord, collection: _Collection, now: datetime) -> bool:
        name = witness.participant
        if name in self._asking or not self._parts.mailbox.is_listening(name):
            return False
        asked_at = collection.asked_at.get(name)
        if name not in collection.lines or asked_at is None:
            return True
        return now - asked_at >= timedelta(seconds=self._parts.settings.freshness_seconds)

    def _start(self, witness: MemberRecord, collection: _Collection) -> "asyncio.Task[None]":
        task = asyncio.create_task(self._ask(witness, collection))
        self._asking[witness.participant] = task
        task.add_done_callback(lambda done: self._finish(witness.participant, done))
        return task

    def _finish(self, name: str, task: "asyncio.Task[None]") -> None:
        self._asking.pop(name, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("witness_task_broke", participant=name, error=type(error).__name__)

    async def _enough(self, collection: _Collection, tasks: "list[asyncio.Task[None]]") -> None:
        enough = asyncio.create_task(collection.enough.wait())
        pending: set[asyncio.Task[None]] = set(tasks)
        try:
            while pending and not collection.enough.is_set():
                done, _ = await asyncio.wait({*pending, enough}, return_when=asyncio.FIRST_COMPLETED)
                pending -= done
        finally:
            enough.cancel()

    async def _ask(self, witness: MemberRecord, collection: _Collection) -> None:
        collection.asked_at[witness.participant] = self._parts.clock.now()
        try:
            line = await self._cosignature(witness, collection)
            if line is not None:
                self._accused.discard(witness.participant)
                await self._take(witness, collection, line)
        except HeadwatersError as error:
            log.warning("witness_failed", participant=witness.participant, code=error.code)

    async def _cosignature(self, witness: MemberRecord, collection: _Collection) -> str | None:
        name, size, origin = witness.participant, collection.checkpoint.size, collection.checkpoint.origin
        for _ in range(2):
            old = self._sizes.get((origin, name), 0)
            if old > size:
                return None  # it is past this checkpoint already; the next round brings the newer one
            path = await asyncio.to_thread(self._path, origin, old, size) if old else []
            async with self._parts.mailbox.client(
                name, timeout_seconds=self._parts.settings.witness_timeout_seconds
            ) as client:
                answer = await client.post(
                    ADD_CHECKPOINT,
                    content=format_add_checkpoint(old, path, collection.note),
                    headers={"content-type": "text/plain; charset=utf-8"},
                )
            match answer.status_code:
                case 200:
                    line = self._verified(witness, collection, answer.content)
                    self._sizes[origin, name] = size
                    return line
                case 409 if _named_size(answer.headers.get("content-type", "")):
                    if not await self._learn(name, origin, answer.content):
                        return None
                case 409 | 422:
                    await self._accuse(name, collection)
                    return None
                case status:
                    log.warning("witness_refused", participant=name, status=status)
                    return None
        return None

    def _path(self, origin: str, old: int, new: int) -> list[bytes]:
        # Of the collection's own shard: the next one may have been opened while the witness was thinking.
        return self._parts.log.named(origin).consistency_path(old, new)

    def _verified(self, witness: MemberRecord, collection: _Collection, body: bytes) -> str | None:
        key = VerifierKey.parse(witness.witness_vkey or "")
        answered = parse_note(collection.note + body)
        # A blank line in the answer would move the end of the text, and the line would hold for that alone.
        same = answered.text == parse_note(collection.note).text
        for _, signature in answered.verified([key]) if same else ():
            latest = self._parts.clock.now().timestamp() + MAX_SKEW_SECONDS
            if key.type is KeyType.COSIGNATURE and Cosignature.read(signature).timestamp_seconds <= latest:
                return signature.line
        log.warning("witness_answer_without_cosignature", participant=witness.participant)
        return None

    async def _learn(self, name: str, origin: str, body: bytes) -> bool:
        """Take the size that a witness names; say whether to ask again from there."""
        text = body.strip()
        last = int(text) if text.isdigit() and len(text) < 19 else -1
        size = await asyncio.to_thread(lambda: self._parts.log.named(origin).size())
        if last < 0 or last > size:
            await self._alarm(
                name,
                "log.behind-witness",
                Text(
                    zh="见证方所见日志比本中心更长", en="A witness saw a longer log than this exchange holds"
                ),
                {"size": size, "seen": str(last)},
            )
            return False
        again = self._sizes.get((origin, name), 0) != last
        self._sizes[origin, name] = last
        return again

    async def _take(self, witness: MemberRecord, collection: _Collection, line: str) -> None:
        async with self._publishing:
            collection.lines[witness.participant] = line
            parts, size, origin = self._parts, collection.checkpoint.size, collection.checkpoint.origin
            is_past = origin == parts.log.origin and size < parts.log_state.witnessed_size
            if len(collection.lines) < parts.settings.quorum or is_past:
                return
            if collection.second_lines is None:  # once a checkpoint: SM2 and ML-DSA are slow
                text, now = parse_note(collection.note).text, parts.clock.now()
                collection.second_lines = await asyncio.to_thread(parts.second_lines.sign, origin, text, now)
            await asyncio.to_thread(parts.log.publish_cosigned, collection.whole())
            if origin == parts.log.origin:
                parts.log_state.published(size, len(collection.lines), parts.clock.now())
                parts.telemetry.witnessed_size.set(size)
        collection.enough.set()

    async def _accuse(self, name: str, collection: _Collection) -> None:
        log.error("witness_sees_a_fork", participant=name, size=collection.checkpoint.size)
        await self._alarm(
            name,
            "log.equivocation",
            Text(zh="见证方指出日志历史不一致", en="A witness says that the log's history is inconsistent"),
            {"size": collection.checkpoint.size},
        )

    async def _alarm(self, name: str, event_class: str, title: Text, facts: dict[str, int | str]) -> None:
        if name in self._accused:
            return  # said once; it is said again after the witness has agreed in between
        now, before = self._parts.clock.now(), self._accused_at.get(name)
        if before is not None and now - before < ACCUSED_AGAIN_AFTER:
            return
        await self._parts.raise_alarm(Alarm(event_class, Severity.CRITICAL, name, title, facts))
        self._accused.add(name)
        self._accused_at[name] = now

    async def _tell_transition(self) -> None:
        parts, state = self._parts, self._parts.log_state
        is_lost = self._is_lost()
        if is_lost == state.lost_quorum:
            return
        size = await asyncio.to_thread(parts.log.size)
        facts: dict[str, int | str] = {"size": size, "witnessed_size": state.witnessed_size}
        if is_lost:
            title = Text(zh="日志失去副署法定数", en="The log has lost its quorum of witnesses")
            await parts.raise_alarm(Alarm("log.quorum-lost", Severity.MEDIUM, None, title, facts))
        else:
            title = Text(zh="日志恢复副署法定数", en="The log has its quorum of witnesses again")
            await parts.raise_alarm(Alarm("log.quorum-regained", Severity.MEDIUM, None, title, facts))
        state.lost_quorum = is_lost

    def _is_lost(self) -> bool:
        """Say whether a quorum that was there is gone; an alliance that never had one has lost nothing."""
        state, now = self._parts.log_state, self._parts.clock.now()
        if state.published_at is None:
            return False
        patience = timedelta(seconds=LOST_AFTER_SECONDS)
        stale = timedelta(seconds=self._parts.settings.freshness_seconds) + patience
        waits = state.unwitnessed_since is not None and now - state.unwitnessed_since >= patience
        return waits or now - state.published_at >= stale


def _named_size(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == SIZE_CONTENT_TYPE
