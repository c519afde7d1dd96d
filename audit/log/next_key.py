"""Key files that take the place of another: made beside it, durable before anybody hears of them.

The next key lies in ``<name>.next`` from before it is announced until it is the present one; an interrupted
rotation finds it there and goes on with the same key. The renaming is one durable step, and what it replaces
is gone: a key that counts no more must not be kept for a thief.
"""

from pathlib import Path

from audit.durable import sync_folder
from audit.keys.signing import (
    SealingKey,
    SigningKey,
    create_key,
    create_sealing_key,
    load_key,
    load_sealing_key,
)

SUFFIX = ".next"


def next_path(path: Path) -> Path:
    """Give the place of the key that will follow the one at ``path``."""
    return path.with_name(path.name + SUFFIX)


def next_signing_key(path: Path) -> SigningKey:
    """Make the signing key that follows the one at ``path``, or find the one that was made before."""
    place = next_path(path)
    return load_key(place) if place.exists() else create_key(place)


def next_sealing_key(path: Path) -> SealingKey:
    """Make the sealing key that follows the one at ``path``, or find the one that was made before."""
    place = next_path(path)
    return load_sealing_key(place) if place.exists() else create_sealing_key(place)


def promote(path: Path) -> None:
    """Put the next key in its place at ``path``; harmless when it was done before."""
    place = next_path(path)
    if place.exists():
        place.replace(path)
        sync_folder(path.parent)
