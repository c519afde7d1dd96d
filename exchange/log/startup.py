"""Before the log signs again: ask the witnesses what they saw, and stay sealed when one saw more.

With n witnesses and a quorum of k, any n − k + 1 of them include one that cosigned the newest published
checkpoint; when so many have answered a fresh challenge and none is ahead of this log or contradicts it, no
published history can be forked by a restart or an old backup (docs/explanation/evidence.md). Whoever says
that it saw more shows what this log signed: one witness's word alone must not be able to stop everybody.
"""

import asyncio
import base64
import hashlib
import secrets

import structlog

from audit.formats.checkpoint import Checkpoint
from audit.formats.dsse import parse_envelope
from audit.formats.note import KeyType, VerifierKey, parse_note
from audit.keys.signing import PublicKey
from audit.log.entry import parse_entry
from audit.log.log_reader import LogReader
from audit.log.shards import ShardClosing
from contracts.errors import HeadwatersError, Unauthenticated, Unavailable
from contracts.messages import Challenge, ChallengeAnswer
from exchange.members.model import MemberRecord
from exchange.parts import Parts
from exchange.policies.starting import adopt

CHALLENGE = "/witness/challenge"
SHOWN = "/witness/{origin_hash}/checkpoint"
ASK_AGAIN_SECONDS = 1.0

log = structlog.get_logger(__name__)


class LogBehindWitnesses(Unavailable):
    """The log is behind what its witnesses saw; it signs nothing more."""

    code = "log-behind-witnesses"
    title_zh = "日志落后于见证方所见,拒绝再签署"
    next_zh = "该副本是旧备份或已损坏:停止本进程,从更新的备份或镜像恢复。"
    next_en = "This copy is an old backup or damaged: stop, and restore from a newer backup or a mirror."


class WrongChallengeAnswer(Unauthenticated):
    """The witness answered another question than the one that was asked."""

    code = "wrong-challenge-answer"
    title_zh = "见证方答复与询问不符"


class NothingShown(Unauthenticated):
    """The witness says that it saw more, and shows nothing that this log signed."""

    code = "nothing-shown"
    title_zh = "见证方声称所见更多,但未出示本日志签署的检查点"
    next_zh = "联系该见证方核对其节点;其答复暂不计入。"
    next_en = "Ask that witness to check its node; its answer does not count."


