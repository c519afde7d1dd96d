"""One simulated day on this machine: stations and receiver speak HJ 212 over loopback, and a file is left.

The file holds the frames as they came, ready to be published; its values are made up.
"""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.clock import BEIJING
from nodes import simulator
from nodes.sources.hj212 import Hj212Receiver

FIRST_HOUR = datetime(2026, 1, 1, tzinfo=BEIJING)
# A refused frame is sent again at once: on loopback an answer that has not come will not come.
ANSWER_SECONDS = 0.5


def record(to: Path, *, stations: int, hours: int, seed: int) -> dict[str, Any]:
    """Let ``stations`` stations report for ``hours`` hours into ``to``; a seed leaves the same values."""
    to.parent.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_record(to, simulator.stations(stations, seed), hours))


async def _record(to: Path, who: list[simulator.Station], hours: int) -> dict[str, Any]:
    receiver = Hj212Receiver(to)
    try:
        address = await receiver.start("127.0.0.1")
        report = await simulator.run(who, FIRST_HOUR, hours, address, answer_seconds=ANSWER_SECONDS)
    finally:
        await receiver.close()
    return {
        "file": str(to),
        "stations": len(who),
        "packets": report.answered,
        "transmissions": report.transmissions,
        "defects": dict(report.defects),
        "synthetic": True,
    }
