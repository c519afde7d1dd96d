"""What stands behind the log: values that leaves only commit to, with the salts that open them.

The rows may be erased; the leaf then says nothing more. They commit in the unit
that appends the entry, so there is no entry whose evidence was never kept.
"""

from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary, String
from sqlmodel import Field, Session

from audit.commitment import commit
from audit.dsse import EnvelopeInvalid
from contracts.clock import epoch_ms
from contracts.errors import Refused
from exchange.tables import ExchangeTable


class OtherSigner(Refused):
    """The statement names another participant than the one that sends it."""

    code = "other-signer"
    title_zh = "声明中的参与方与发送方不符"
    next_zh = "每个参与方只能以自己的名义签署。"
    next_en = "A participant speaks for itself only; sign in your own name."


class EvidenceRow(ExchangeTable, table=True):
    """A value that the log commits to, and the salt that opens the commitment."""

    __tablename__ = "evidence"

    commitment: str = Field(sa_type=String(71), primary_key=True)
    salt: bytes | None = Field(sa_type=LargeBinary)
    value: bytes | None = Field(sa_type=LargeBinary)
    at: int = Field(sa_type=BigInteger)


def envelope_text(raw: bytes) -> str:
    """Read a request body as an envelope's text; raise EnvelopeInvalid for bytes that are no text."""
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise EnvelopeInvalid("an envelope is ASCII") from error


def check_speaker(named: str, sender: str) -> None:
    """Raise OtherSigner unless the participant that a statement names is the one that sent it."""
    if named != sender:
        raise OtherSigner("the statement names another participant than its sender")


def conceal(session: Session, value: bytes, *, salt: bytes, now: datetime) -> str:
    """Commit to ``value`` under ``salt`` and keep both beside the log; give the commitment."""
    commitment = commit(salt, value)
    session.add(EvidenceRow(commitment=commitment, salt=salt, value=value, at=epoch_ms(now)))
    return commitment


def reveal(session: Session, commitment: str) -> tuple[bytes, bytes] | None:
    """Give salt and value behind a commitment; None when they were never kept, or were erased."""
    row = session.get(EvidenceRow, commitment)
    if row is None or row.salt is None or row.value is None:
        return None
    return row.salt, row.value
