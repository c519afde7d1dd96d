"""Registering stations: secrets are sealed, refusals are kept up to a limit, and counts stay for good."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from contracts.hj212 import DeviceUnits, Edition, Packet
from contracts.units import UnitsDoNotConvert
from nodes.intake.model import NoSuchSource
from nodes.stations import registry
from nodes.stations.model import (
    BadStation,
    NoSuchStation,
    Refused,
    Secret,
    Station,
    StationExists,
    StationState,
    judge_frame,
    refusal_title,
    refuse,
)
from nodes.stations.tables import StationRefusalRow, StationRow
from tests.contracts.hj212.packets import packets
from tests.nodes.sharing import World
from tests.nodes.stations.collecting import SOURCE, province
from tests.nodes.stations.hearing import MN, STATION, hour

KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
SEALED = replace(STATION, mn="C" * 24, source=SOURCE, edition=Edition.Y2025, secret=Secret("Pw9", KEY))


def test_secrets_come_back_and_lie_nowhere_in_clear(world: World) -> None:
    """The database holds no password and no key, and a secret says nothing of itself."""
    node = province(world, replace(SEALED, units=DeviceUnits({"a34004": "mg/m3"}))).node
    found = registry.find_station(node, SEALED.mn)
    with node.database.read() as session:
        row = session.exec(select(StationRow)).one()

    assert found == replace(SEALED, units=DeviceUnits({"a34004": "mg/m3"}))
    assert registry.all_stations(node) == {SEALED.mn: found}
    assert not any(text in row.secret for text in ("Pw9", KEY.hex()))
    assert repr(found).count("Pw9") == repr(found).count(KEY.hex()) == 0
    assert "secret" not in registry.show_station(node, SEALED.mn)


def test_a_secret_belongs_to_its_station_and_its_home(world: World) -> None:
    """A secret that was moved to another station, or met without the home's key, does not open."""
    node = province(world, STATION, SEALED).node
    with node.database.transaction() as session:
        rows = {row.mn: row for row in session.exec(select(StationRow)).all()}
        rows[MN].secret = rows[SEALED.mn].secret
        session.add(rows[MN])

    with pytest.raises(registry.StationSecretUnreadable):
        registry.find_station(node, MN)
    (node.home.path / "keys" / "stations.key").unlink()
    with pytest.raises(registry.StationSecretUnreadable):
        registry.all_stations(node)


BAD: list[Station] = [
    replace(STATION, mn="short"),
    replace(STATION, mn="a" * 24),
    replace(STATION, mn="88888880000001"),
    replace(STATION, secret=Secret("")),
    replace(STATION, secret=Secret("1234567")),
    replace(STATION, secret=Secret("12;45")),
    replace(STATION, secret=Secret("123456", KEY)),
]


@pytest.mark.parametrize("station", BAD, ids=lambda one: one.mn)
def test_what_no_packet_could_carry_is_no_station(station: Station) -> None:
    """MN and password have the forms of table 3, and only the edition of 2025 has a key."""
    with pytest.raises(BadStation):
        station.check()


def test_a_station_is_registered_once(world: World) -> None:
    """A second registration is refused, as are a source that is not there and a unit that does not fit."""
    node = province(world).node
    with pytest.raises(StationExists):
        registry.add_station(node, replace(STATION, source=SOURCE))
    with pytest.raises(NoSuchSource):
        registry.add_station(node, replace(SEALED, source="nowhere"))
    with pytest.raises(UnitsDoNotConvert):
        registry.add_station(node, replace(SEALED, units=DeviceUnits({"w01018": "ppm"})))
    assert list(registry.all_stations(node)) == [MN]


def test_changing_and_retiring(world: World) -> None:
    """A change keeps the counts; a stranger can neither be changed nor retired nor shown."""
    node = province(world).node
    registry.retire_station(node, MN)
    retired = registry.find_station(node, MN)
    registry.change_station(node, replace(retired, name="Outlet 2", state=StationState.ACTIVE))

    assert retired.state is StationState.RETIRED
    assert [(one["name"], one["state"]) for one in registry.list_stations(node)] == [("Outlet 2", "active")]
    for act in (registry.retire_station, registry.find_station, registry.show_station):
        with pytest.raises(NoSuchStation):
            act(node, "F" * 24)
    with pytest.raises(NoSuchStation):
        registry.change_station(node, replace(SEALED, source=SOURCE))


def test_the_quarantine_of_frames_has_a_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest frames stay, and the count of each reason says how many there were."""
    monkeypatch.setattr(registry, "MAX_REFUSALS", 3)
    node = province(world).node
    frames = [("10.0.0.9", refuse(hour(n).frame(), "hj212-checksum", "wrong")) for n in range(5)]
    registry.NodeRegister(node).note(frames, {"hj212-noise": 7}, {})
    registry.NodeRegister(node).note([], {}, {})
    found = registry.list_refusals(node, MN, 10)
    with node.database.read() as session:
        kept = session.exec(select(StationRefusalRow)).all()

    assert found["counts"] == {"hj212-checksum": 5, "hj212-noise": 7}
    assert [one["frame"][6:26] for one in found["frames"]] == [
        f"QN=20260101{number:02}0100000" for number in (4, 3, 2)
    ]
    assert len(kept) == 3
    assert registry.list_refusals(node, "F" * 24, 10)["frames"] == []


def test_an_unknown_station_is_compared_like_a_known_one() -> None:
    """No password that the standard admits passes for a station that is not registered."""
    for password in ("0", "123456", "zzzzzz"):
        found = judge_frame(hour(0, pw=password).frame(), {})
        assert isinstance(found, Refused)
        assert found.reason == "hj212-station-unknown"


@given(raw=st.binary(max_size=200) | packets.map(Packet.frame))
def test_any_frame_is_taken_or_refused(raw: bytes) -> None:
    """Whatever bytes come, the judgement is one of two, and no password stands in what is kept of them."""
    found = judge_frame(raw, {MN: STATION})

    assert isinstance(found, Refused)
    assert re.search(rb"PW=(?!\*{6})[^;]*;", found.raw) is None
    assert refusal_title(found.reason).zh != found.reason
