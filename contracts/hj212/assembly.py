"""Sub-packets put together again: PNUM says how many parts there are, PNO which one this is (section 6.3.3).

Each part has a QN of its own, so a set is known by what its parts share: station, system, command and PNUM. A
part that says its own DataTime stands by itself and waits for nobody. The others wait for part 1, which says
it, until the set is whole or its time is up. Sets and parts are limited, so that nobody can fill the memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from contracts.hj212.commands import Flag
from contracts.hj212.packet import Item, Packet
from contracts.hj212.records import DATA_TIME

MAX_PARTS = 64
MAX_SETS_PER_STATION = 8
WAIT_SECONDS = 600.0

SetKey = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Whole:
    """A packet with everything that was sent in its parts; ``parts`` are those it was made of."""

    packet: Packet
    parts: tuple[Packet, ...]


@dataclass(frozen=True, slots=True)
class Unassembled:
    """Parts that make no whole, and why in a few words; they are quarantined, never dropped."""

    parts: tuple[Packet, ...]
    why: str


@dataclass(slots=True)
class _Waiting:
    since: float
    parts: dict[int, Packet] = field(default_factory=dict)


class Assembly:
    """The parts that wait; ``at`` is any clock in seconds that only grows."""

    def __init__(self, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._sets: dict[SetKey, _Waiting] = {}

    def add(self, packet: Packet, at: float) -> Iterator[Whole | Unassembled]:
        """Take one packet; give what has become whole, and what can no longer become so."""
        yield from self.expire(at)
        if packet.pnum is None or packet.pno is None or packet.pnum == 1:
            yield Whole(packet, (packet,))
            return
        if packet.pnum > MAX_PARTS:
            yield Unassembled((packet,), f"PNUM is above {MAX_PARTS}")
            return
        key = (packet.mn, packet.st, packet.cn, packet.pnum)
        waiting = self._sets.get(key)
        if waiting is not None and packet.pno in waiting.parts:
            # The next set has begun before the last one was whole.
            del self._sets[key]
            yield from _left(waiting, "a part of the next set came before the last part of this one")
            waiting = None
        if waiting is None:
            yield from self._make_room(packet.mn)
            waiting = self._sets[key] = _Waiting(at)
        waiting.parts[packet.pno] = packet
        if len(waiting.parts) == packet.pnum:
            del self._sets[key]
            yield _joined(waiting)

    def expire(self, at: float) -> Iterator[Unassembled | Whole]:
        """Give up the sets whose time is up."""
        late = [key for key, one in self._sets.items() if at - one.since >= self._wait_seconds]
        for key in late:
            yield from _left(self._sets.pop(key), "parts of the set did not come in time")

    def waiting(self) -> Iterator[tuple[float, Packet]]:
        """List the parts that wait, each with the moment its set began, oldest set first."""
        for one in self._sets.values():
            for packet in one.parts.values():
                yield one.since, packet

    def _make_room(self, mn: str) -> Iterator[Unassembled | Whole]:
        own = [key for key in self._sets if key[0] == mn]
        if len(own) >= MAX_SETS_PER_STATION:
            yield from _left(self._sets.pop(own[0]), "the station has too many sets that are not whole")


def _joined(waiting: _Waiting) -> Whole | Unassembled:
    parts = tuple(waiting.parts[number] for number in sorted(waiting.parts))
    times = {text for part in parts for text in _times(part)}
    if len(times) > 1:
        return Unassembled(parts, "the parts of the set name different DataTimes")
    items: list[Item] = [((DATA_TIME, text),) for text in times]
    for part in parts:
        for item in part.items:
            rest = tuple(pair for pair in item if pair[0] != DATA_TIME)
            if rest:
                items.append(rest)
    whole = replace(parts[0], items=tuple(items), pnum=None, pno=None, flag=_alone(parts[0]))
    return Whole(whole, parts)


def _left(waiting: _Waiting, why: str) -> Iterator[Unassembled | Whole]:
    """Save the parts that say their own time; the others cannot be told when they were measured."""
    lost = []
    for number in sorted(waiting.parts):
        part = waiting.parts[number]
        if len(_times(part)) == 1:
            yield Whole(replace(part, pnum=None, pno=None, flag=_alone(part)), (part,))
        else:
            lost.append(part)
    if lost:
        yield Unassembled(tuple(lost), why)


def _alone(part: Packet) -> int:
    """Give the flag of a packet that is no part of a set."""
    return part.flag & ~Flag.SPLIT.value


def _times(packet: Packet) -> list[str]:
    return [text for item in packet.items for name, text in item if name == DATA_TIME]
