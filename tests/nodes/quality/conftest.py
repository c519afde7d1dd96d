"""Two provinces and their exchange, and a dataset whose contract has quality rules."""

import orjson
import pytest

from contracts import library
from contracts.schema import Contract, parse_contract
from nodes.publishing.datasets import declare_dataset, register_contract
from tests.nodes.sharing import CONTRACT, World, declaration, exchange, joined, world

__all__ = ["exchange", "joined", "world"]

TITLE = {"zh": "规则", "en": "rule"}
RULES = [
    {
        "id": "stuck-temperature",
        "title": TITLE,
        "kind": "stuck",
        "fields": ["temperature"],
        "records": 6,
        "severity": "error",
        "event": True,
    },
    {"id": "late", "title": TITLE, "kind": "timely", "within_seconds": 86_400, "severity": "info"},
    {"id": "salty", "title": TITLE, "kind": "plausible", "field": "salinity", "maximum": "44"},
]


def ruled() -> Contract:
    """Make the river buoy's contract with rules of its own."""
    document = orjson.loads(library.load(CONTRACT).canonical())
    document |= {
        "id": "river-quality",
        "version": "1.0.0",
        "series": {"time": "local_time", "by": [], "step_seconds": 3600, "zone": "+10:00"},
        "service": {"frequency_seconds": 86_400, "completeness_percent": 50},
        "quality": RULES,
        "codes": [],
    }
    return parse_contract(orjson.dumps(document))


@pytest.fixture
def ruled_world(world: World) -> World:
    """Declare the dataset under the contract with rules."""
    register_contract(world.provider, ruled().canonical().decode())
    declare_dataset(world.provider, declaration(contract="river-quality"))
    return world
