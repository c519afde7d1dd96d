"""Rounds of crashing: where a recorded run is cut, what the disk may then hold, and the counting of it all.

``CRASH_ROUNDS=full`` (``make crash``) plays every round; without it each test plays a few, with other seeds
than the next test, so the ordinary run stays short.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.crash.disk import PAGE, SECTOR
from tests.crash.recorder import Promise, Recorder

FULL = os.environ.get("CRASH_ROUNDS") == "full"


class Loss(StrEnum):
    """What is done to the bytes that were not synced."""

    DROPPED = "dropped unsynced writes"
    TORN = "torn unsynced writes"


_BLOCKS = {Loss.DROPPED: PAGE, Loss.TORN: SECTOR}

played: Counter[tuple[str, str]] = Counter()
"""Rounds by subject and kind of fault, as played by this process."""

found: Counter[tuple[str, str]] = Counter()
"""Those rounds among them after which a promise was broken."""


@dataclass(frozen=True, slots=True)
class Crash:
    """One state of the disk after a crash, and what had been promised by then."""

    folder: Path
    promises: tuple[Promise, ...]
    at_the_end: bool  # nothing was done after this moment by anybody

    def about(self, what: str) -> list[Promise]:
        """Give the promises of one sort."""
        return [one for one in self.promises if one.what == what]


def rounds(short: int, full: int) -> int:
    """Give the smaller number in the ordinary run, the larger one in the full run."""
    return full if FULL else short


def seeds(short: int, full: int) -> Sequence[int]:
    """Give the seeds of a test: few in the ordinary run."""
    return range(rounds(short, full))


def crashes(recorder: Recorder, seed: int, *, loss: Loss, count: int) -> Iterator[Crash]:
    """Crash a recorded run at ``count`` points: half of them right after a promise, and always at its end.

    Each crash takes the place of the recorded folder, until the next one does.
    """
    chance = random.Random(seed)  # noqa: S311  # where to crash, no secret
    events = recorder.events
    promised = [place + 1 for place, one in enumerate(events) if isinstance(one, Promise)]
    points = {len(events)}
    while len(points) < min(count, len(events)):
        points.add(chance.choice(promised) if chance.random() < 0.5 else chance.randint(1, len(events)))
    done = 0
    for point in sorted(points):
        for one in events[done:point]:
            if not isinstance(one, Promise):
                recorder.disk.do(one)
        done = point
        recorder.disk.write_image(chance, _BLOCKS[loss])
        promises = tuple(one for one in events[:point] if isinstance(one, Promise))
        yield Crash(recorder.folder, promises, point == len(events))


def broken(subject: str, kind: str, cases: Iterable[Crash], check: Callable[[Crash], list[str]]) -> list[str]:
    """Check every crash, count the rounds, and give what was broken in any of them."""
    losses: list[str] = []
    for crash in cases:
        here = check(crash)
        played[subject, kind] += 1
        found[subject, kind] += bool(here)
        losses += here
    return losses
