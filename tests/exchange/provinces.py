"""Provinces around a real exchange over ASGI: they join, sign, poll their mailbox and cosign for real."""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from audit.formats.cosignature import SIZE_CONTENT_TYPE, Cosigner, WitnessState, judge, parse_add_checkpoint
from audit.formats.dsse import sign
from audit.formats.note import VerifierKey
from audit.httpsig import RequestSigner
from audit.keys.signing import SealingKey, SigningKey, fingerprint, load_key
from contracts.clock import FrozenClock
from contracts.messages import (
    Challenge,
    ChallengeAnswer,
    Heads,
    Invite,
    Level,
    MailboxAnswer,
    MailboxRequest,
    Poll,
    PollAnswer,
    Profile,
    Registration,
    Text,
)
from exchange.app import create_app
from exchange.log.cosigning import Cosigning
from exchange.parts import Parts
from nodes.registration import parse_invite
from policies.decision import Decision, Question

BASE = "http://127.0.0.1:8420"
ORIGIN = "audit.alliance.example/test"
SICHUAN = Profile(
    name=Text(zh="四川", en="Sichuan"),
    admin_code="51",
    admin_code_edition="GB/T 2260-2007",
    level=Level.PROVINCE,
    sector="government",
)
_NEVER = Heads(events=10**9, directory=10**9)


@dataclass
class Unasked:
    """A policy engine for tests that ask it nothing: it only has a digest."""

    digest: str

    async def decide(self, question: Question) -> Decision:
        """Refuse to be asked."""
        raise NotImplementedError

    def close(self) -> None:
        """Hold nothing."""


@dataclass
class Province:
    """A node as the exchange sees it; one that was invited as a witness follows tlog-witness.

    ``odd`` answers in its place where a test wants a node that misbehaves.
    """

    exchange: "Exchange"
    invite: Invite
    node_key: SigningKey = field(default_factory=SigningKey.generate)
    sealing_key: SealingKey = field(default_factory=SealingKey.generate)
    witness_key: SigningKey = field(default_factory=SigningKey.generate)
    root_key: SigningKey | None = None
    witness_number: int = 1
    state: WitnessState | None = None
    later_states: dict[str, WitnessState] = field(default_factory=dict)
    notes: dict[str, bytes] = field(default_factory=dict)  # what was cosigned last, as the log signed it
    asked: list[MailboxRequest] = field(default_factory=list)
    odd: Callable[[MailboxRequest], MailboxAnswer] | None = None

    @property
    def participant(self) -> str:
        return self.invite.participant

    @property
    def cosigner(self) -> Cosigner:
        number = "" if self.witness_number == 1 else f"/w{self.witness_number}"
        return Cosigner(f"witness.example/{self.participant}{number}", self.witness_key)

    @property
    def http(self) -> httpx.AsyncClient:
        """Speak to the exchange, signed by this node."""
        return self.exchange.client(self.node_key, self.participant)

    def registration(self, **changes: Any) -> bytes:
        """Write a registration signed by the node key; ``changes`` replace fields."""
        fields = {
            "participant": self.participant,
            "secret": self.invite.secret,
            "node_key": self.node_key.public.text,
            "sealing_key": self.sealing_key.public_text,
            "witness_vkey": str(self.cosigner.verifier_key) if self.invite.witness else None,
            "address": None,
            "at": self.exchange.clock.now(),
            "root_key": None if self.root_key is None else self.root_key.public.text,
        } | changes
        statement = Registration.model_validate(fields)
        return sign(Registration.payload_type, statement.canonical(), [self.node_key]).encode()

    async def join(self) -> httpx.Response:
        return await self.exchange.http.post("/join", content=self.registration())

    async def poll(self, wait_seconds: int = 0, heads: Heads = _NEVER) -> PollAnswer:
        """Poll once; unless ``heads`` says otherwise, requests alone end the wait."""
        message = Poll(wait_seconds=wait_seconds, heads=heads)
        answer = await self.http.post("/mailbox/poll", content=message.canonical())
        assert answer.status_code == 200, answer.text
        return PollAnswer.parse(answer.content)

    async def serve(self) -> None:
        """Answer the mailbox until cancelled."""
        while True:
            for request in (await self.poll(wait_seconds=5)).requests:
                self.asked.append(request)
                await self.reply(request, (self.odd or self.handle)(request))

    async def reply(self, request: MailboxRequest, answer: MailboxAnswer) -> httpx.Response:
        """Hand in the answer to one request."""
        return await self.http.post(f"/mailbox/answers/{request.id}", content=answer.canonical())

    def handle(self, request: MailboxRequest) -> MailboxAnswer:
        """Answer as a witness does, and echo anything else."""
        body = base64.b64decode(request.body)
        match request.target_uri.partition(".node")[2]:
            case "/witness/add-checkpoint":
                return self._cosign(body)
            case "/witness/challenge":
                return self._challenge(Challenge.parse(body))
            case path if request.method == "GET" and path.endswith("/checkpoint"):
                return self._show(path.split("/")[2])
            case _:
                return mailbox_answer(200, body)

    def _cosign(self, body: bytes) -> MailboxAnswer:
        request = parse_add_checkpoint(body)
        origin = request.checkpoint.origin
        # A real node follows the proofs of succession; here the exchange's own list is as good.
        keys = {shard.origin: shard.vkey for shard in self.exchange.parts.log.shards()}
        keys[self.invite.origin] = self.invite.log_vkey
        verdict = judge(self._state_of(origin), request, VerifierKey.parse(keys[origin]))
        if verdict.state is None:
            kind = SIZE_CONTENT_TYPE if verdict.last_size is not None else "text/plain"
            return mailbox_answer(verdict.status, verdict.body, kind)
        if origin == self.invite.origin:
            self.state = verdict.state
        else:
            self.later_states[origin] = verdict.state
        self.notes[origin] = request.note.encode()
        line = self.cosigner.cosign(request.note.text, self.exchange.clock.now())
        return mailbox_answer(200, line.encode())

    def _show(self, origin_hash: str) -> MailboxAnswer:
        named = {hashlib.sha256(origin.encode()).hexdigest(): note for origin, note in self.notes.items()}
        return mailbox_answer(200 if origin_hash in named else 404, named.get(origin_hash, b""))

    def _state_of(self, origin: str) -> WitnessState | None:
        return self.state if origin == self.invite.origin else self.later_states.get(origin)

    def _challenge(self, challenge: Challenge) -> MailboxAnswer:
        state = self._state_of(challenge.origin)
        answer = ChallengeAnswer(
            origin=challenge.origin,
            nonce=challenge.nonce,
            participant=self.participant,
            size=state.size if state else 0,
            root=base64.b64encode(state.root).decode() if state else "",
            at=self.exchange.clock.now(),
        )
        envelope = sign(ChallengeAnswer.payload_type, answer.canonical(), [self.node_key])
        return mailbox_answer(200, envelope.encode())


