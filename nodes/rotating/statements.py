"""Reading what others signed, under the keys that count for it.

The present key counts for everything. A key that was replaced or revoked counts for what the log holds below
the place where it ended; a receipt is held to the grant's place, and a revoked key signs none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from audit.formats.dsse import EnvelopeInvalid, parse_envelope
from audit.keys.key_history import is_below, revoked_keys
from audit.keys.signing import PublicKey, SignatureInvalid
from contracts.messages import Directory, KeyRole, LogPlace, Member, PastKey, Receipt, Statement
from nodes.signed import Signed, read_statement

S = TypeVar("S", bound=Statement)

PlaceOf = Callable[[str], tuple[str, int]]
"""Proves where the statement of a digest stands: shard and index."""


class KeyEnded(SignatureInvalid):
    """The key was replaced or revoked before the statement was logged."""

    code = "key-ended"
    title_zh = "签名密钥在该声明登记之前已更换或吊销"
    next_zh = "请签署方用现行密钥重新签署。"
    next_en = "Have the signer sign again with its present key."


@dataclass(frozen=True, slots=True)
class PartyWindows:
    """The keys with which one party signs statements: the present one, if any, and those that ended."""

    present: PublicKey | None
    ended: tuple[tuple[PublicKey, LogPlace, bool], ...]  # the key, its end, whether it was revoked

    @classmethod
    def of(cls, current: str, past: Sequence[PastKey], role: KeyRole) -> Self:
        """Take them from the directory; a key that ended twice ended the first time."""
        revoked = revoked_keys(past)
        first = {one.key: one for one in reversed(past) if one.role == role}
        ended = tuple(
            (PublicKey.from_text(one.key), one.until, one.key in revoked) for one in reversed(first.values())
        )
        return cls(None if current in first else PublicKey.from_text(current), ended)

    @classmethod
    def of_member(cls, member: Member) -> Self:
        """Take a participant's node keys."""
        return cls.of(member.node_key, member.past_keys, "node")

    def read(self, text: str, kind: type[S], place_of: PlaceOf, shards: Sequence[str]) -> Signed[S]:
        """Read a statement; raise KeyEnded where its key had ended before it was logged, SignatureInvalid."""
        signers = _signers(text)
        if self.present is not None and self.present.key_id in signers:
            return read_statement(text, kind, self.present)
        for key, until, _ in self.ended:
            if key.key_id in signers:
                signed = read_statement(text, kind, key)
                origin, index = place_of(signed.digest)
                if is_below(origin, index, until, shards):
                    return signed
                raise KeyEnded(f"the key {key.key_id} had ended before this was logged")
        raise SignatureInvalid("none of the signer's keys signed this")

    def read_own(self, text: str, kind: type[S]) -> Signed[S]:
        """Read what this node signed and kept, with whichever key it had; raise SignatureInvalid."""
        signers = _signers(text)
        for key in (self.present, *(key for key, _, _ in self.ended)):
            if key is not None and key.key_id in signers:
                return read_statement(text, kind, key)
        raise SignatureInvalid("none of this node's keys signed this")

    def read_receipt(self, text: str, granted: tuple[str, int], shards: Sequence[str]) -> Signed[Receipt]:
        """Read a receipt for the grant at a place; raise SignatureInvalid or KeyEnded."""
        signers = _signers(text)
        for key, until, revoked in self.ended:
            if key.key_id in signers:
                if revoked or not is_below(*granted, until, shards):
                    raise KeyEnded(f"the key {key.key_id} had ended before this grant, or was revoked")
                return read_statement(text, Receipt, key)
        if self.present is None:
            raise KeyEnded("the participant has no key that counts now")
        return read_statement(text, Receipt, self.present)


def past_of(directory: Directory | None, participant: str) -> list[PastKey]:
    """Give a participant's past keys; none where the directory does not name it."""
    members = [] if directory is None else directory.members
    found = next((one for one in members if one.participant == participant), None)
    return [] if found is None else found.past_keys


def envelope_text(envelope: str | bytes) -> str:
    """Give an envelope as text; raise EnvelopeInvalid for bytes that are none."""
    if isinstance(envelope, str):
        return envelope
    try:
        return envelope.decode()
    except UnicodeDecodeError as error:
        raise EnvelopeInvalid("an envelope is UTF-8 text") from error


def _signers(text: str) -> frozenset[str]:
    return frozenset(name for name, _ in parse_envelope(text.encode()).signatures)
