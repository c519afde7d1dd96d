"""What stands behind the log: values that leaves only commit to, with the salts that open them.

The rows may be erased; the leaf then says nothing more. They commit in the unit
that appends the entry, so there is no entry whose evidence was never kept.
"""

from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary, String
from sqlmodel import Field, Session

from audit.commitment import commit
from audit.formats.dsse import EnvelopeInvalid
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json
from contracts.clock import epoch_ms
from contracts.errors import NotFound, Refused
from contracts.messages import Role
from exchange.identity import Person
from exchange.tables import ExchangeTable


class OtherSigner(Refused):
    """The statement names another participant than the one that sends it."""

    code = "other-signer"
    title_zh = "声明中的参与方与发送方不符"
    next_zh = "每个参与方只能以自己的名义签署。"
    next_en = "A participant speaks for itself only; sign in your own name."


class EvidenceErased(NotFound):
    """The evidence of this transfer was erased after its time."""

    code = "evidence-erased"
    title_zh = "该传输的证据已过保存期限并被清除"
    next_zh = "以双方节点自存的 .hwproof 为准;日志条目仍可证明。"
    next_en = "Use the .hwproof that both nodes keep; the log's entries can still be proved."


class EvidenceRow(ExchangeTable, table=True):
    """A value that the log commits to, and the salt that opens the commitment."""

    __tablename__ = "evidence"

    commitment: str = Field(sa_type=String(71), primary_key=True)
    salt: bytes | None = Field(sa_type=LargeBinary)
    value: bytes | None = Field(sa_type=LargeBinary)
    at: int = Field(sa_type=BigInteger)


class LoggedStatementRow(ExchangeTable, table=True):
    """Where a signed statement stands in the log, by the digest of its payload."""

    __tablename__ = "logged_statement"

    digest: str = Field(sa_type=String(71), primary_key=True)
    origin: str = Field(sa_type=String(255))
    entry: int = Field(sa_type=BigInteger)


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


def log_statement(unit: Unit, digest: str, entry: Entry) -> int:
    """Append the entry of a signed statement and remember where it stands; give its place.

    The first one counts: a key that was replaced since vouches for what was logged before.
    """
    index = unit.size
    place = unit.append(entry)
    if unit.session.get(LoggedStatementRow, digest) is None:
        unit.session.add(LoggedStatementRow(digest=digest, origin=unit.origin, entry=index))
    return place


def logged_place(session: Session, digest: str) -> tuple[str, int] | None:
    """Give shard and index of a statement's entry; None where the log holds no such statement."""
    row = session.get(LoggedStatementRow, digest)
    return None if row is None else (row.origin, row.entry)


def kept(envelope: str) -> str:
    """Give the text of an envelope that is kept beside the log; raise EvidenceErased when it is empty."""
    if not envelope:
        raise EvidenceErased
    return envelope


def admin_act(unit: Unit, person: Person, what: str, digest: str) -> Entry:
    """Write the entry of a person's act, as an administrator if they are one; the name is concealed."""
    role = Role.ADMINISTRATOR if Role.ADMINISTRATOR in person.roles else min(person.roles)
    act = commit(person.salt, person.name.encode())
    fields: dict[str, Json] = {"act": act, "role": role.value, "what": what, "dig": digest}
    return Entry(EntryKind.ADMIN_ACT, unit.now, fields)


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
