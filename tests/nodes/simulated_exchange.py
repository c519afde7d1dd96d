"""A small exchange in memory that really signs: membership, directory, log, events and mailbox over httpx.

It stands in for the exchange where a node is tested alone; ``transport`` serves sync and async clients alike.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import orjson

from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import format_add_checkpoint
from audit.formats.dsse import parse_envelope
from audit.formats.merkle import consistency_path, inclusion_path, leaf_hash, tree_root
from audit.formats.note import NoteSigner, format_note
from audit.formats.tile import encode_bundle, parse_entries_path, parse_tile_path
from audit.httpsig import sign_request, verify_request
from audit.keys.signing import PublicKey, SigningKey, fingerprint
from audit.keys.trust_file import RootList, SignedRoot
from contracts.clock import Clock
from contracts.errors import HeadwatersError, NotFound, Unavailable
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    Directory,
    Heads,
    Inclusion,
    Invite,
    Level,
    MailboxAnswer,
    MailboxRequest,
    Member,
    MemberStatus,
    PollAnswer,
    Profile,
    Registration,
    Revocations,
    SecurityEvent,
    Severity,
    Text,
)
from contracts.problem import MEDIA_TYPE, document, status_of
from nodes.registration import invite_text
from nodes.signed import sign_statement

ORIGIN = "log.example/2026"
URL = "http://127.0.0.1:9"
PROFILE = Profile(
    name=Text(zh="四川省生态环境厅", en="Sichuan"),
    admin_code="510000",
    admin_code_edition="2024",
    level=Level.PROVINCE,
    sector="government",
)


@dataclass
class SimulatedExchange:
    """Everything is in memory; tests reach into it to misbehave."""

    clock: Clock
    quorum: int = 1
    witnesses: int = 2
    statement_key: SigningKey = field(default_factory=SigningKey.generate)
    log_key: SigningKey = field(default_factory=SigningKey.generate)
    invites: dict[str, Invite] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    second_keys: list[str] = field(default_factory=list)
    number: int = 0
    previous: str | None = None
    current: str = ""
    revocation_number: int = 0
    leaves: list[bytes] = field(default_factory=list)
    leaf_bytes: dict[bytes, bytes] = field(default_factory=dict)  # by leaf hash
    cosignatures: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    roots: list[SignedRoot] = field(default_factory=list)
    proposals: list[SignedRoot] = field(default_factory=list)
    statements: dict[str, int] = field(default_factory=dict)  # digest to index
    reported: list[bytes] = field(default_factory=list)  # proofs of two histories
    inbox: list[MailboxRequest] = field(default_factory=list)
    answers: dict[str, MailboxAnswer] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False
    relayed: Callable[[httpx.Request], httpx.Response] | None = None

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    @property
    def signer(self) -> NoteSigner:
        return NoteSigner(ORIGIN, self.log_key)

    @property
    def founding_vkey(self) -> str:
        """The log's first key, which every invite pins."""
        return str(self.signer.verifier_key)

    def invite(self, *, witness: bool = True, url: str = URL, hours: float = 24) -> str:
        invite = Invite(
            exchange_url=url,
            participant=new_id(Kind.PARTICIPANT),
            profile=PROFILE,
            witness=witness,
            secret="s" * 40,
            origin=ORIGIN,
            log_vkey=self.founding_vkey,
            statement_key=self.statement_key.public.text,
            quorum=self.quorum,
            witnesses=self.witnesses,
            expires_at=self.clock.now() + timedelta(hours=hours),
        )
        self.invites[invite.participant] = invite
        return invite_text(invite)

    def approve(self, participant: str) -> None:
        self.set_member(self.members[participant].model_copy(update={"status": MemberStatus.ACTIVE}))

    def set_member(self, member: Member) -> None:
        self.members[member.participant] = member
        self.issue_directory()

    def issue_directory(self, **changes: object) -> str:
        """Sign the next directory; ``changes`` spoil it."""
        self.number += 1
        listed = [m for m in self.members.values() if m.status is not MemberStatus.PENDING]
        directory = Directory(
            number=self.number,
            previous=self.previous,
            issued_at=self.clock.now(),
            expires_at=self.clock.now() + timedelta(days=1),
            quorum=self.quorum,
            members=listed,
            second_keys=self.second_keys,
        ).model_copy(update=changes)
        signed = sign_statement(directory, self.statement_key)
        self.previous, self.current = signed.digest, signed.text
        return signed.text

    def revocations(self) -> str:
        listed = Revocations(
            number=self.revocation_number,
            issued_at=self.clock.now(),
            expires_at=self.clock.now() + timedelta(seconds=5),
            participants=[],
            agreements=[],
            grants=[],
        )
        return sign_statement(listed, self.statement_key).text

    def add_event(
        self,
        number: int | None = None,
        *,
        event_class: str = "access.probing",
        facts: dict[str, int | str] | None = None,
    ) -> None:
        event = SecurityEvent(
            number=number or len(self.events) + 1,
            event=new_id(Kind.EVENT),
            event_class=event_class,
            severity=Severity.HIGH,
            subject=None,
            title=Text(zh="试探访问", en="Probing <b>access</b>"),
            facts={"denials": 3} if facts is None else facts,
            at=self.clock.now(),
        )
        self.events.append(sign_statement(event, self.statement_key).text)

    # --- the log ----------------------------------------------------------------------------------

    def grow(self, count: int = 1) -> None:
        self.log_entries(*(b"entry %d" % (len(self.leaves) + i) for i in range(count)))

    def log_entries(self, *entries: bytes) -> None:
        self.leaf_bytes |= {leaf_hash(entry): entry for entry in entries}
        self.leaves += [leaf_hash(entry) for entry in entries]
        self.cosignatures = []

    def log_file(self, path: str) -> bytes:
        """Give a tile or a bundle, as wide as its name says."""
        if path.startswith("tile/entries/"):
            n, width = parse_entries_path(path)
            leaves = self.leaves[256 * n : 256 * n + width]
            return encode_bundle(self.leaf_bytes[leaf] for leaf in leaves)
        level, n, width = parse_tile_path(path)
        whole = 1 << (8 * level)
        return b"".join(
            tree_root(self.leaves[index * whole : (index + 1) * whole])
            for index in range(256 * n, 256 * n + width)
        )

    def checkpoint(self, size: int | None = None) -> bytes:
        size = len(self.leaves) if size is None else size
        text = str(Checkpoint(ORIGIN, size, tree_root(self.leaves[:size])))
        return format_note(text, [self.signer.sign(text)])

    def published(self) -> bytes:
        return self.checkpoint() + "".join(self.cosignatures).encode()

    def path(self, old: int, new: int) -> list[bytes]:
        if old in {0, new}:
            return []
        return consistency_path(
            old, new, lambda level, i: tree_root(self.leaves[i << level : (i + 1) << level])
        )

    def inclusion(self, index: int) -> Inclusion:
        """Prove an entry under what is published now."""
        path = inclusion_path(
            index, len(self.leaves), lambda level, i: tree_root(self.leaves[i << level : (i + 1) << level])
        )
        return Inclusion(
            index=index,
            leaf=base64.b64encode(self.leaf_bytes[self.leaves[index]]).decode(),
            path=[base64.b64encode(one).decode() for one in path],
            checkpoint=self.published().decode(),
        )

    def add_checkpoint_body(self, old: int) -> bytes:
        return format_add_checkpoint(old, self.path(old, len(self.leaves)), self.checkpoint())

    # --- towards a node ---------------------------------------------------------------------------

    def signed_headers(
        self,
        method: str,
        uri: str,
        body: bytes = b"",
        *,
        key: SigningKey | None = None,
        keyid: str = "exchange",
    ) -> dict[str, str]:
        signer = key or self.statement_key
        return sign_request(method, uri, body, key=signer, keyid=keyid, clock=self.clock)

    def put(self, method: str, uri: str, body: bytes = b"") -> str:
        """Put a signed request into the node's mailbox; give its id."""
        request = MailboxRequest.model_validate(
            {
                "id": new_id(Kind.MESSAGE),
                "method": method,
                "target_uri": uri,
                "headers": list(self.signed_headers(method, uri, body).items()),
                "body": base64.b64encode(body).decode(),
            }
        )
        self.inbox.append(request)
        return request.id

    # --- HTTP -------------------------------------------------------------------------------------

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("refused", request=request)
        path = request.url.path.replace("/log/shards/1/", "/log/")  # there is one shard
        self.calls.append((request.method, path))
        try:
            return self._answer(request, path)
        except HeadwatersError as error:
            return httpx.Response(
                status_of(error),
                content=orjson.dumps(document(error, "urn:test")),
                headers={"content-type": MEDIA_TYPE},
            )

    def _answer(self, request: httpx.Request, path: str) -> httpx.Response:  # noqa: PLR0911
        match (request.method, *path.strip("/").split("/")):
            case ("POST", "join"):
                return self._join(request.content)
            case ("GET", "members", participant, "status"):
                return httpx.Response(
                    200, json={"participant": participant, "status": self._status(participant)}
                )
            case ("GET", "directory"):
                return httpx.Response(200, text=self.current)
            case ("GET", "revocations"):
                return httpx.Response(200, text=self.revocations())
            case ("GET", "trust", "roots"):
                since = int(request.url.params["since"])
                logged = [one for one in self.roots if one.signed.number > since]
                return httpx.Response(200, content=RootList(logged=logged, open=self.proposals).canonical())
            case ("GET", "log", "checkpoint"):
                return httpx.Response(200, content=self.published())
            case ("GET", "log", "tile", *_):
                return httpx.Response(200, content=self.log_file(path.removeprefix("/log/")))
            case ("GET", "log", "consistency", old, new):
                hashes = [base64.b64encode(one).decode() for one in self.path(int(old), int(new))]
                return httpx.Response(200, json={"path": hashes})
            case _:
                return self._signed(request, path)

    def _signed(self, request: httpx.Request, path: str) -> httpx.Response:  # noqa: PLR0911
        parts = verify_request(
            request.method,
            str(request.url),
            list(request.headers.items()),
            request.content,
            resolve=lambda keyid: PublicKey.from_text(self.members[keyid].node_key),
            clock=self.clock,
        )
        match (request.method, *path.strip("/").split("/")):
            case ("POST", "probe"):
                nonce = orjson.loads(request.content)["nonce"]
                at = self.clock.now().isoformat()
                return httpx.Response(200, json={"participant": parts.keyid, "nonce": nonce, "at": at})
            case ("GET", "events"):
                since = int(request.url.params["since"])
                return httpx.Response(200, json={"events": self.events[since:]})
            case ("GET", "log", "statements", digest) if digest in self.statements:
                return httpx.Response(200, content=self.inclusion(self.statements[digest]).canonical())
            case ("POST", "mailbox", "poll"):
                requests, self.inbox = self.inbox, []
                heads = Heads(events=len(self.events), directory=self.number)
                return httpx.Response(200, content=PollAnswer(requests=requests, heads=heads).canonical())
            case ("POST", "mailbox", "answers", message):
                self.answers[message] = MailboxAnswer.parse(request.content)
                return httpx.Response(204)
            case ("POST", "log", "forks"):
                self.reported.append(request.content)
                return httpx.Response(200, json={"evidence": "sha256:" + "0" * 64})
            case ("POST", "relay", _) if self.relayed is not None:
                return self.relayed(request)
            case _:
                raise NotFound(path)

    def _join(self, body: bytes) -> httpx.Response:
        envelope = parse_envelope(body)
        said = Registration.parse(envelope.payload_as(Registration.payload_type))
        key = PublicKey.from_text(said.node_key)
        envelope.verified_by({key.key_id: key}, {key.key_id})
        if said.participant in self.members or self.invites[said.participant].secret != said.secret:
            raise Unavailable("the invite was used")
        self.members[said.participant] = Member(
            participant=said.participant,
            profile=PROFILE,
            status=MemberStatus.PENDING,
            node_key=said.node_key,
            sealing_key=said.sealing_key,
            witness_vkey=said.witness_vkey,
            address=said.address,
            root_key=said.root_key,
        )
        return httpx.Response(202, json={"status": "pending", "fingerprint": fingerprint(said.node_key)})

    def _status(self, participant: str) -> str:
        if participant in self.members:
            return self.members[participant].status.value
        if participant in self.invites:
            return MemberStatus.INVITED.value
        raise NotFound(participant)
