"""What a benchmark reports: a figure, the plain limit beside it, and how they are timed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Limit:
    """What the same machine does at most, measured in the same run."""

    what: str
    value: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report; ``target`` is its row in the list of targets."""

    target: str
    what: str
    value: float
    unit: str
    limit: Limit | None = None
    bar: str = ""
    aim: str = ""

    @property
    def ratio(self) -> float | None:
        """Give the figure as a share of its limit."""
        return None if self.limit is None else self.value / self.limit.value

    def facts(self) -> dict[str, Any]:
        """Give the figure for scripts."""
        return {**asdict(self), "ratio": self.ratio}

    def cells(self) -> tuple[str, ...]:
        """Give the figure as a row of the table."""
        limit = "" if self.limit is None else f"{_number(self.limit.value)} {self.limit.what}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return (
            self.target,
            self.what,
            f"{_number(self.value)} {self.unit}",
            limit,
            ratio,
            self.bar,
            self.aim,
        )


@dataclass(slots=True)
class Elapsed:
    """Wall-clock and CPU seconds of a block, known when it has ended."""

    seconds: float = field(default=0.0)
    cpu_seconds: float = field(default=0.0)


@contextmanager
def timed() -> Iterator[Elapsed]:
    """Time a block."""
    elapsed = Elapsed()
    began, cpu = time.perf_counter(), time.process_time()
    yield elapsed
    elapsed.seconds, elapsed.cpu_seconds = time.perf_counter() - began, time.process_time() - cpu


def cpu_each(action: Callable[[], object], seconds: float = 0.5) -> float:
    """Give the CPU seconds of one call, from as many as fit into ``seconds``."""
    action()  # the first call pays for what is loaded late
    calls, began = 0, time.process_time()
    while (spent := time.process_time() - began) < seconds:
        action()
        calls += 1
    return spent / calls


def percentile(values: list[float], share: float) -> float:
    """Give the value below which ``share`` of them lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
