"""The times of records as whole milliseconds, and back as text.

Four forms are read: an RFC 3339 moment, a date, local time as ``YYYY-MM-DDTHH:MM[:SS]``, and a year, which
is its first day. A local time is read at the contract's offset. Where the contract gives none it is still
ordered and counted, as if it were UTC, and nothing is said of how it lies to the moment of a release.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import polars as pl

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_SHAPE = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?$"
)
# A day from either end of what a calendar of four digits holds, so that every zone can show every moment.
_EARLIEST = int(datetime(1, 1, 3, tzinfo=UTC).timestamp()) * SECOND
_LATEST = int(datetime(9999, 12, 29, tzinfo=UTC).timestamp()) * SECOND


@dataclass(frozen=True, slots=True)
class Moments:
    """The times of rows: ``at`` in milliseconds since 1970, null where there is none that can be read.

    ``offset_ms`` is added to see the local day; ``anchored`` says that each is a moment and not only a
    reading of some clock.
    """

    at: pl.Series
    offset_ms: int
    anchored: bool

    def text(self, at_ms: int) -> str:
        """Write a moment at the series' own offset, or as local time where the offset is not known."""
        moment = datetime.fromtimestamp(at_ms / SECOND, UTC)
        if self.anchored:
            moment = moment.astimezone(timezone(timedelta(milliseconds=self.offset_ms)))
        text = moment.isoformat(timespec="milliseconds" if at_ms % SECOND else "seconds")
        return text if self.anchored else text.removesuffix("+00:00")


def read_moments(pieces: Iterable[pl.Series], zone: str | None) -> Moments:
    """Read a column of times piece by piece; ``zone`` is the offset of local times, as ``+08:00``."""
    offset = 0 if zone is None else _offset(zone)
    parts = [_read(piece.cast(pl.String), offset) for piece in pieces]
    at = pl.concat([part[0] for part in parts]) if parts else pl.Series("at", [], dtype=pl.Int64)
    anchored = zone is not None or all(part[1] for part in parts)
    return Moments(at.rechunk(), offset, anchored and at.null_count() < len(at))


def _offset(zone: str) -> int:
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return (-minutes if zone.startswith("-") else minutes) * MINUTE


def _read(texts: pl.Series, offset: int) -> tuple[pl.Series, bool]:
    """Read a piece of the column; say whether each moment brings its own offset."""
    texts = texts.str.replace("^([0-9]{4})$", "${1}-01-01")
    parts = texts.str.extract_groups(_SHAPE).struct.unnest()
    day, hour, minute, second, part, zone = (pl.col(name) for name in parts.columns)
    clock = [pl.coalesce(column.cast(pl.Int64), 0) for column in (hour, minute, second)]
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    own = sign * (
        zone.str.slice(1, 2).cast(pl.Int64, strict=False) * HOUR
        + zone.str.slice(4, 2).cast(pl.Int64, strict=False) * MINUTE
    )
    read = parts.select(
        date=day.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32).cast(pl.Int64) * DAY,
        clock=clock[0] * HOUR + clock[1] * MINUTE + clock[2] * SECOND,
        part=pl.coalesce(part.str.pad_end(3, "0").str.slice(0, 3).cast(pl.Int64), 0),
        real=(clock[0] < 24) & (clock[1] < 60) & (clock[2] <= 60),
        zone=pl.when(zone.str.to_uppercase() == "Z").then(0).when(zone.is_not_null()).then(own),
    )
    at = pl.col("date") + pl.col("clock") + pl.col("part") - pl.coalesce(pl.col("zone"), offset)
    made = read.select(at=pl.when(pl.col("real")).then(at), own=pl.col("zone").is_not_null())
    made = made.with_columns(pl.when(pl.col("at").is_between(_EARLIEST, _LATEST)).then(pl.col("at")))
    return made["at"], bool(made.select((pl.col("own") | pl.col("at").is_null()).all()).item())
