"""A process that appends as fast as it can and tells its parent what was acknowledged, until it is killed."""

import os
import threading
from functools import partial
from multiprocessing.connection import Connection

from audit.database import open_database
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import sha256_hex
from tests.audit.logs import NOW, running

THREADS = 3


def write(url: str, acknowledged: "Connection[bytes, bytes]") -> None:
    """Append for ever; send ``index leaf-digest checkpoint`` for each entry that came back."""
    sending = threading.Lock()

    def append_for_ever() -> None:
        while True:
            entry = Entry(EntryKind.POLICY_ACTIVATE, NOW, {"pol": sha256_hex(os.urandom(8))})
            committed = log.commit_blocking(partial(Unit.append, entry=entry))
            answer = f"{committed.value} {sha256_hex(entry.encode())} ".encode() + committed.checkpoint
            with sending:
                acknowledged.send_bytes(answer)

    with running(open_database(url), window_seconds=0.001) as log:
        threads = [threading.Thread(target=append_for_ever) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
