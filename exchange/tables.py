"""The base of the exchange's rows: one metadata of its own, beside that of ``audit.log.tables``.

Moments are whole milliseconds since 1970 in UTC, as in ``audit.log.tables``; JSON and envelopes are kept as
the text that was signed, never written anew. The schema itself comes from ``exchange.migrations`` only.
"""

from typing import ClassVar

from sqlalchemy import MetaData
from sqlmodel import SQLModel


class ExchangeTable(SQLModel):
    """The base of every row of the exchange's rooms."""

    metadata: ClassVar[MetaData] = MetaData()
