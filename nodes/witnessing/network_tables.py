"""What a node keeps about the network: what it found wrong itself, forked logs, and what its peers said.

Moments are whole milliseconds since 1970 in UTC, as in ``nodes.tables``.
"""

from sqlalchemy import BigInteger, LargeBinary, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from nodes.tables import NodeTable


class AlarmRow(NodeTable, table=True):
    """Something that this node found wrong by itself; numbers have no gaps, the same fact stands once."""

    __tablename__ = "alarm"

    number: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(sa_type=String(71), unique=True)
    event_class: str = Field(sa_type=String(64))
    severity: str = Field(sa_type=String(10))
    title_zh: str = Field(sa_type=LongText)
    title_en: str = Field(sa_type=LongText)
    facts: str = Field(sa_type=LongText)
    at: int = Field(sa_type=BigInteger)


class LogForkRow(NodeTable, table=True):
    """A log that signed two histories: nothing of it is accepted any more; ``evidence`` is the proof file."""

    __tablename__ = "log_fork"

    origin: str = Field(sa_type=String(255), primary_key=True)
    evidence: bytes = Field(sa_type=LargeBinary)
    digest: str = Field(sa_type=String(71))
    found_at: int = Field(sa_type=BigInteger)
    told_at: int | None = Field(default=None, sa_type=BigInteger)  # when the exchange took the proof


class GossipPeerRow(NodeTable, table=True):
    """How a witness answers this node's questions; ``silent_since`` while it does not."""

    __tablename__ = "gossip_peer"

    participant: str = Field(sa_type=String(14), primary_key=True)
    asked_at: int = Field(sa_type=BigInteger)
    answered_at: int | None = Field(default=None, sa_type=BigInteger)
    silent_since: int | None = Field(default=None, sa_type=BigInteger)
    size: int | None = Field(default=None, sa_type=BigInteger)
    trouble: str | None = Field(default=None, sa_type=String(64))


class GossipClaimRow(NodeTable, table=True):
    """A log-signed checkpoint that could not yet be held against this node's own history."""

    __tablename__ = "gossip_claim"

    origin: str = Field(sa_type=String(255), primary_key=True)
    digest: str = Field(sa_type=String(71), primary_key=True)
    participant: str = Field(sa_type=String(14))
    note: bytes = Field(sa_type=LargeBinary)
    since: int = Field(sa_type=BigInteger)


class ReplayRow(NodeTable, table=True):
    """How far the mirrored log was replayed; ``heads`` is where every subscription stood there."""

    __tablename__ = "log_replay"

    origin: str = Field(sa_type=String(255), primary_key=True)
    size: int = Field(sa_type=BigInteger)
    heads: bytes = Field(sa_type=LargeBinary)
