"""What an offline verifier relies on: one file with the keys of log, exchange, witnesses and nodes.

Keys inside a proof, a report or an export are never trusted; they are compared with these. The file is JSON,
refuses unknown fields, and is pinned at joining or handed over by other means than the evidence it judges.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field

from audit.keys import PublicKey
from audit.note import VerifierKey
from audit.quorum import WitnessPolicy
from contracts.errors import HeadwatersError, Invalid, Undecidable
from contracts.messages import KeyText, ParticipantId, Short, Text, VKey, Wire

MAX_TRUST_BYTES = 1024 * 1024


class TrustRootInvalid(Invalid):
    """The trust root contradicts itself or is not well formed."""

    code = "trust-root-invalid"
    title_zh = "信任根文件无效"
    next_zh = "向管理方重新获取信任根文件,并当面核对指纹。"
    next_en = "Get the trust root from the operator again, and compare its fingerprints out of band."


class TrustRootMissing(Undecidable):
    """There is no trust root to judge by."""

    code = "trust-root-missing"
    title_zh = "缺少信任根"
    next_zh = "用 --trust 指定信任根文件。"
    next_en = "Name a trust root with --trust."


class UnknownParticipant(Undecidable):
    """The trust root does not name this participant."""

    code = "not-in-trust-root"
    title_zh = "信任根中没有该参与方"
    next_zh = "获取较新的信任根文件后重试。"
    next_en = "Get a newer trust root and try again."


class TrustedParticipant(Wire):
    """A participant, its name, and the key that its node signs with."""

    participant: ParticipantId
    name: Text
    node_key: KeyText

    def key(self) -> PublicKey:
        """Give the node key."""
        return PublicKey.from_text(self.node_key)


class TrustRoot(Wire):
    """The trust root as it stands in its file; ``policy`` is the text of a tlog-policy file."""

    version: Literal[1] = 1
    origin: Short
    log_vkey: VKey
    statement_key: KeyText
    policy: Annotated[str, Field(max_length=64 * 1024)]
    participants: list[TrustedParticipant]

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Read the file's bytes; raise TrustRootInvalid when a part is malformed or contradicts another."""
        if len(raw) > MAX_TRUST_BYTES:
            raise TrustRootInvalid(f"a trust root has at most {MAX_TRUST_BYTES} bytes")
        try:
            root = cls.parse(raw)
            key = VerifierKey.parse(root.log_vkey)
            logs = [log.key for log in root.witness_policy().logs]
            for text in (root.statement_key, *(one.node_key for one in root.participants)):
                PublicKey.from_text(text)
        except HeadwatersError as error:
            raise TrustRootInvalid(str(error)) from error
        if key.name != root.origin or logs != [key]:
            raise TrustRootInvalid("origin, log key and policy name different logs")
        names = [one.participant for one in root.participants]
        if len(set(names)) != len(names):
            raise TrustRootInvalid("a participant stands twice in the trust root")
        return root

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file at ``path``; raise TrustRootMissing or TrustRootInvalid."""
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise TrustRootMissing(f"{path.name} cannot be read") from error
        return cls.read(raw)

    def witness_policy(self) -> WitnessPolicy:
        """Give the log and the witnesses, and how many of them it takes."""
        return WitnessPolicy.parse(self.policy)

    def exchange_key(self) -> PublicKey:
        """Give the key that the exchange signs its statements with."""
        return PublicKey.from_text(self.statement_key)

    def participant(self, name: str) -> TrustedParticipant:
        """Give what is known of a participant; raise UnknownParticipant."""
        for one in self.participants:
            if one.participant == name:
                return one
        raise UnknownParticipant(f"the trust root does not name {name}", participant=name)
