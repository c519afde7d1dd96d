"""Witnesses for an exchange in one process: they cosign its newest checkpoint; a trust file names them."""

from dataclasses import dataclass, field

from audit.formats.cosignature import Cosigner
from audit.formats.note import parse_note
from audit.keys.signing import SigningKey
from audit.keys.trust import TrustedKey, TrustedLog, TrustedParticipant, TrustedWitness, TrustRoot
from audit.keys.trust_file import TrustFile
from contracts.messages import Text
from tests.exchange.trading import Trade


@dataclass
class Cosigned:
    """A trade whose two sides witness the log."""

    trade: Trade
    keys: list[SigningKey] = field(default_factory=lambda: [SigningKey.generate(), SigningKey.generate()])

    @property
    def witnesses(self) -> list[Cosigner]:
        return [Cosigner(f"witness.example/{number}", key) for number, key in enumerate(self.keys)]

    def publish(self) -> None:
        """Let every witness cosign the newest checkpoint, and publish it."""
        log = self.trade.alliance.parts.log
        note = log.checkpoint()
        text, now = parse_note(note).text, self.trade.alliance.clock.now()
        lines = "".join(witness.cosign(text, now) for witness in self.witnesses)
        log.publish_cosigned(note + lines.encode())

    def trust(self) -> TrustFile:
        """Give the trust file of this alliance."""
        parts = self.trade.alliance.parts
        root = TrustRoot(
            number=0,
            previous=None,
            issued_at=parts.clock.now(),
            expires_at=None,
            threshold=1,
            quorum=2,
            logs=[TrustedLog(origin=one.origin, vkey=one.vkey) for one in parts.log.shards()],
            statement_keys=[TrustedKey(key=parts.statement_key.public.text)],
            participants=[
                TrustedParticipant(
                    participant=node.id,
                    name=Text(zh="某省", en="A province"),
                    node_keys=[TrustedKey(key=node.key.public.text)],
                    witness_keys=[TrustedWitness(vkey=str(witness.verifier_key))],
                    root_key=None,
                )
                for node, witness in zip(
                    (self.trade.provider, self.trade.consumer), self.witnesses, strict=True
                )
            ],
        )
        return TrustFile.of(None, root)
