"""Sub-packets: sets become whole in any order, and what cannot is handed back with the reason."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.hj212 import Assembly, Packet, Unassembled, Whole
from contracts.hj212.assembly import MAX_PARTS, MAX_SETS_PER_STATION
from tests.contracts.hj212.packets import HOUR

FACTORS = ("w01018", "w21003", "w21011", "w21001")


def part(number: int, of: int = 4, *, time: bool | None = None, **changes: Any) -> Packet:
    """Give one part; part 1 says the time unless it is told not to, the others only when told to."""
    has_time = number == 1 if time is None else time
    items = ((("DataTime", "20260301080000"),),) if has_time else ()
    factor = FACTORS[(number - 1) % 4]
    packet = replace(HOUR, flag=7, pnum=of, pno=number, items=(*items, ((f"{factor}-Avg", str(number)),)))
    return replace(packet, qn=f"2026030109000{number % 10}000", **changes)


def names(packet: Packet) -> list[str]:
    return [item[0][0] for item in packet.items]


@given(order=st.permutations([1, 2, 3, 4]))
def test_parts_in_any_order_make_one_packet(order: list[int]) -> None:
    """The whole has the time once and every part's factors in the order of PNO."""
    assembly = Assembly()
    found = [one for number in order for one in assembly.add(part(number), 0.0)]

    (whole,) = found
    assert isinstance(whole, Whole)
    assert names(whole.packet) == ["DataTime", *(f"{factor}-Avg" for factor in FACTORS)]
    assert (whole.packet.pnum, whole.packet.flag, len(whole.parts)) == (None, 5, 4)
    assert list(assembly.waiting()) == []


def test_a_packet_alone_is_whole() -> None:
    """No PNUM, or a PNUM of 1, waits for nobody."""
    assembly = Assembly()
    found = [one for packet in (HOUR, part(1, of=1)) for one in assembly.add(packet, 0.0)]

    assert [len(one.parts) for one in found if isinstance(one, Whole)] == [1, 1]


def test_stations_and_commands_do_not_mix() -> None:
    """Parts of two stations, or of two commands, are two sets."""
    assembly = Assembly()
    others = [part(2), part(1, mn="B" * 24), part(3, cn="2051")]
    found = [one for packet in (part(1), *others) for one in assembly.add(packet, 0.0)]

    assert found == []
    assert len(list(assembly.waiting())) == 4


def test_a_set_that_is_late_is_given_up() -> None:
    """After its time the parts that say when are saved, and the others handed back with the reason."""
    assembly = Assembly(wait_seconds=10)
    early = [one for number in (1, 3) for one in assembly.add(part(number), 0.0)]

    kept = list(assembly.expire(9.9))
    saved, lost = assembly.expire(10.0)

    assert early == kept == []
    assert isinstance(saved, Whole)
    assert names(saved.packet) == ["DataTime", "w01018-Avg"]
    assert isinstance(lost, Unassembled)
    assert [one.pno for one in lost.parts] == [3]
    assert "in time" in lost.why


def test_the_next_set_begins_before_the_last_is_whole() -> None:
    """The same part number again belongs to the next set; the old set is not mixed into it."""
    assembly = Assembly()
    first = list(assembly.add(part(2), 0.0))
    again = list(assembly.add(replace(part(2), qn="20260301100000000"), 1.0))

    assert first == []
    assert [type(one) for one in again] == [Unassembled]
    assert [packet.qn for _, packet in assembly.waiting()] == ["20260301100000000"]


def test_parts_that_differ_on_the_time_are_no_set() -> None:
    """Two DataTimes in one set are a contradiction, and nothing of it is guessed."""
    assembly = Assembly()
    second = replace(part(2, of=2), items=((("DataTime", "20260301090000"),), (("w21003-Avg", "1"),)))
    found = [one for packet in (part(1, of=2), second) for one in assembly.add(packet, 0.0)]

    assert [type(one) for one in found] == [Unassembled]


def test_nobody_fills_the_memory() -> None:
    """A PNUM above the limit is refused, and a station's oldest set gives way to its newest."""
    assembly = Assembly()
    (huge,) = assembly.add(part(1, of=MAX_PARTS + 1), 0.0)
    left = [one for of in range(2, 3 + MAX_SETS_PER_STATION) for one in assembly.add(part(2, of=of), 0.0)]

    assert isinstance(huge, Unassembled)
    assert [len(one.parts) for one in left] == [1]
    assert len(list(assembly.waiting())) == MAX_SETS_PER_STATION


@pytest.mark.parametrize("time", [True, False])
def test_a_set_without_a_time_stays_without(time: bool) -> None:
    """Where no part says DataTime the whole has none, so validation holds its records back."""
    assembly = Assembly()
    found = [one for number in (1, 2) for one in assembly.add(part(number, of=2, time=time), 0.0)]

    (whole,) = found
    assert isinstance(whole, Whole)
    assert ("DataTime" in names(whole.packet)) is time
