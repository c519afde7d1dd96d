"""Made-up stations on this machine: a day of them into a file, or one of them to a gateway.

Stations and gateway speak HJ 212 over TCP. A file holds the frames as they came, ready to be published; every
value is made up.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.clock import BEIJING, SystemClock
from contracts.errors import Usage
from contracts.hj212 import Edition
from contracts.hj212.sm4 import parse_key
from nodes import simulator
from nodes.addresses import BadAddress, host_port
from nodes.stations.gateway import Gateway
from nodes.stations.journal import Journal, segments
from nodes.stations.model import Heard, Refused, Secret, Station

FIRST_HOUR = datetime(2026, 1, 1, tzinfo=BEIJING)
# A refused frame is sent again at once: on loopback an answer that has not come will not come.
ANSWER_SECONDS = 0.5

Facts = dict[str, Any]  # Any: the JSON that people and scripts read


class MadeUpRegister:
    """A register of made-up stations, in memory; what they are refused for is on purpose and not kept."""

    def __init__(self, who: Sequence[simulator.Station]) -> None:
        self._stations = {
            one.mn: Station(one.mn, "", "", one.edition, Secret(one.password, one.sm4_key), synthetic=True)
            for one in who
        }

    def stations(self) -> Mapping[str, Station]:
        """Give every station by its MN."""
        return self._stations

    def note(
        self,
        refused: Sequence[tuple[str, Refused]],
        uncounted: Mapping[str, int],
        heard: Mapping[str, Heard],
    ) -> None:
        """Keep nothing."""


def record(to: Path, *, stations: int, hours: int, seed: int) -> Facts:
    """Let ``stations`` stations report for ``hours`` hours into ``to``; a seed leaves the same values."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}.") as folder:
        facts = asyncio.run(_record(Path(folder), simulator.stations(stations, seed), hours))
        frames = b"".join(path.read_bytes() for path in segments(Path(folder)))
    to.write_bytes(frames)
    return {"file": str(to), "stations": stations, **facts}


def report(
    to: str, *, mn: str, st: str, edition: str, password: str, sm4_key: str | None, hours: int, seed: int
) -> Facts:
    """Let one station report ``hours`` hours to HOST:PORT; raise NoAnswer when nobody answers, or Usage."""
    if st not in simulator.COURSES or edition not in {Edition.Y2017, Edition.Y2025}:
        raise Usage(f"--st is one of {', '.join(simulator.COURSES)}, --edition 2017 or 2025")
    try:
        address = host_port(to)
    except BadAddress as error:
        raise Usage("--to is HOST:PORT") from error
    key = None if sm4_key is None else parse_key(sm4_key)
    one = simulator.Station(mn, st, seed, password, Edition(edition), key)
    sent = asyncio.run(simulator.run([one], FIRST_HOUR, hours, address, defect_every=0))
    return {"mn": mn, "packets": sent.answered, "transmissions": sent.transmissions, "synthetic": True}


async def _record(folder: Path, who: list[simulator.Station], hours: int) -> Facts:
    clock = SystemClock()
    gateway = Gateway(MadeUpRegister(who), Journal(folder, clock), clock)
    try:
        address = await gateway.start("127.0.0.1")
        sent = await simulator.run(who, FIRST_HOUR, hours, address, answer_seconds=ANSWER_SECONDS)
    finally:
        await gateway.close()
    return {
        "packets": sent.answered,
        "transmissions": sent.transmissions,
        "defects": dict(sent.defects),
        "synthetic": True,
    }
