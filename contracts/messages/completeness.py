"""Where every subscription stands, and what each node counted: the shapes that make an omission show.

Heads are derived from the log's entries alone, so whoever holds a copy of the log can compute them again.
Counts are what a node says from its own books, signed with its own key.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.messages.transfer import Inclusion
from contracts.messages.wire import At, Digest, GrantId, ParticipantId, Short, Statement, SubscriptionId, Wire


class OpenGrant(Wire):
    """A grant that no ``done`` has closed; ``index`` is its entry's place in the shard ``origin``.

    One that is expired or aborted stays here, because both receipts may still close it, late.
    """

    grant: GrantId
    seq: Annotated[int, Field(ge=1)]
    origin: Short
    index: Annotated[int, Field(ge=0)]
    state: Literal["open", "expired", "aborted"]


class SubscriptionHead(Wire):
    """Where one subscription stands: its last transfer, its newest entry, the grants that are not done."""

    subscription: SubscriptionId
    provider: ParticipantId
    consumer: ParticipantId
    agreement: Digest
    seq: Annotated[int, Field(ge=1)]
    last_leaf: Digest
    open_grants: list[OpenGrant]


class SubscriptionHeads(Wire):
    """The heads of all subscriptions that had a transfer, by subscription."""

    version: Literal[1] = 1
    heads: list[SubscriptionHead]


class HeadsCut(Wire):
    """One ``heads`` entry: its number from 1, its place in the log, and what it says.

    ``since`` is the end of the window before, ``until`` the entry's own moment; ``size`` counts heads.
    """

    number: Annotated[int, Field(ge=1)]
    origin: Short
    index: Annotated[int, Field(ge=0)]
    since: At
    until: At
    size: Annotated[int, Field(ge=0)]
    root: Digest


class HeadsCutList(Wire):
    """The ``heads`` entries after a number, oldest first."""

    cuts: list[HeadsCut]


class ShownHead(Wire):
    """One head of a cut, its position among them, and its Merkle path (base64) to the cut's root."""

    position: Annotated[int, Field(ge=0)]
    head: SubscriptionHead
    path: list[str]


class OwnHeads(Wire):
    """What a cut says of the caller's subscriptions, with its entry proved under a cosigned checkpoint."""

    number: Annotated[int, Field(ge=1)]
    entry: Inclusion
    heads: list[ShownHead]


class CountLine(Wire):
    """One subscription's transfers that a window found done, under ``root`` (audit.completeness.counts)."""

    subscription: SubscriptionId
    role: Literal["provider", "consumer"]
    transfers: Annotated[int, Field(ge=1)]
    size_bytes: Annotated[int, Field(ge=0)]
    root: Digest


class TransferCount(Statement):
    """What a node sent and received in one window, from its own books; signed by the node."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.transfer-count.v1+json"

    participant: ParticipantId
    cut: HeadsCut
    sent: Annotated[int, Field(ge=0)]
    received: Annotated[int, Field(ge=0)]
    lines: list[CountLine]
    at: At


class CountState(Wire):
    """Where a node's count stands in the log: the index of its entry, in the shard ``origin``."""

    index: Annotated[int, Field(ge=0)]
    origin: Short
