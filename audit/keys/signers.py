"""Whose signature counts: a party's keys, held against the places where the log has a statement.

A key that was replaced or revoked counts for what the log held before its end, and for nothing else; a date
inside a statement proves nothing. The judge remembers which keys it relied on, so that a verdict can say
which of them no province has signed for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from audit.formats.dsse import Envelope
from audit.formats.quorum import Witnessed
from audit.keys.signing import SignatureInvalid
from audit.keys.trust import TrustedKey, TrustRoot
from audit.proofs.transfer_proof import ProvenEntry
from contracts.messages import Statement

S = TypeVar("S", bound=Statement)


@dataclass(frozen=True, slots=True)
class Logged:
    """Where an entry is proven to stand: the shard and the entry's index in it."""

    origin: str
    index: int


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody whose signature is asked for: a participant, or the exchange."""

    name: str
    keys: Sequence[TrustedKey]


@dataclass
class Judge:
    """Reads checkpoints and statements under one trust root, and remembers the keys that it relied on."""

    root: TrustRoot
    now: datetime
    relied_on: set[str] = field(default_factory=set)
    _checkpoints: dict[bytes, Witnessed] = field(default_factory=dict)

    def checkpoint(self, note: bytes) -> Witnessed:
        """Verify a cosigned checkpoint, each only once; raise NoteInvalid or QuorumMissing."""
        known = self._checkpoints.get(note)
        if known is None:
            known = self._checkpoints[note] = self.root.check(note, now=self.now)
            self.relied_on.update(map(str, (known.log, *known.witnesses, *known.second_keys)))
        return known

    def included(self, proven: ProvenEntry) -> Logged:
        """Say where an entry stands; raise ProofInvalid unless it does so under its checkpoint."""
        checkpoint = self.checkpoint(proven.proof.checkpoint_note).checkpoint
        proven.verify(checkpoint)
        return Logged(checkpoint.origin, proven.proof.index)

    def statement(
        self,
        envelope: Envelope,
        kind: type[S],
        *parties: Party,
        logged: Sequence[Logged],
        closed: Sequence[Logged] = (),
    ) -> S:
        """Read a statement that each of ``parties`` signed with a key that counts.

        ``logged`` are the places by which the statement, or what already bound its signer to the key, was in
        the log; ``closed`` replaces them for revoked keys, where it is given: a thief is bound to nothing.
        Raises SignatureInvalid, EnvelopeInvalid or BadMessage.
        """
        payload = envelope.payload_as(kind.payload_type)
        every = {key.public.key_id: key for party in parties for key in party.keys}
        signed = envelope.verified_by(
            {name: key.public for name, key in every.items()}, _signed_by(envelope, every)
        )
        for party in parties:
            counted = [
                key
                for key in party.keys
                if key.public.key_id in signed and self._counts(key, logged, closed or logged)
            ]
            if not counted:
                raise SignatureInvalid(
                    f"no key of {party.name} that counts at this place in the log has signed"
                )
            self.relied_on.add(counted[-1].key)
        return kind.parse(payload)

    def counting(self, party: Party, logged: Sequence[Logged]) -> frozenset[str]:
        """Give the texts of the party's keys that count for what was logged at one of these places."""
        return frozenset(key.key for key in party.keys if self._counts(key, logged, logged))

    def _counts(self, key: TrustedKey, logged: Iterable[Logged], closed: Iterable[Logged]) -> bool:
        places = closed if key.why == "revoked" else logged
        return key.until is None or any(
            self.root.covers(key.until, place.origin, place.index + 1) for place in places
        )


def _signed_by(envelope: Envelope, known: Iterable[str]) -> frozenset[str]:
    found = frozenset(known) & {name for name, _ in envelope.signatures}
    if not found:
        raise SignatureInvalid("none of the keys that are asked for has signed")
    return found
