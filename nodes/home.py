"""A node's home: one private folder with the identity, the keys, the database and everything the node keeps.

Every file is reachable by its owner only (folders 0700, files 0600), and one process at a time may serve a
home. ``node.json`` is written once, by joining, and pins what the invite said.
"""

import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from audit.durable import write_private
from contracts.errors import Conflict, NotFound
from contracts.identifiers import parse_name
from contracts.messages import Invite, KeyText, ParticipantId, Profile, Short, VKey, Wire

_WITNESS_KEY = re.compile(r"witness-([1-9][0-9]{0,5})\.key", re.ASCII)


class NotJoined(NotFound):
    """This folder is not the home of a node."""

    code = "not-joined"
    title_zh = "该目录不是节点主目录"
    next_zh = "先运行 headwaters node join,或用 --home 指定正确的目录。"
    next_en = "Run headwaters node join first, or name the right folder with --home."


class HomeTaken(Conflict):
    """The home belongs to another participant."""

    code = "home-taken"
    title_zh = "该目录属于另一参与方"
    next_zh = "为新的参与方另选一个空目录。"
    next_en = "Choose another, empty folder for the new participant."


class AlreadyServing(Conflict):
    """Another process serves this home."""

    code = "already-serving"
    title_zh = "该节点已在运行"
    next_zh = "先停止正在运行的进程;同一主目录只能由一个进程打开。"
    next_en = "Stop the running process first; one process at a time opens a home."


class NodeIdentity(Wire):
    """Who this node is and whom it trusts, as the invite said; never changed afterwards."""

    participant: ParticipantId
    profile: Profile
    exchange_url: Short
    origin: Short
    log_vkey: VKey
    statement_key: KeyText
    quorum: Annotated[int, Field(ge=1, le=32)]
    witnesses: Annotated[int, Field(ge=1, le=31)]
    witness: bool
    address: Short | None

    @classmethod
    def from_invite(cls, invite: Invite, address: str | None) -> Self:
        """Take over what the invite pins."""
        return cls(
            participant=invite.participant,
            profile=invite.profile,
            exchange_url=invite.exchange_url,
            origin=invite.origin,
            log_vkey=invite.log_vkey,
            statement_key=invite.statement_key,
            quorum=invite.quorum,
            witnesses=invite.witnesses,
            witness=invite.witness,
            address=address,
        )


@dataclass(frozen=True, slots=True)
class HomeLock:
    """The right to serve a home; the system drops it when the process ends."""

    descriptor: int

    def release(self) -> None:
        """Give the right back."""
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class NodeHome:
    """The places inside a home."""

    path: Path

    @property
    def identity_file(self) -> Path:
        return self.path / "node.json"

    @property
    def node_key(self) -> Path:
        return self.path / "keys" / "node.key"

    @property
    def witness_key(self) -> Path:
        return self.witness_key_of(self.witness_number)

    @property
    def witness_number(self) -> int:
        """Give the number of the newest witness key: 1, and one more for each that took another's place."""
        numbers = [_WITNESS_KEY.fullmatch(file.name) for file in (self.path / "keys").glob("witness-*.key")]
        return max((int(match[1]) for match in numbers if match), default=1)

    def witness_key_of(self, number: int) -> Path:
        """Give the file of a witness key by its number."""
        return self.path / "keys" / ("witness.key" if number == 1 else f"witness-{number}.key")

    @property
    def sealing_key(self) -> Path:
        return self.path / "keys" / "sealing.key"

    @property
    def mask_key(self) -> Path:
        """The secret behind keyed hashes in views; made when the first is needed."""
        return self.path / "keys" / "mask.key"

    @property
    def watermark_key(self) -> Path:
        """The secret under which watermarks are made and traced."""
        return self.path / "keys" / "watermark.key"

    @property
    def root_key(self) -> Path:
        """The key that signs trust roots; kept here until somebody moves it to a place without a network."""
        return self.path / "keys" / "root.key"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{(self.path / 'node.db').absolute()}"

    @property
    def artifacts(self) -> Path:
        return self.path / "artifacts"

    @property
    def quality(self) -> Path:
        """What quality rules found in this node's releases: a folder for each dataset."""
        return self.path / "quality"

    @property
    def views(self) -> Path:
        return self.path / "views"

    @property
    def inbox(self) -> Path:
        return self.path / "inbox"

    @property
    def mirror(self) -> Path:
        """The copies of the log, one folder for each shard."""
        return self.path / "mirror"

    @property
    def evidence(self) -> Path:
        """Proofs of what a log did wrong."""
        return self.path / "evidence"

    @property
    def trust_file(self) -> Path:
        return self.path / "trust.json"

    @property
    def address_file(self) -> Path:
        return self.path / "run" / "address"

    @property
    def tls_certificate(self) -> Path:
        return self.path / "tls" / "cert.pem"

    @property
    def tls_key(self) -> Path:
        return self.path / "tls" / "key.pem"

    def person_key(self, name: str) -> Path:
        """Give the key file of a person; raise BadIdentifier for a name that is none."""
        return self.path / "people" / f"{parse_name(name)}.key"

    def create(self) -> None:
        """Make the folders, private to their owner; harmless when they exist."""
        for folder in ("", "keys", "people", "artifacts", "views", "inbox", "run"):
            (self.path / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def write_identity(self, identity: NodeIdentity) -> None:
        """Keep the identity; raise HomeTaken when the home holds another one."""
        if self.identity_file.exists():
            if self.read_identity() != identity:
                raise HomeTaken(f"the home belongs to {self.read_identity().participant}")
            return
        write_private(self.identity_file, identity.canonical())

    def read_identity(self) -> NodeIdentity:
        """Read the identity; raise NotJoined when there is none."""
        try:
            raw = self.identity_file.read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotJoined(f"there is no node in {self.path}") from error
        return NodeIdentity.parse(raw)

    def lock(self) -> HomeLock:
        """Take the right to serve; raise AlreadyServing while another process holds it."""
        descriptor = os.open(self.path / "run" / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise AlreadyServing(f"{self.path} is being served") from error
        return HomeLock(descriptor)