@dataclass
class Exchange:
    """A running exchange under test, with the keys of its people."""

    parts: Parts
    clock: FrozenClock

    def __post_init__(self) -> None:
        self._transport = httpx.ASGITransport(app=create_app(self.parts), raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=self._transport, base_url=BASE)

    def client(self, key: SigningKey, keyid: str, base: str = BASE) -> httpx.AsyncClient:
        """Speak to the exchange with a key of one's own."""
        auth = RequestSigner(key, keyid, clock=self.clock)
        return httpx.AsyncClient(transport=self._transport, base_url=base, auth=auth)

    def person(self, name: str) -> httpx.AsyncClient:
        """Speak as one of the exchange's people."""
        key = load_key(self.parts.settings.home / "people" / f"{name}.key")
        return self.client(key, f"person:{name}")

    async def invite(self, *, witness: bool = True) -> Province:
        """Invite a province."""
        body = {"profile": SICHUAN.model_dump(mode="json"), "witness": witness, "expires_hours": 1}
        answer = await self.person("administrator").post("/operator/invites", json=body)
        assert answer.status_code == 201, answer.text
        return Province(self, parse_invite(answer.json()["invite"]))

    async def admit(self, *, witness: bool = True, rooted: bool = False) -> Province:
        """Invite a province, let it join, and approve it; a rooted one has a root key."""
        province = await self.invite(witness=witness)
        province.root_key = SigningKey.generate() if rooted else None
        joined = await province.join()
        assert joined.status_code == 202, joined.text
        told = {"fingerprint": fingerprint(province.node_key.public.text)}
        approved = await self.act(province, "approve", told)
        assert approved.status_code == 200, approved.text
        return province

    async def act(self, province: Province, step: str, body: dict[str, str] | None = None) -> httpx.Response:
        """Do one of the administrator's acts."""
        path = f"/operator/members/{province.participant}/{step}"
        return await self.person("administrator").post(path, json=body or {})


class Serving:
    """Provinces that answer their mailboxes while the block runs."""

    def __init__(self, *provinces: Province) -> None:
        self._provinces = provinces
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        self._tasks = [asyncio.create_task(province.serve()) for province in self._provinces]
        for province in self._provinces:
            await until_listening(province)

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for province in self._provinces:
            # As if the seconds had passed for which a node counts as listening after its last poll.
            province.exchange.parts.mailbox._boxes[province.participant].seen_seconds = None


async def until_listening(province: Province) -> None:
    """Let the other tasks run until this province's poll is open."""
    mailbox = province.exchange.parts.mailbox
    while not mailbox.is_listening(province.participant):  # noqa: ASYNC110  # nobody is there to set an event
        await asyncio.sleep(0)


def mailbox_answer(
    status: int, body: bytes, content_type: str = "text/plain; charset=utf-8"
) -> MailboxAnswer:
    """Write an answer as a node hands it in."""
    return MailboxAnswer(
        status=status, headers=[("content-type", content_type)], body=base64.b64encode(body).decode()
    )


def code(response: httpx.Response) -> tuple[int, str]:
    """Give status and problem code of a refusal."""
    return response.status_code, response.json()["code"]


async def hold_round(cosigning: Cosigning, *witnesses: Province) -> None:
    """Hold one round of cosigning while these witnesses poll, and wait for the last of them."""
    async with Serving(*witnesses):
        await cosigning.round()
        await cosigning.settle()
