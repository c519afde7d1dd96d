"""A dataset whose last release left rows in quarantine, and how they are looked at."""

from typing import Any

from contracts import library
from contracts.promises import ServiceLevels
from contracts.schema import Contract
from nodes.publishing.datasets import declare_dataset, register_contract
from nodes.quarantine.rows import Fields, list_rows, show_row
from tests.nodes.sharing import CONTRACT, DATASET, World, declaration, rows

BAD = {"ph": "neutral"}
CLERK = "li-wei"


def reject(world: World, count: int = 1, good: int = 3) -> list[int]:
    """Publish some good rows and leave ``count`` in quarantine; give their ids."""
    world.declare()
    world.publish([*rows(good), *({**row, **BAD} for row in rows(count, first=good + 1))])
    return [row["id"] for row in list_rows(world.provider, DATASET, 1000, 0)[1]]


def mended(count: int = 1, first: int = 4) -> list[dict[str, Any]]:
    """Give the records as they should have been."""
    return rows(count, first=first)


def state(world: World, row: int) -> str:
    """Say how far a row has come."""
    return str(show(world, row)["state"])


def show(world: World, row: int) -> Fields:
    """Show a row of the provider."""
    return show_row(world.provider, row)


def own_contract(**promises: Any) -> Contract:
    """Make a contract of the province's own from the shipped one."""
    shipped = library.load(CONTRACT)
    return shipped.model_copy(update={"id": "own-buoy", **promises}, deep=True)


def declare_own(world: World, contract: Contract) -> None:
    """Declare the dataset under a contract of the province's own."""
    register_contract(world.provider, contract.canonical().decode())
    declare_dataset(world.provider, declaration(contract=f"{contract.id}@{contract.version}"))


def waiting(days: int) -> ServiceLevels:
    """Promise that a rejected row waits so many days."""
    return ServiceLevels(quarantine_days=days)
