"""A scene of stations: devices report by HJ 212 to a node's gateway, and what they sent becomes a release.

One station speaks the edition of 2017 in clear, one that of 2025 under SM4; a frame in clear in the second
one's name is sent as well. What the release must hold follows from what the devices were told to send.
"""

import secrets
import socket
from typing import Any

import polars as pl

from contracts.hj212 import Edition
from contracts.messages import Sharing, Text
from exchange.demo.alliance import Alliance, StepFailed
from exchange.demo.cast import CALLED, HEARS_STATIONS
from exchange.demo.inputs import NOWHERE, PlannedDataset
from exchange.demo.scenes_sharing import artifact_of, result_of
from exchange.demo.stage import Stage, wait_for
from exchange.demo.summary import Summary
from nodes import simulator
from nodes.simulation import FIRST_HOUR, report

OUTLETS = PlannedDataset(
    dataset="outlets-online",
    provider=HEARS_STATIONS,
    contract="pollution-source-online",
    title=Text(zh="在线监测站点直报(合成)", en="Stations reporting online (synthetic)"),
    place=NOWHERE,
    sharing=Sharing.UNCONDITIONAL,
    synthetic=True,
    files=(),
)
HOURS = 24
_SOURCE = "outlets"
_NAMES = {Edition.Y2017: "一号监测点(2017 版,明文)", Edition.Y2025: "二号排口(2025 版,SM4)"}
_SYSTEMS = {Edition.Y2017: simulator.AIR, Edition.Y2025: simulator.WASTE_WATER}
_PM2_5 = "a34004"
_SECONDS = 10.0

Row = dict[str, Any]  # Any: the JSON of a node


def let_stations_report(stage: Stage, alliance: Alliance, summary: Summary) -> None:
    """Register two stations, let each report a day, cut a release of what came, and look at its rows."""
    stage.scene(
        "站点直连:HJ 212 接收网关", "stations report by HJ 212 to a node's gateway, one of them under SM4"
    )
    node, where = alliance.node(HEARS_STATIONS), f"127.0.0.1:{alliance.station_port}"
    node.post("/local/contracts", {"contract": OUTLETS.contract})
    node.post("/local/datasets", OUTLETS.declaration())
    source = {"name": _SOURCE, "dataset": OUTLETS.dataset, "settings": {"kind": "station"}}
    node.post("/local/sources", source)
    devices = [_register(alliance, edition) for edition in _NAMES]
    sent = [_report_a_day(device, where)["packets"] for device in devices]
    stage.line(
        f"{CALLED[HEARS_STATIONS]}:两站各上报 {HOURS} 小时,{sum(sent)} 个报文先落盘、后应答 9014",
        "hourly packets, each on disk before it is answered; every station has its own password and key",
    )
    _send_in_clear(stage, alliance, devices[1], summary)
    _cut(stage, alliance, devices, summary)


def _register(alliance: Alliance, edition: Edition) -> simulator.Station:
    """Register a made-up station under a password and, in 2025, a key that nobody else has."""
    seed = int(edition.value)
    device = simulator.Station(
        f"{seed:024X}",
        _SYSTEMS[edition],
        seed,
        secrets.token_hex(3),
        edition,
        secrets.token_bytes(16) if edition is Edition.Y2025 else None,
    )
    alliance.node(HEARS_STATIONS).post(
        "/local/stations",
        {
            "mn": device.mn,
            "name": _NAMES[edition],
            "source": _SOURCE,
            "edition": edition.value,
            "password": device.password,
            "sm4_key": None if device.sm4_key is None else device.sm4_key.hex(),
            "synthetic": True,
        },
    )
    return device


def _report_a_day(device: simulator.Station, where: str) -> Row:
    return report(
        where,
        mn=device.mn,
        st=device.st,
        edition=device.edition.value,
        password=device.password,
        sm4_key=None if device.sm4_key is None else device.sm4_key.hex(),
        hours=HOURS,
        seed=device.seed,
    )


def _send_in_clear(stage: Stage, alliance: Alliance, device: simulator.Station, summary: Summary) -> None:
    """Send what somebody on the line could write who knows the password and not the key."""
    forged = simulator.Station(device.mn, device.st, device.seed, device.password, Edition.Y2025)
    with socket.create_connection(("127.0.0.1", alliance.station_port), timeout=_SECONDS) as line:
        line.sendall(forged.packet(FIRST_HOUR).frame())
        line.shutdown(socket.SHUT_WR)
        answer = line.recv(1)

    def refusals() -> list[Row] | None:
        node = alliance.node(HEARS_STATIONS)
        return node.get("/local/stations/refusals", {"mn": device.mn})["frames"] or None

    frames = wait_for("the refusal of a frame in clear", refusals)
    summary.checks["station_not_downgraded"] = (
        answer == b"" and len(frames) == 1 and device.password not in frames[0]["frame"]
    )
    stage.line(
        f"冒二号站之名的明文报文:无应答,拒收隔离({frames[0]['title']['zh']})",
        f"a frame in clear in the second station's name: {frames[0]['title']['en']}",
        mark="✗",
    )


def _cut(stage: Stage, alliance: Alliance, devices: list[simulator.Station], summary: Summary) -> None:
    node = alliance.node(HEARS_STATIONS)
    node.post("/local/stations/collect")
    ran = result_of(node.stream_ndjson(f"/local/sources/{_SOURCE}/run", {}), "no release of the stations")
    if len(ran["releases"]) != 1:
        raise StepFailed(f"the stations' records made {len(ran['releases'])} releases: {ran['note']}")
    shown = node.get(f"/local/quality/{OUTLETS.dataset}")
    rows = pl.read_parquet(artifact_of(alliance, HEARS_STATIONS, shown["report"]["artifact"]))
    expected = {device.mn: HOURS * len(simulator.COURSES[device.st]) for device in devices}
    counted = dict(rows.group_by("mn").len().iter_rows())
    particles = rows.filter(pl.col("factor") == _PM2_5)
    means = particles["value"].drop_nulls()
    mean = round(sum(means) / max(1, len(means)))
    summary.checks["stations_become_a_release"] = (
        counted == expected
        and ran["rows"] == len(rows) + ran["quarantined"]
        and set(particles["unit"]) == {"ug/m3"}
        and 1 < mean < 1000  # sent in ng/m3, a thousand times as many
    )
    stage.line(
        f"{OUTLETS.dataset} 第 {ran['releases'][0]} 批:{len(rows)} 行,隔离 {ran['quarantined']} 行;"
        f"PM2.5 由 ng/m3 换算为 ug/m3,均值 {mean}",
        "every factor of every hour is a validated row, once; units are the contract's",
        mark="✓" if summary.checks["stations_become_a_release"] else "✗",
    )
    summary.datasets += 1
    summary.add_sources([_source_line(shown, ran)])


def _source_line(shown: Row, ran: Row) -> Row:
    return {
        "dataset": OUTLETS.dataset,
        "file": "HJ 212 (TCP)",
        "place": OUTLETS.place,
        "sha256": shown["report"]["artifact"],
        "rows": ran["rows"],
        "rows_published": ran["rows"] - ran["quarantined"],
        "rows_quarantined": ran["quarantined"],
        "synthetic": True,
        "sharing": OUTLETS.sharing.value,
        "provider": HEARS_STATIONS,
    }
