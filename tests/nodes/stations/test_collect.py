"""From the journal to a source: every packet once, whatever crashed; what makes no record is quarantined."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from contracts.hj212 import DeviceUnits, Edition, Packet
from contracts.hj212.sm4 import seal
from nodes.intake.model import NewSource, NoSuchSource, StationSettings
from nodes.intake.sources import add_source, remove_source
from nodes.quarantine.rows import list_rows
from nodes.stations import collect as collecting_module
from nodes.stations import registry
from nodes.stations.journal import segments
from nodes.stations.model import Secret
from tests.nodes.sharing import World
from tests.nodes.stations.collecting import DATASET, SOURCE, Province, province
from tests.nodes.stations.hearing import MN, PASSWORD, STATION, hour

OTHER = "B" * 24


@pytest.fixture
def outlets(world: World) -> Iterator[Province]:
    one = province(world)
    yield one
    one.journal.close()


def once_each(*numbers: int) -> Counter[tuple[str, str]]:
    times = [f"2026-01-01T{number:02}:00" for number in numbers]
    return Counter((factor, time) for factor in ("w01018", "w21003") for time in times)


def refusals(one: Province) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = registry.list_refusals(one.node, None, 100)["frames"]
    return found


def test_packets_become_records_of_the_stations_source(outlets: Province) -> None:
    """Each packet lands once as records, and the journal keeps its frames as evidence."""
    outlets.take(*(hour(number) for number in range(5)))

    done = outlets.collect()

    assert (done.segments, done.records, done.sources) == (1, 10, {SOURCE})
    assert outlets.hours() == once_each(*range(5))
    assert outlets.journal.closed() == []
    kept = segments(outlets.node.home.path / "stations" / "kept")
    assert b"".join(path.read_bytes() for path in kept) == b"".join(hour(n).frame() for n in range(5))
    assert outlets.collect().segments == 0


def test_a_release_is_cut_from_what_stations_sent(outlets: Province) -> None:
    """The source's run judges the records: good ones are released, what is no number is quarantined."""
    outlets.take(hour(0), hour(1, value="ERR"), hour(2))
    outlets.collect()

    outlets.run_source()

    frame = outlets.released()
    assert len(frame) == 5
    assert set(frame["qc_status"]) == {"valid"}
    assert list_rows(outlets.node, None, 10, 0)[0] == 1


def test_the_same_report_counts_once(outlets: Province) -> None:
    """Sent again for a lost answer, or again later under another QN, a report makes its records once."""
    again = replace(hour(0), qn="20260105000000000")
    outlets.take(hour(0), hour(0), hour(1))
    outlets.collect()
    outlets.take(hour(0), again, hour(2))
    outlets.collect()

    assert outlets.hours() == once_each(0, 1, 2)
    shown = registry.show_station(outlets.node, MN)
    assert (shown["packets"], shown["repeated"], shown["records"]) == (3, 3, 6)


def test_another_value_for_the_same_hour_is_another_report(outlets: Province) -> None:
    """A device that corrects itself is not taken for one that repeats itself."""
    outlets.take(hour(0), hour(0, value="99"))
    outlets.collect()

    assert outlets.hours()["w01018", "2026-01-01T00:00"] == 2


