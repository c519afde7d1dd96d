"""The shards of the log: which there are, and what proves that each follows the one before."""

from typing import Annotated

from pydantic import Field

from contracts.messages.transfer import Inclusion
from contracts.messages.wire import Short, VKey, Wire


class ShardView(Wire):
    """One shard; ``closing`` proves its last entry, which names the next one, under the final checkpoint."""

    number: Annotated[int, Field(ge=1)]
    origin: Short
    vkey: VKey
    size: Annotated[int, Field(ge=0)] | None = None
    closing: Inclusion | None = None


class ShardList(Wire):
    """All shards, oldest first; none of it is to be believed before its proofs are verified."""

    shards: list[ShardView]


class ShardRequest(Wire):
    """An administrator closes the shard; the next one is named by this, or by the half-year."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] | None = None
