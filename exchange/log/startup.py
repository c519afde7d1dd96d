"""Before the log signs again: ask the witnesses what they saw, and stay sealed when one saw more.

With n witnesses and a quorum of k, any n − k + 1 of them include one that cosigned the newest published
checkpoint; when so many have answered a fresh challenge and none is ahead of this log or contradicts it, no
published history can be forked by a restart or an old backup (docs/explanation/evidence.md).
"""

import asyncio
import base64
import secrets

import structlog

from audit.dsse import parse_envelope
from audit.entry import Entry, EntryKind
from audit.keys import PublicKey
from audit.unit import Unit
from contracts.errors import HeadwatersError, Unauthenticated, Unavailable
from contracts.messages import Challenge, ChallengeAnswer
from exchange.log import store
from exchange.members.model import MemberRecord
from exchange.parts import Parts

CHALLENGE = "/witness/challenge"
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


class Opening:
    """The start-up check of one log."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._heard: set[str] = set()

    async def run(self) -> None:
        """Ask until the log may open, or must stay sealed for good."""
        while self._parts.log.sealed and self._parts.log_state.refusal is None:
            await self.round()
            if self._parts.log.sealed:
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
            await parts.log.commit(self._activate_policy)

    def _activate_policy(self, unit: Unit) -> None:
        """Log the policy that decides from now on, where it is another than before."""
        digest = self._parts.policy.digest
        if store.active_policy(unit.session) != digest:
            unit.append(Entry(EntryKind.POLICY_ACTIVATE, unit.now, {"pol": digest}))

    async def _ask(self, witness: MemberRecord) -> None:
        try:
            answer = await self._answer(witness)
            await asyncio.to_thread(self._compare, answer)
        except HeadwatersError as error:
            log.warning("challenge_failed", participant=witness.participant, code=error.code)
            if isinstance(error, LogBehindWitnesses):
                self._parts.log_state.refuse(error.detail)
            return
        self._heard.add(witness.participant)

    async def _answer(self, witness: MemberRecord) -> ChallengeAnswer:
        challenge = Challenge(origin=self._parts.settings.origin, nonce=secrets.token_urlsafe(24))
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

    def _compare(self, answer: ChallengeAnswer) -> None:
        """Hold an answer against the local log; raise LogBehindWitnesses."""
        size = self._parts.log.size()
        if answer.size > size:
            raise LogBehindWitnesses(
                f"{answer.participant} cosigned {answer.size} entries, this log has {size}",
                participant=answer.participant,
                seen=answer.size,
                size=size,
            )
        if answer.size and base64.b64encode(self._parts.log.root(answer.size)).decode() != answer.root:
            raise LogBehindWitnesses(
                f"{answer.participant} cosigned another history of {answer.size} entries",
                participant=answer.participant,
                seen=answer.size,
                size=size,
            )
