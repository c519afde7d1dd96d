"""An alliance whose log three witnesses cosign, and the trust file that says so."""

from dataclasses import dataclass, field

from audit.formats.cosignature import Cosigner
from audit.formats.note import parse_note
from audit.keys.signing import SigningKey, create_key
from audit.keys.trust import TrustedKey, TrustedLog, TrustedParticipant, TrustedWitness, TrustRoot
from audit.keys.trust_file import TrustFile
from audit.log.shards import next_origin
from audit.log.unit import Unit
from contracts.messages import LoggedGrant, ReceiptRole
from tests.exchange.signers import Participant
from tests.exchange.trading import Alliance, Trade


@dataclass
class Witnessed:
    """The alliance of a trade, cosigned on demand."""

    trade: Trade
    witnesses: dict[str, Cosigner] = field(default_factory=dict)

    @property
    def alliance(self) -> Alliance:
        return self.trade.alliance

    def cosign(self) -> None:
        """Let every member cosign the newest checkpoint, and publish it."""
        parts = self.alliance.parts
        for name in self.alliance.nodes:
            self.witnesses.setdefault(name, Cosigner(f"witness.example/{name}", SigningKey.generate()))
        note = parts.log.checkpoint()
        text = parse_note(note).text
        lines = [one.cosign(text, self.alliance.clock.now()) for one in self.witnesses.values()]
        parts.log.publish_cosigned(note + "".join(lines).encode())

    def next_shard(self) -> None:
        """End the log's shard, let the witnesses cosign its end, and open the next one."""
        parts = self.alliance.parts
        last = parts.log.shards()[-1]
        key = create_key(parts.settings.shard_key_path(last.number + 1))
        origin = next_origin(parts.settings.origin, self.alliance.clock.now(), {last.origin})

        def close(unit: Unit) -> None:
            unit.close_shard(origin, key.public, parts.hooks.heads(parts, unit.session))

        parts.log.commit_blocking(close)
        self.cosign()
        parts.log.open_next_blocking()

    def trust(self, **changes: object) -> TrustFile:
        """Give the trust file of a node of this alliance."""
        parts = self.alliance.parts
        root = TrustRoot(
            number=0,
            previous=None,
            issued_at=self.alliance.clock.now(),
            expires_at=None,
            threshold=1,
            quorum=2,
            logs=[TrustedLog(origin=shard.origin, vkey=shard.vkey) for shard in parts.log.shards()],
            statement_keys=[TrustedKey(key=parts.statement_key.public.text)],
            participants=[self._party(name, node) for name, node in self.alliance.nodes.items()],
        )
        return TrustFile.of(None, root.model_copy(update=changes))

    def transfer(self, *, release: int = 1, subscription: str | None = None) -> LoggedGrant:
        """Let one release move, signed for by both sides."""
        trade = self.trade
        logged = self.alliance.request(trade.consumer, subscription or trade.subscription, release)
        given = self.alliance.receipt(trade.provider, ReceiptRole.PROVIDER, logged)
        taken = self.alliance.receipt(trade.consumer, ReceiptRole.CONSUMER, logged)
        self.alliance.deliver(trade.consumer, logged, given, taken)
        return logged

    def _party(self, name: str, node: Participant) -> TrustedParticipant:
        witness = self.witnesses[name]
        return TrustedParticipant(
            participant=name,
            name=self.alliance.parts.roll.member(name).profile.name,
            node_keys=[TrustedKey(key=node.key.public.text)],
            witness_keys=[TrustedWitness(vkey=str(witness.verifier_key))],
            root_key=None,
        )
