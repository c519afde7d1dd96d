"""One at a time: a lock on a file, held across threads and processes and dropped by the system at a crash."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import Conflict


class Busy(Conflict):
    """The same work is being done at this moment."""

    code = "busy"
    title_zh = "同一工作正在进行"
    next_zh = "等待它完成后再试。"
    next_en = "Wait until it has finished, then try again."


@contextmanager
def exclusively(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock on ``path``; wait for it, or raise Busy while somebody else does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise Busy(f"{path.name.strip('.')} is held") from error
        yield
    finally:
        os.close(descriptor)
