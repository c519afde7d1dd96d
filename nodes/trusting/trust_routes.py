"""What the people of a province do about the trust root at their node, over loopback (``/local/trust``).

The root key never comes here: whoever holds it signs in a process of their own and hands the signature in.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from audit.keys.trust_file import SignedRoot
from nodes.bodies import RawBody
from nodes.callers import Administrator, AnyPerson, TheNode
from nodes.trusting import root_signing

Fields = dict[str, Any]  # Any: the JSON that people and scripts read

router = APIRouter(prefix="/local/trust")


@router.get("")
def get_trust(node: TheNode, _person: AnyPerson) -> Fields:
    """Say which trust root this node goes by, and which proposals wait for signatures."""
    return root_signing.standing(node)


@router.get("/draft")
def get_draft(
    node: TheNode,
    _person: Administrator,
    days: Annotated[int, Query(ge=1, le=3650)] = root_signing.ROOT_DAYS,
) -> Fields:
    """Draw the next trust root from what this node has verified; nobody has signed it."""
    return root_signing.draw(node, days=days).model_dump(mode="json")


@router.get("/proposal")
def get_proposal(node: TheNode, _person: Administrator) -> Fields:
    """Give the open proposal that agrees with this node, to be signed."""
    return root_signing.proposal(node).model_dump(mode="json")


@router.post("/signatures")
def post_signatures(body: RawBody, node: TheNode, _person: Administrator) -> Fields:
    """Hand a signed proposal, or more signatures for one, to the exchange."""
    return root_signing.hand_in(node, SignedRoot.parse(body).checked())


@router.post("/adopt")
def post_adopt(body: RawBody, node: TheNode, _person: Administrator) -> Fields:
    """Adopt a trust root that was handed over by other means."""
    return root_signing.adopt(node, SignedRoot.parse(body).checked())
