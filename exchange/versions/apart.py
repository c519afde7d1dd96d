"""Compare contracts in a process of their own, as both may come from somebody who means harm.

A comparison searches records and asks a prover in native code that lets nothing else of its process run and
cannot be interrupted: two contracts made for it would stop the whole exchange for minutes. So each pair goes
to a child with little memory and little time and no secrets; what it does not answer is undetermined, and a
person looks at it. One participant's comparisons wait for one another, never for long, and few run at once.
"""

import os
import resource
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import orjson
import structlog
from pydantic import TypeAdapter

from contracts.compatibility.bump import Bump
from contracts.compatibility.change import Effect, change
from contracts.compatibility.comparison import Comparison, Verdict, compare
from contracts.errors import TooMany
from contracts.promises import Compatibility
from contracts.schema import Contract

CPU_SECONDS = 20
TURN_SECONDS = 60.0
MEMORY_BYTES = 2 * 1024**3
MAX_ANSWER_BYTES = 8 * 1024**2
_REMEMBERED = 256
_COMPARISON: TypeAdapter[Comparison] = TypeAdapter(Comparison)
_Key = tuple[str, str, str]

log = structlog.get_logger(__name__)


class ComparisonsBusy(TooMany):
    """Contracts of this participant, or of several others, are being compared at this moment."""

    code = "comparisons-busy"
    title_zh = "正在比较契约,请稍后再试"
    next_zh = "稍后重试。"
    next_en = "Try again in a minute."


class Turn:
    """One participant's turn: every pair of it is compared within one span of time."""

    def __init__(self, known: "OrderedDict[_Key, Comparison]", seconds: float) -> None:
        """Begin; ``known`` holds what was compared before."""
        self._known = known
        self._until = monotonic() + seconds

    def compare(self, old: Contract, new: Contract, mode: Compatibility | None = None) -> Comparison:
        """Do as ``contracts.compatibility.comparison.compare`` does, or give what nobody could judge."""
        asked = mode or old.compatibility
        key = (old.digest, new.digest, asked.value)
        found = self._known.get(key)
        if found is None:
            found = _ask(old, new, asked, min(self._until - monotonic(), TURN_SECONDS))
            if found is None:
                log.warning("contracts_not_compared", old=old.digest, new=new.digest)
                return unjudged(asked)
            self._known[key] = found
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found


class Turns:
    """Who compares at this moment."""

    def __init__(self, at_once: int = 2) -> None:
        """Let so many participants compare at once."""
        self._places = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._known: OrderedDict[_Key, Comparison] = OrderedDict()

    @contextmanager
    def turn(self, participant: str, seconds: float = TURN_SECONDS) -> Iterator[Turn]:
        """Give a participant its turn; raise ComparisonsBusy."""
        with self._lock:
            if participant in self._busy:
                raise ComparisonsBusy(f"{participant} has contracts compared already")
            self._busy.add(participant)
        try:
            if not self._places.acquire(timeout=seconds):
                raise ComparisonsBusy("others have contracts compared")
            try:
                yield Turn(self._known, seconds)
            finally:
                self._places.release()
        finally:
            with self._lock:
                self._busy.discard(participant)


TURNS = Turns()


def unjudged(mode: Compatibility) -> Comparison:
    """Give the comparison of two contracts that took too much time or memory: it may take everything away."""
    told = change(
        "/record",
        Effect.TAKES,
        before=None,
        after=None,
        zh="比较耗时或占用内存过多,无法判定",
        en="comparing took too much time or memory, so nothing is known",
    )
    free = mode is Compatibility.NONE
    verdict = Verdict.COMPATIBLE if free else Verdict.UNDETERMINED
    return Comparison(mode, verdict, None, (told,), Bump.MAJOR, Bump.MAJOR)


def _ask(old: Contract, new: Contract, mode: Compatibility, seconds: float) -> Comparison | None:
    if seconds <= 0:
        return None
    command = [sys.executable, "-I", "-m", "exchange.versions.apart"]
    request = b"\n".join([mode.value.encode(), old.canonical(), new.canonical()])
    try:
        child = subprocess.run(  # noqa: PLW1510  # the exit code is read below
            command, input=request, capture_output=True, timeout=seconds, env={"POLARS_MAX_THREADS": "1"}
        )
    except subprocess.TimeoutExpired:
        return None
    if child.returncode != 0 or len(child.stdout) > MAX_ANSWER_BYTES:
        return None
    return _COMPARISON.validate_json(child.stdout)


# --- in the child -----------------------------------------------------------------------------------


def main() -> None:
    """Answer the one request on standard input; whatever else is written goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mode, old, new = sys.stdin.buffer.read().split(b"\n")
    found = compare(Contract.parse(old), Contract.parse(new), Compatibility(mode.decode()))
    with answers:
        answers.write(orjson.dumps(_COMPARISON.dump_python(found, mode="json")))


if __name__ == "__main__":
    main()