class Opening:
    """The start-up check of one log."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._heard: set[str] = set()
        self._open = False

    async def run(self) -> None:
        """Ask until the log may open, or must stay sealed for good."""
        while not self._open and self._parts.log_state.refusal is None:
            await self.round()
            if not self._open:
                await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def round(self) -> None:
        """Ask every witness that has not answered yet, and unseal when enough have and none is ahead."""
        parts, state = self._parts, self._parts.log_state
        if state.refusal is not None:
            return
        witnesses = parts.roll.witnesses()
        # Whoever was a witness once may have cosigned what was published, and now be unable to say so.
        ever = sum(1 for m in parts.roll.members() if m.was_witness)
        # Below the quorum the formula asks nobody, and a backup from the founding days would be believed.
        needed = max(1, ever - parts.settings.quorum + 1) if ever else 0
        if len(self._heard) < needed:
            silent = [w for w in witnesses if w.participant not in self._heard]
            await asyncio.gather(*(self._ask(w) for w in silent if parts.mailbox.is_listening(w.participant)))
        state.waiting_for = tuple(w.participant for w in witnesses if w.participant not in self._heard)
        state.answers_needed = max(0, needed - len(self._heard))
        if state.answers_needed == 0 and state.refusal is None:
            parts.log.unseal()
            log.info("log_unsealed", witnesses=len(witnesses), heard=len(self._heard))
            try:
                await parts.log.commit(lambda unit: adopt(unit, parts.policy.bundle))
            except ShardClosing:
                return  # the witnesses can cosign its end now; the next shard takes the policy
            self._open = True

    async def _ask(self, witness: MemberRecord) -> None:
        try:
            for shard, origin in await asyncio.to_thread(self._histories):
                answer = await self._answer(witness, origin)
                try:
                    await asyncio.to_thread(self._compare, answer, shard)
                except LogBehindWitnesses:
                    await self._check_shown(witness, answer)
                    raise
        except HeadwatersError as error:
            log.warning("challenge_failed", participant=witness.participant, code=error.code)
            if isinstance(error, LogBehindWitnesses):
                self._parts.log_state.refuse(error.detail)
            return
        self._heard.add(witness.participant)

    def _histories(self) -> list[tuple[LogReader | None, str]]:
        """Name the shards to ask about: the newest, and where it is closed the one that is to follow.

        A copy from between the two moments must not open the next shard once more.
        """
        reader = self._parts.log
        following = reader.following()
        histories: list[tuple[LogReader | None, str]] = [(reader, reader.origin)]
        return histories if following is None else [*histories, (None, following)]

    async def _answer(self, witness: MemberRecord, origin: str) -> ChallengeAnswer:
        challenge = Challenge(origin=origin, nonce=secrets.token_urlsafe(24))
        async with self._parts.mailbox.client(
            witness.participant, timeout_seconds=self._parts.settings.witness_timeout_seconds
        ) as client:
            response = await client.post(
                CHALLENGE, content=challenge.canonical(), headers={"content-type": "application/json"}
            )
        if response.status_code != 200:
            raise WrongChallengeAnswer(f"the witness answered {response.status_code}")
        key = PublicKey.from_text(witness.node_key or "")
        envelope = parse_envelope(response.content)
        envelope.verified_by({key.key_id: key}, {key.key_id})
        answer = ChallengeAnswer.parse(envelope.payload_as(ChallengeAnswer.payload_type))
        asked = (challenge.origin, challenge.nonce, witness.participant)
        if (answer.origin, answer.nonce, answer.participant) != asked:
            raise WrongChallengeAnswer("origin, nonce or participant differ")
        return answer

    async def _check_shown(self, witness: MemberRecord, answer: ChallengeAnswer) -> None:
        """Have a witness show the note that it speaks of; raise NothingShown if this log never signed it."""
        place = hashlib.sha256(answer.origin.encode()).hexdigest()
        async with self._parts.mailbox.client(
            witness.participant, timeout_seconds=self._parts.settings.witness_timeout_seconds
        ) as client:
            response = await client.get(SHOWN.format(origin_hash=place))
        if response.status_code != 200:
            raise NothingShown(f"{witness.participant} answered {response.status_code}")
        note = parse_note(response.content)
        claim = Checkpoint.parse(note.text)
        said = (claim.origin, claim.size, base64.b64encode(claim.root).decode())
        key = await asyncio.to_thread(self._log_key, answer.origin)
        if said != (answer.origin, answer.size, answer.root) or not note.verified([key]):
            raise NothingShown(f"{witness.participant} says what this log never signed")

    def _log_key(self, origin: str) -> VerifierKey:
        """Give the key of a shard, of one that is not open yet too: the last entry before it names that."""
        log = self._parts.log
        known = {shard.origin: VerifierKey.parse(shard.vkey) for shard in log.shards()}
        if origin in known:
            return known[origin]
        closing = parse_entry(log.entry(log.size() - 1))
        return VerifierKey(origin, KeyType.ED25519, PublicKey.from_text(str(closing.fields["key"])))

    def _compare(self, answer: ChallengeAnswer, shard: LogReader | None) -> None:
        """Hold an answer against a shard, or against one that is not open yet; raise LogBehindWitnesses."""
        size = 0 if shard is None else shard.size()
        if answer.size > size:
            raise LogBehindWitnesses(
                f"{answer.participant} cosigned {answer.size} entries, this log has {size}",
                participant=answer.participant,
                seen=answer.size,
                size=size,
            )
        if shard is None or not answer.size:
            return
        if base64.b64encode(shard.root(answer.size)).decode() != answer.root:
            raise LogBehindWitnesses(
                f"{answer.participant} cosigned another history of {answer.size} entries",
                participant=answer.participant,
                seen=answer.size,
                size=size,
            )
