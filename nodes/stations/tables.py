"""The rows of the gateway: stations, their sealed secrets, refused frames, packets taken, waiting parts.

Moments are whole milliseconds since 1970 in UTC. Data itself stands in the journal and in the spool.
"""

from sqlalchemy import BigInteger, Boolean, LargeBinary, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from audit.log.tables import PLACE
from nodes.tables import NodeTable


class StationRow(NodeTable, table=True):
    """One station; ``secret`` is sealed under a key of this home, ``units`` is JSON: factor → unit sent."""

    __tablename__ = "station"

    mn: str = Field(sa_type=String(24), primary_key=True)
    name: str = Field(sa_type=String(200))
    source: str = Field(sa_type=String(63), index=True)
    edition: str = Field(sa_type=String(4))
    secret: str = Field(sa_type=LongText)
    encrypts: bool = Field(sa_type=Boolean)
    units: str = Field(sa_type=LongText)
    state: str = Field(sa_type=String(12))
    synthetic: bool = Field(sa_type=Boolean)
    at: int = Field(sa_type=BigInteger)
    seen_at: int | None = Field(sa_type=BigInteger, default=None)
    data_at: int | None = Field(sa_type=BigInteger, default=None)
    packets: int = Field(sa_type=BigInteger, default=0)
    records: int = Field(sa_type=BigInteger, default=0)
    repeated: int = Field(sa_type=BigInteger, default=0)
    refused: int = Field(sa_type=BigInteger, default=0)


class StationRefusalRow(NodeTable, table=True):
    """One frame, or run of bytes, that was not taken; ``raw`` has its password blotted out."""

    __tablename__ = "station_refusal"

    id: int | None = Field(sa_type=PLACE, default=None, primary_key=True)
    mn: str | None = Field(sa_type=String(24), index=True)
    address: str = Field(sa_type=String(64))
    reason: str = Field(sa_type=String(40))
    detail: str = Field(sa_type=LongText)
    size_bytes: int = Field(sa_type=BigInteger)
    raw: bytes = Field(sa_type=LargeBinary)
    at: int = Field(sa_type=BigInteger)


class StationRefusalCountRow(NodeTable, table=True):
    """How often a reason was met, also for frames that are no longer kept."""

    __tablename__ = "station_refusal_count"

    reason: str = Field(sa_type=String(40), primary_key=True)
    count: int = Field(sa_type=BigInteger)


class StationPacketRow(NodeTable, table=True):
    """The digest of what one packet reported, and the segment of the journal that it came first in."""

    __tablename__ = "station_packet"

    digest: str = Field(sa_type=String(64), primary_key=True)
    segment: int = Field(sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger, index=True)


class StationPartRow(NodeTable, table=True):
    """A sub-packet whose set was not whole at the end of the newest segment that was turned into records."""

    __tablename__ = "station_part"

    id: int | None = Field(sa_type=PLACE, default=None, primary_key=True)
    since: int = Field(sa_type=BigInteger)
    frame: bytes = Field(sa_type=LargeBinary)
