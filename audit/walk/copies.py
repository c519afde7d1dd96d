"""A copy of the log that was kept elsewhere, held against the log as it stands.

A kept checkpoint says that a history was written anew; a kept copy (a mirror, an export) also says where.
Which of the two is true is decided by the signatures over them: see ``audit.walk.fsck``.
"""

from audit.formats.tile import TILE_WIDTH
from audit.walk.log_source import LogSource
from contracts.errors import HeadwatersError


def first_loss(kept: LogSource, now: LogSource) -> int | None:
    """Name the first entry of ``kept`` that ``now`` lacks or holds with other bytes; None when there is none.

    The bytes themselves are compared, so nothing has to be believed of anybody's hashes. A log that has grown
    since has lost nothing.
    """
    end = kept.entry_count()
    for start in range(0, end, TILE_WIDTH):
        until = min(start + TILE_WIDTH, end)
        theirs, ours = _leaves(kept, start, until), _leaves(now, start, until)
        for index in range(start, until):
            if index not in theirs or theirs[index] != ours.get(index):
                return index
    return None


def _leaves(source: LogSource, start: int, end: int) -> dict[int, bytes]:
    end = min(end, source.entry_count())
    try:
        return {entry.idx: entry.leaf for entry in source.entries(start, end)} if start < end else {}
    except HeadwatersError:
        return {}  # what cannot be read is not there
