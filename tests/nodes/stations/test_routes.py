"""What people do about stations at their node: register, look, change, retire, collect."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from audit.httpsig import RequestSigner
from audit.keys.signing import load_key
from nodes.app import create_app
from nodes.stations.listening import Listening
from tests.nodes.sharing import AppTransport, World
from tests.nodes.stations.collecting import SOURCE, Province, province
from tests.nodes.stations.hearing import MN, hour

LOCAL = "http://127.0.0.1:8002"
NEW = "D" * 24
KEY = "00112233445566778899AABBCCDDEEFF"


@dataclass
class Desk:
    """A person at the node, and what the node holds."""

    client: httpx.Client
    province: Province
    app: Any

    def get(self, path: str = "", **query: Any) -> Any:
        return self.client.get(f"/local/stations{path}", params=query).json()

    def post(self, path: str = "", **body: Any) -> Any:
        return self.client.post(f"/local/stations{path}", content=orjson.dumps(body)).json()


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    one = province(world)
    signer = RequestSigner(
        load_key(world.provider.home.person_key("li-wei")), "person:li-wei", clock=world.clock
    )
    app = create_app(world.provider, [LOCAL])
    with httpx.Client(base_url=LOCAL, auth=signer, transport=AppTransport(app, peer="127.0.0.1")) as client:
        yield Desk(client, one, app)
    one.journal.close()


def new(**changes: Any) -> dict[str, Any]:
    fields = {"mn": NEW, "name": "stack 2", "source": SOURCE, "edition": "2025", "password": "s3cret"}
    return fields | changes


def test_a_station_is_registered_and_shown_without_its_secrets(desk: Desk) -> None:
    """Password and key go in and never come out."""
    added = desk.post(**new(sm4_key=KEY, units={"a34004": "mg/m3"}))
    listed = desk.get()
    shown = desk.get(f"/{NEW}")

    assert (added["encrypts"], added["units"], added["state"]) == (True, {"a34004": "mg/m3"}, "active")
    assert listed["listening"] is None
    assert [one["mn"] for one in listed["stations"]] == [MN, NEW]
    assert shown == {**added, "refusals": []}
    everything = orjson.dumps([added, listed, shown]).decode().lower()
    assert "s3cret" not in everything
    assert KEY.lower() not in everything


REFUSED = {
    "edition": (new(edition="2011"), "bad-station"),
    "key": (new(sm4_key="0" * 32), "hj212-bad-key"),
    "source": (new(source="nowhere"), "no-such-source"),
    "unit": (new(units={"a34004": "ppm"}), "units-do-not-convert"),
    "twice": (new(mn=MN, edition="2017"), "station-exists"),
    "field": (new(colour="red"), "bad-message"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_registered_is_refused(desk: Desk, name: str) -> None:
    """Each fault has its own error, and nothing is registered."""
    body, code = REFUSED[name]

    assert desk.post(**body)["code"] == code
    assert [one["mn"] for one in desk.get()["stations"]] == [MN]


def test_a_change_takes_what_is_named(desk: Desk) -> None:
    """What is left out stays; in an older edition the key goes; a retired station is heard again."""
    desk.post(**new(sm4_key=KEY))
    retired = desk.post(f"/{NEW}/retire")
    renamed = desk.post(f"/{NEW}/change", name="stack 3", units={"a34004": "ug/m3"})
    older = desk.post(f"/{NEW}/change", edition="2017", password="other1")

    assert retired["state"] == "retired"
    assert (renamed["name"], renamed["state"], renamed["encrypts"]) == ("stack 3", "active", True)
    assert (older["edition"], older["encrypts"], older["units"]) == ("2017", False, {"a34004": "ug/m3"})
    assert desk.post(f"/{'E' * 24}/change", name="x")["code"] == "no-such-station"
    assert desk.post(f"/{'E' * 24}/retire")["code"] == "no-such-station"
    assert desk.get(f"/{'E' * 24}")["code"] == "no-such-station"


def test_collecting_while_nobody_listens(desk: Desk) -> None:
    """What a gateway left behind is handed over on request."""
    desk.province.take(hour(0))
    desk.province.journal.close()

    done = desk.post("/collect")

    assert done == {"segments": 1, "records": 2, "refused": 0, "sources": [SOURCE]}
    assert len(desk.province.landed()) == 2


def test_collecting_and_refusals_while_the_gateway_listens(desk: Desk, world: World) -> None:
    """The running gateway's journal is collected, and registering reaches it at once."""
    desk.province.journal.close()
    hearing = Listening(world.provider)
    desk.app.state.stations = hearing
    hearing.journal.append([hour(1).frame()])
    hearing.gateway.register.note([], {}, {})

    added = desk.post(**new(edition="2017"))
    done = desk.post("/collect")
    refused = desk.get("/refusals", mn=MN, limit=5)

    assert added["mn"] == NEW
    assert set(hearing.gateway.register.stations()) == {MN, NEW}
    assert done["records"] == 2
    assert refused == {"counts": {}, "frames": []}
    hearing.journal.close()


def test_a_new_password_does_not_cost_what_came_under_the_old(desk: Desk, world: World) -> None:
    """Before a registration changes, what the gateway has taken is read under the one that was in force."""
    desk.province.journal.close()
    hearing = Listening(world.provider)
    desk.app.state.stations = hearing
    hearing.journal.append([hour(1).frame()])
    desk.post(f"/{MN}/change", password="other1")
    hearing.journal.append([hour(2, pw="other1").frame()])
    desk.post(f"/{MN}/retire")

    assert len(desk.province.landed()) == 4
    assert desk.get("/refusals")["frames"] == []
    hearing.journal.close()
