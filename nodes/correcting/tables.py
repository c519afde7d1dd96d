"""The rows of a node's objections, made and received, and of releases that were replaced.

Moments are whole milliseconds since 1970 in UTC. What is wrong with which record is here in the clear: this
is the objector's or the provider's own node, and the exchange holds only sealed bytes.
"""

from sqlalchemy import BigInteger, Boolean, Integer, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from nodes.tables import NodeTable


class ObjectionRow(NodeTable, table=True):
    """One objection; ``state``, ``due_at`` and ``closed_why`` are as they were last heard and verified.

    ``particulars`` is None where this node cannot read them. ``sealed`` are the very bytes that were sent,
    ``sealed_to`` the provider's key that opens them; ``sent`` is false until the exchange has the objection.
    """

    __tablename__ = "objection"

    objection: str = Field(sa_type=String(14), primary_key=True)
    role: str = Field(sa_type=String(12))
    dataset: str = Field(sa_type=String(63), index=True)
    release: int = Field(sa_type=Integer)
    digest: str = Field(sa_type=String(71))
    envelope: str = Field(sa_type=LongText)
    particulars: str | None = Field(default=None, sa_type=LongText)
    sealed: str = Field(default="", sa_type=LongText)
    sealed_to: str | None = Field(default=None, sa_type=String(60))
    sent: bool = Field(default=True, sa_type=Boolean, index=True)
    state: str = Field(sa_type=String(12), index=True)
    due_at: int | None = Field(default=None, sa_type=BigInteger)
    guessed_years: str = Field(default="", sa_type=String(80))
    overdue: bool = Field(default=False, sa_type=Boolean)
    correction: int | None = Field(default=None, sa_type=Integer)
    closed_why: str | None = Field(default=None, sa_type=String(200))
    person: str | None = Field(default=None, sa_type=String(200))
    at: int = Field(sa_type=BigInteger)


class ObjectionStepRow(NodeTable, table=True):
    """One step of either side; ``words`` are in the clear, and None where nothing was said or none opened."""

    __tablename__ = "objection_step"

    objection: str = Field(sa_type=String(14), primary_key=True)
    number: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(sa_type=String(71))
    envelope: str = Field(sa_type=LongText)
    sealed: str | None = Field(default=None, sa_type=LongText)
    words: str | None = Field(default=None, sa_type=LongText)
    sent: bool = Field(default=True, sa_type=Boolean, index=True)
    person: str | None = Field(default=None, sa_type=String(200))
    at: int = Field(sa_type=BigInteger)


class ReplacedRow(NodeTable, table=True):
    """A release of another provider that a later one replaces, as the provider signed it."""

    __tablename__ = "replaced_release"

    dataset: str = Field(sa_type=String(63), primary_key=True)
    number: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    by: int = Field(sa_type=Integer)
    manifest: str = Field(sa_type=String(71))
    at: int = Field(sa_type=BigInteger)
