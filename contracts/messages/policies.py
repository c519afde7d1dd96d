"""Change of policy: what two people sign before another bundle of rules decides.

Both name the bundle, the one that it follows and the exchange, so neither counts for another change. The
salt keeps a name from being guessed from the digest that stands in the log.
"""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from contracts.identifiers import parse_name
from contracts.messages.wire import At, Digest, Long, Short, Statement

PersonName = Annotated[str, AfterValidator(parse_name)]
Salt = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PolicyProposal(Statement):
    """An administrator asks that ``bundle`` decides in the place of ``previous``.

    ``widens`` says that more than before may be permitted, and that this is meant.
    """

    payload_type: ClassVar[str] = "application/vnd.headwaters.policy-proposal.v1+json"

    origin: Short
    bundle: Digest
    previous: Digest
    widens: bool
    why: Long
    person: PersonName
    salt: Salt
    at: At


class PolicyApproval(Statement):
    """Another person agrees to a proposal, which is named by the digest of its payload."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.policy-approval.v1+json"

    origin: Short
    proposal: Digest
    bundle: Digest
    previous: Digest
    widens: bool
    person: PersonName
    salt: Salt
    at: At
