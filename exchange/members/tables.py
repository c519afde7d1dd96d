"""The rows of the members room; written by ``exchange.members.store`` only."""

from sqlalchemy import BigInteger, Boolean, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from audit.log.tables import PLACE
from exchange.tables import ExchangeTable


class MemberRow(ExchangeTable, table=True):
    """One participant, from its invite on."""

    __tablename__ = "member"

    participant: str = Field(sa_type=String(20), primary_key=True)
    profile: str = Field(sa_type=LongText)
    status: str = Field(sa_type=String(12), index=True)
    witness: bool = Field(sa_type=Boolean)
    secret_hash: str = Field(sa_type=String(64))
    invite_expires_at: int = Field(sa_type=BigInteger)
    node_key: str | None = Field(default=None, sa_type=String(80), unique=True)
    sealing_key: str | None = Field(default=None, sa_type=String(80))
    witness_vkey: str | None = Field(default=None, sa_type=String(400), unique=True)
    address: str | None = Field(default=None, sa_type=String(200))
    root_key: str | None = Field(default=None, sa_type=String(80))
    changed_at: int = Field(sa_type=BigInteger)


class PastKeyRow(ExchangeTable, table=True):
    """A key that was replaced or revoked, and where in the log it ended; the exchange is no participant.

    ``statement`` is the envelope of the KeyRotation or KeyRevocation. Numbers rise with the log.
    """

    __tablename__ = "past_key"

    number: int = Field(sa_type=PLACE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    participant: str | None = Field(default=None, sa_type=String(20), index=True)
    role: str = Field(sa_type=String(12))
    key: str = Field(sa_type=String(400), index=True)
    origin: str = Field(sa_type=String(255))
    size: int = Field(sa_type=BigInteger)
    why: str = Field(sa_type=String(12))
    statement: str = Field(sa_type=LongText)
    at: int = Field(sa_type=BigInteger)


class PersonRow(ExchangeTable, table=True):
    """A person's public key and roles; deleting the row erases the salt behind its commitments."""

    __tablename__ = "person"

    name: str = Field(sa_type=String(64), primary_key=True)
    roles: str = Field(sa_type=String(60))
    key: str = Field(sa_type=String(80), unique=True)
    salt: str = Field(sa_type=String(64))


class PersonProposalRow(ExchangeTable, table=True):
    """A person whom an administrator wants to add, until another person confirms it."""

    __tablename__ = "person_proposal"

    name: str = Field(sa_type=String(64), primary_key=True)
    roles: str = Field(sa_type=String(60))
    key: str = Field(sa_type=String(80))
    by: str = Field(sa_type=String(64))
    at: int = Field(sa_type=BigInteger)


class DirectoryRow(ExchangeTable, table=True):
    """One issued directory: the signed envelope as it went out."""

    __tablename__ = "directory"

    number: int = Field(sa_type=PLACE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(sa_type=String(71))
    envelope: str = Field(sa_type=LongText)
    expires_at: int = Field(sa_type=BigInteger)


class RevocationRow(ExchangeTable, table=True):
    """One change to the revocation list; the newest row about a name holds."""

    __tablename__ = "revocation"

    number: int = Field(sa_type=PLACE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(sa_type=String(12))
    name: str = Field(sa_type=String(20), index=True)
    lifted: bool = Field(sa_type=Boolean)
    at: int = Field(sa_type=BigInteger)
