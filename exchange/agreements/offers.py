"""Offers to nodes: the exchange asks one side, through its mailbox, to sign the terms it wrote.

An offer changes nothing by itself and may be made again; what a node answers counts only once its signature
has been verified and committed.
"""

from contracts.errors import HeadwatersError
from contracts.messages import AgreementAnswer, AgreementOffer
from exchange.agreements.model import OfferUnanswered
from exchange.mailbox.mailbox import NodeSilent
from exchange.parts import Parts

OFFER_SECONDS = 5.0
MAX_ANSWER_BYTES = 64 * 1024


async def make_offer(parts: Parts, participant: str, offer: AgreementOffer) -> AgreementAnswer:
    """Ask a node to sign (POST /offers); raise NodeSilent or OfferUnanswered, both Unavailable."""
    if not parts.mailbox.is_listening(participant):
        raise NodeSilent(f"{participant} does not poll its mailbox", participant=participant)
    async with parts.mailbox.client(participant, OFFER_SECONDS) as client:
        response = await client.post(
            "/offers", content=offer.canonical(), headers={"content-type": "application/json"}
        )
    if response.status_code != 200 or len(response.content) > MAX_ANSWER_BYTES:
        raise OfferUnanswered(f"{participant} answered with status {response.status_code}")
    try:
        return AgreementAnswer.parse(response.content)
    except HeadwatersError as error:
        raise OfferUnanswered(f"{participant} gave an answer of another shape") from error
