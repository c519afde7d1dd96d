"""Service levels: what a contract promises of a dataset, beside what its releases show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from contracts.messages import Manifest
from contracts.promises import ServiceLevels


class Level(StrEnum):
    """What is promised, under the names of ODCS ``slaProperties``."""

    FREQUENCY = "frequency"
    LATENCY = "latency"
    COMPLETENESS = "completeness"


@dataclass(frozen=True, slots=True)
class Measured:
    """One service level; seconds or percent. ``kept`` is None where either side is not known."""

    level: Level
    promised: int | None
    measured: int | None
    kept: bool | None


def measure(service: ServiceLevels | None, manifests: Sequence[Manifest], now: datetime) -> list[Measured]:
    """Measure a dataset by its releases, oldest first.

    Frequency is the longest time without a release, up to now; latency the longest of all releases;
    completeness the share over all releases, rounded down.
    """
    promised = service or ServiceLevels()
    return [
        _at_most(Level.FREQUENCY, promised.frequency_seconds, _longest_wait(manifests, now)),
        _at_most(Level.LATENCY, promised.latency_seconds, _longest_latency(manifests)),
        _at_least(Level.COMPLETENESS, promised.completeness_percent, _completeness(manifests)),
    ]


def _longest_wait(manifests: Sequence[Manifest], now: datetime) -> int | None:
    moments = [*(manifest.at for manifest in manifests), now]
    waits = [later - earlier for earlier, later in pairwise(moments)]
    return max(waits) // timedelta(seconds=1) if waits else None


def _longest_latency(manifests: Sequence[Manifest]) -> int | None:
    notes = [manifest.quality for manifest in manifests if manifest.quality is not None]
    return max((note.latency_seconds for note in notes if note.latency_seconds is not None), default=None)


def _completeness(manifests: Sequence[Manifest]) -> int | None:
    notes = [manifest.quality for manifest in manifests if manifest.quality is not None]
    counted = [(note.present or 0, note.expected) for note in notes if note.expected]
    if not counted:
        return None
    return 100 * sum(present for present, _ in counted) // sum(expected for _, expected in counted)


def _at_most(level: Level, promised: int | None, measured: int | None) -> Measured:
    kept = None if promised is None or measured is None else measured <= promised
    return Measured(level, promised, measured, kept)


def _at_least(level: Level, promised: int | None, measured: int | None) -> Measured:
    kept = None if promised is None or measured is None else measured >= promised
    return Measured(level, promised, measured, kept)
