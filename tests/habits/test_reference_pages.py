"""The reference pages, held against the code they describe."""

from collections.abc import Iterable
from pathlib import Path

from fastapi import APIRouter
from fastapi.routing import APIRoute

from exchange.settings import Settings
from exchange.wiring import ROUTERS
from nodes import app as node_app
from nodes import local_routes, offers
from nodes.correcting import routes as corrections
from nodes.counting import completeness_routes
from nodes.delivering import routes as deliveries
from nodes.delivering import tracing_routes
from nodes.intake import local_routes as source_routes
from nodes.intake import push_routes
from nodes.publishing import version_routes
from nodes.quality import routes as quality_routes
from nodes.quarantine import routes as quarantine_routes
from nodes.receiving import kept_routes
from nodes.rotating import key_routes
from nodes.stations import routes as station_routes
from nodes.trusting import trust_routes
from nodes.witnessing import network_routes, witness_routes
from tests.habits import contracts_page, policies_page, problems_page

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
NODE_ROUTERS = (
    node_app._own,
    witness_routes.router,
    offers.router,
    deliveries.router,
    local_routes.router,
    push_routes.router,
    source_routes.router,
    kept_routes.router,
    quality_routes.router,
    quarantine_routes.router,
    tracing_routes.router,
    completeness_routes.router,
    corrections.router,
    station_routes.router,
    network_routes.router,
    trust_routes.router,
    key_routes.router,
    version_routes.router,
)


def _spelled(routers: Iterable[APIRouter]) -> set[str]:
    return {
        f"{method} {route.path}"
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }


def _rows(page: str, heading: str) -> set[str]:
    section = page.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    return {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}


def test_the_page_of_problems_is_the_generated_one() -> None:
    """docs/reference/problems.md is what ``python -m tests.habits.problems_page`` writes."""
    assert problems_page.PAGE.read_text(encoding="utf-8") == problems_page.page()


def test_the_page_of_contracts_is_the_generated_one() -> None:
    """docs/reference/contracts.md is what ``python -m tests.habits.contracts_page`` writes."""
    assert contracts_page.PAGE.read_text(encoding="utf-8") == contracts_page.page()


def test_the_page_of_policies_is_the_generated_one() -> None:
    """docs/reference/policies.md is what ``python -m tests.habits.policies_page`` writes."""
    assert policies_page.PAGE.read_text(encoding="utf-8") == policies_page.page()


def test_every_endpoint_of_the_exchange_is_on_its_page() -> None:
    """docs/reference/http.md lists exactly the routes that the exchange answers."""
    assert _rows((REFERENCE / "http.md").read_text(), "Exchange") == _spelled(ROUTERS)


def test_every_endpoint_of_a_node_is_on_its_page() -> None:
    """docs/reference/http.md lists exactly the routes that a node answers."""
    assert _rows((REFERENCE / "http.md").read_text(), "Node") == _spelled(NODE_ROUTERS)


def test_every_setting_is_on_its_page() -> None:
    """docs/reference/settings.md has a row for each setting, with its default."""
    rows = {
        cells[1].strip(): cells[3].strip()
        for cells in (line.split("|") for line in (REFERENCE / "settings.md").read_text().splitlines())
        if len(cells) == 5 and cells[1].strip().startswith("`")
    }
    defaults = {
        name: field.default
        for name, field in Settings.model_fields.items()
        if not field.is_required() and field.default not in {None, ""}
    }

    assert {f"`{name}`" for name in Settings.model_fields} == set(rows)
    assert {name: rows[f"`{name}`"] for name in defaults} == {
        name: f"`{default}`" for name, default in defaults.items()
    }
