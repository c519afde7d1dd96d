"""Participants who sign: they answer the exchange's offers in process, each in its own manner."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from audit.formats.dsse import sign
from audit.httpsig import verify_request
from audit.keys.signing import PublicKey, SigningKey
from contracts.messages import (
    Agreement,
    AgreementAnswer,
    AgreementOffer,
    CorrectionNews,
    MailboxAnswer,
    MemberStatus,
    Text,
)
from exchange.identity import Caller
from exchange.mailbox.mailbox import Mailbox, NodeSilent
from exchange.parts import Parts

Manner = Literal["sign", "hold", "refuse", "silent", "other-terms", "nonsense", "forge"]


@dataclass
class Participant:
    """A member with a key, and its manner of answering offers."""

    id: str
    key: SigningKey
    manner: Manner = "sign"
    offers: list[AgreementOffer] = field(default_factory=list)
    news: list[CorrectionNews] = field(default_factory=list)
    while_told: Callable[[], None] | None = None

    @property
    def caller(self) -> Caller:
        """Give the caller that an authenticated request of this participant becomes."""
        return Caller(self.id, self.key.public, MemberStatus.ACTIVE)

    def answer(self, offer: AgreementOffer) -> AgreementAnswer:
        """Answer an offer in this participant's manner."""
        self.offers.append(offer)
        payload = offer.agreement_payload.encode()
        match self.manner:
            case "hold":
                return AgreementAnswer(outcome="held")
            case "refuse":
                return AgreementAnswer(outcome="refused", reasons=[Text(zh="不同意", en="no")])
            case "other-terms":
                payload = payload.replace(b"city-air", b"city-sky")
            case "forge":
                key = SigningKey.generate()
                forged = sign(Agreement.payload_type, payload, [key])
                renamed = replace(forged, signatures=((self.key.key_id, forged.signatures[0][1]),))
                return AgreementAnswer(outcome="signed", envelope=renamed.encode().decode())
            case "sign" | "silent" | "nonsense":
                pass
        envelope = sign(Agreement.payload_type, payload, [self.key])
        return AgreementAnswer(outcome="signed", envelope=envelope.encode().decode())


class NodesInProcess(Mailbox):
    """A mailbox whose nodes answer at once, after they have checked the exchange's signature."""

    def __init__(self, parts: Parts, nodes: dict[str, Participant]) -> None:
        super().__init__(parts.statement_key, parts.clock)
        self._parts = parts
        self._nodes = nodes

    def is_listening(self, participant: str) -> bool:
        """Say whether the node is there."""
        return self._nodes[participant].manner != "silent"

    async def call(
        self,
        participant: str,
        *,
        method: str,
        target_uri: str,
        headers: list[tuple[str, str]],
        body: str,
        timeout_seconds: float,  # noqa: ARG002  # they answer at once
    ) -> MailboxAnswer:
        """Let the node answer POST /offers, and take POST /corrections."""
        node, raw = self._nodes[participant], base64.b64decode(body)
        if node.manner == "silent":
            raise NodeSilent(participant)
        verify_request(
            method,
            target_uri,
            headers,
            raw,
            resolve=lambda _keyid: PublicKey(self._parts.statement_key.public_raw),
            clock=self._parts.clock,
        )
        if (method, target_uri) == ("POST", f"http://{participant}.node/corrections"):
            return self._take_news(node, raw)
        assert (method, target_uri) == ("POST", f"http://{participant}.node/offers")
        given = node.answer(AgreementOffer.parse(raw)).canonical()
        if node.manner == "nonsense":
            given = b'{"outcome":"maybe"}'
        return MailboxAnswer(status=200, headers=[], body=base64.b64encode(given).decode())

    def _take_news(self, node: Participant, raw: bytes) -> MailboxAnswer:
        news = CorrectionNews.parse(raw)
        if node.manner != "sign":
            return MailboxAnswer(status=500, headers=[], body="")
        node.news.append(news)
        if node.while_told is not None:
            node.while_told()
        return MailboxAnswer(status=204, headers=[], body="")