class Crash(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("step", ["_note", "_land", "_finish"])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_between_any_two_steps_repeats_nothing(
    outlets: Province, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """Before or after each step: what was collected once is there once, and nothing is lost."""
    outlets.take(*(hour(number) for number in range(3)), replace(hour(3), items=hour(3).items * 2))
    real = getattr(collecting_module, step)

    def crash(*args: object) -> None:
        if after:
            real(*args)
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(collecting_module, step, crash)
        with pytest.raises(Crash):
            outlets.collect()
    outlets.restart()
    outlets.take(hour(4), hour(1))
    outlets.collect()

    assert outlets.hours() == once_each(0, 1, 2, 4)
    assert [one["reason"] for one in refusals(outlets)] == ["hj212-invalid"]
    shown = registry.show_station(outlets.node, MN)
    assert (shown["packets"], shown["repeated"], shown["records"]) == (5, 1, 8)


def test_a_torn_tail_costs_nothing_that_was_answered(outlets: Province) -> None:
    """A frame that a crash cut off was not answered; the station sends it again into the next segment."""
    outlets.take(hour(0))
    (segment,) = segments(outlets.node.home.path / "stations")
    with segment.open("ab") as file:
        file.write(hour(1).frame()[:-9])
    outlets.restart()
    outlets.take(hour(1), hour(2))
    outlets.collect()

    assert outlets.hours() == once_each(0, 1, 2)


def test_units_and_synthetic_stations(outlets: Province) -> None:
    """Records carry the contract's unit whatever the device sends, and say when a station is made up."""
    station = replace(STATION, source=SOURCE, mn=OTHER, units=DeviceUnits({"w01018": "ug/L"}), synthetic=True)
    registry.add_station(outlets.node, station)
    outlets.take(hour(0, mn=OTHER, value="23400"))
    outlets.collect()

    (first, second) = outlets.landed()
    assert (first["value"], first["unit"], first["synthetic"]) == (23.4, "mg/L", True)
    assert (second["value"], second["unit"]) == (1.2, "mg/L")


def part(number: int, of: int = 3, **changes: Any) -> Packet:
    """Give a sub-packet of the first hour; only the first says the time."""
    items = ((("DataTime", "20260101000000"),),) if number == 1 else ()
    factor = ("w01018", "w21003", "w21011")[number - 1]
    packet = hour(
        0, flag=7, pnum=of, pno=number, items=(*items, ((f"{factor}-Avg", "1"), (f"{factor}-Flag", "N")))
    )
    return replace(packet, qn=f"2026010100010000{number}", **changes)


def test_sub_packets_wait_across_segments(outlets: Province) -> None:
    """A set whose parts lie in three segments becomes whole in the third, in spite of a restart."""
    for number in (1, 2, 3):
        outlets.take(part(number))
        assert len(outlets.landed()) == 0
        outlets.collect()
        outlets.restart()

    assert [row["factor"] for row in outlets.landed()] == ["w01018", "w21003", "w21011"]
    assert {row["local_time"] for row in outlets.landed()} == {"2026-01-01T00:00"}


def test_parts_of_an_encrypting_station_wait_encrypted(world: World) -> None:
    """What waits for its set is kept as it came, and opens again at the next round."""
    key = bytes.fromhex("00112233445566778899aabbccddeeff")
    one = province(world, replace(STATION, edition=Edition.Y2025, secret=Secret(PASSWORD, key)))
    for number in (1, 2, 3):
        one.take(seal(part(number, flag=11), key))
        one.collect()
    one.journal.close()

    assert len(one.landed()) == 3
    assert b"w21003" not in (one.node.home.path / "node.db").read_bytes()


def test_parts_that_stay_alone_are_quarantined(world: World, outlets: Province) -> None:
    """After ten minutes a part without a time is in quarantine, and one with a time is a record."""
    outlets.take(part(1), part(3))
    outlets.collect()
    assert outlets.landed() == []

    world.clock.advance(599)
    outlets.collect()
    assert outlets.landed() == []
    world.clock.advance(1)
    outlets.collect()

    assert [row["factor"] for row in outlets.landed()] == ["w01018"]
    (lost,) = refusals(outlets)
    assert (lost["reason"], lost["mn"]) == ("hj212-parts", MN)
    assert "PNO=3" in lost["frame"]
    assert PASSWORD not in lost["frame"].split("MN=")[0]


def test_a_station_that_was_retired_in_between(outlets: Province) -> None:
    """Frames taken before a station was retired are not lost: they lie in quarantine with the reason."""
    outlets.take(hour(0))
    registry.retire_station(outlets.node, MN)
    outlets.collect()

    assert outlets.landed() == []
    assert [one["reason"] for one in refusals(outlets)] == ["hj212-station-unknown"]


def test_records_of_a_removed_source_wait(outlets: Province) -> None:
    """What a source does not take stays, is told, and is handed over when the source is there again."""
    outlets.take(hour(0))
    remove_source(outlets.node, SOURCE)
    with pytest.raises(NoSuchSource):
        outlets.collect()
    outlets.restart()
    with pytest.raises(NoSuchSource):
        outlets.collect()
    alarms = [(one.event_class, one.facts["code"]) for one in outlets.node.alarms.after()]

    add_source(outlets.node, NewSource(name=SOURCE, dataset=DATASET, settings=StationSettings()))
    outlets.collect()

    assert outlets.hours() == once_each(0)
    assert alarms == [("stations.blocked", "no-such-source")]


def test_other_data_are_kept_and_make_no_record(outlets: Province) -> None:
    """Device states and running hours stay in the journal, and no source sees them."""
    outlets.take(replace(hour(0), cn="2021", items=((("SB1-RS", "1"),),)), replace(hour(0), cn="2041"))
    done = outlets.collect()

    assert (done.records, done.segments, outlets.landed()) == (0, 1, [])
    assert registry.show_station(outlets.node, MN)["packets"] == 2


def test_a_yield_is_made_once(outlets: Province) -> None:
    """What a segment yields is fixed: a registration that changes afterwards does not change it."""
    outlets.take(hour(0))
    remove_source(outlets.node, SOURCE)
    with pytest.raises(NoSuchSource):
        outlets.collect()
    (made,) = (outlets.node.home.path / "stations").glob("*.yield")
    before = made.read_bytes()
    station = registry.find_station(outlets.node, MN)
    with pytest.raises(NoSuchSource):
        registry.change_station(outlets.node, replace(station, source="elsewhere"))
    with pytest.raises(NoSuchSource):
        outlets.collect()

    assert made.read_bytes() == before
    assert list(orjson.loads(before)["rows"]) == [SOURCE]
