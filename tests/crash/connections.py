"""SQLite connections for the rounds: carried over often, and for the proof of the harness, less safe."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from audit import database


@contextmanager
def connecting(*, pages: int, pragma: str = "") -> Iterator[None]:
    """Prepare every connection made in the block as the product does, and then some more.

    After ``pages`` pages the write-ahead log is carried over into the database, so that happens often;
    ``pragma`` takes a promise of the product's own preparation back.
    """
    prepare = database._prepare_sqlite

    def prepare_further(connection: Any, record: Any) -> None:  # the driver's connection, the pool's record
        prepare(connection, record)
        connection.execute(f"PRAGMA wal_autocheckpoint={pages}")
        if pragma:
            connection.execute(f"PRAGMA {pragma}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_prepare_sqlite", prepare_further)
        yield
