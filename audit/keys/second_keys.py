"""The keys of second lines: whose they are, and in which suite they sign.

A log may sign what it publishes in further suites (``audit.keys.suites``). Such a line stands under the name
``<origin>/<suite>``, which is nobody else's, and its key is known by that name only: a key of a second line
speaks for one shard and makes no quorum.
"""

from collections.abc import Iterable

from audit.formats.note import KeyType, VerifierKey, VerifierKeyInvalid
from audit.keys.suites import Suite

_OWN_TAILS = {*Suite, "sm3"}  # the last is the twin's (audit.walk.twin)
_SUITES = {KeyType.MLDSA44: Suite.MLDSA44, KeyType.SM2: Suite.SM2_SM3}


def line_name(origin: str, suite: Suite) -> str:
    """Name the line of a suite under the checkpoints of the log ``origin``."""
    return f"{origin}/{suite}"


def is_line_name(name: str) -> bool:
    """Tell whether a name is, or may become, that of a log's second line or twin; nobody else may bear it."""
    return name.rpartition("/")[2] in _OWN_TAILS


def read_second_key(text: str, origin: str | None = None) -> VerifierKey:
    """Read the key of a second line; ``origin`` is the log that it must belong to, where that is known.

    Raises VerifierKeyInvalid for a key of another type, or under another name than its log and suite make.
    """
    key = VerifierKey.parse(text)
    suite, own = _SUITES.get(key.type), key.name.rpartition("/")[0]
    if suite is None or not own or key.name != line_name(own if origin is None else origin, suite):
        raise VerifierKeyInvalid("the key is not that of a log's second line")
    return key


def second_keys_of(origin: str, texts: Iterable[str]) -> list[str]:
    """Give those of ``texts`` that belong to the log ``origin``, in their order."""
    names = {line_name(origin, suite) for suite in Suite}
    return [text for text in texts if text.partition("+")[0] in names]


def check_second_keys(texts: Iterable[str], origin: str | None = None) -> None:
    """Raise VerifierKeyInvalid unless all are keys of second lines, and no two pass for one another.

    ``origin`` is the log that they must belong to, where it is one log's list.
    """
    seen: set[tuple[str, bytes]] = set()
    for text in texts:
        key = read_second_key(text, origin)
        identity = (key.name, key.key_id)
        if identity in seen:
            raise VerifierKeyInvalid(f"two second keys of {key.name} have one key id")
        seen.add(identity)
