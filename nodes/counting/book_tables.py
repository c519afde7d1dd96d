"""The rows of a node's own books: every transfer it signed a receipt for, and every cut it judged.

Moments are whole milliseconds since 1970 in UTC. A row of the books is written with the receipt itself, so
there is no receipt of this node that its books do not know.
"""

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from nodes.tables import NodeTable


class BookRow(NodeTable, table=True):
    """One transfer as this side knows it; ``receipt`` is the digest of the provider's receipt.

    ``own_receipt`` is the digest of this side's; ``origin`` and ``entry`` are the grant's place in the log;
    ``cut`` is the number of the first cut that found it done, with a closing entry that was proved.
    """

    __tablename__ = "book"

    grant_id: str = Field(sa_type=String(14), primary_key=True)
    role: str = Field(sa_type=String(12), primary_key=True)
    subscription: str = Field(sa_type=String(14), index=True)
    seq: int = Field(sa_type=Integer)
    origin: str = Field(sa_type=String(255))
    entry: int = Field(sa_type=BigInteger)
    receipt: str = Field(sa_type=String(71))
    own_receipt: str = Field(sa_type=String(71))
    size_bytes: int = Field(sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)
    cut: int | None = Field(sa_type=Integer, default=None)


class JudgedCutRow(NodeTable, table=True):
    """One cut of the subscription heads that was proved and held against the books.

    ``view`` is the cut's canonical JSON; ``count`` the envelope of what this node counted for it (None where
    it had nothing to count), ``entry`` that count's index once it is handed in, ``proved`` once it is proved
    to stand in the log.
    """

    __tablename__ = "judged_cut"

    number: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    view: str = Field(sa_type=LongText)
    findings: int = Field(sa_type=Integer)
    count: str | None = Field(sa_type=LongText, default=None)
    entry: int | None = Field(sa_type=BigInteger, default=None)
    proved: bool = Field(default=False)
    at: int = Field(sa_type=BigInteger)
