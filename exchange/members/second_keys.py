"""The second keys that a directory names: those of every second line that a shard ever bore.

The list only grows. A suite that the settings no longer name keeps its keys in it, because what they signed
stays published; verifiers that join later must know them as well.
"""

from audit.formats.dsse import parse_envelope
from contracts.messages import Directory
from exchange.members.tables import DirectoryRow
from exchange.parts import Parts


def second_keys(parts: Parts, before: DirectoryRow | None, origin: str) -> list[str]:
    """Give what the next directory names: those of the last one, and those in use in the shard ``origin``."""
    return list(dict.fromkeys([*_named(before), *parts.second_lines.vkeys(origin)]))


def has_news(parts: Parts, before: DirectoryRow) -> bool:
    """Tell whether the newest shard has second lines that the directory does not name yet."""
    return not set(parts.second_lines.vkeys(parts.log.origin)) <= set(_named(before))


def _named(row: DirectoryRow | None) -> list[str]:
    if row is None:
        return []
    return Directory.parse(parse_envelope(row.envelope.encode()).payload).second_keys
