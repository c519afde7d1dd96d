"""The contracts that ship with Headwaters: one JSON file for each theme, read as package data.

They go through the same ``parse_contract`` as a partner's contract; being ours buys them no shortcut.
"""

from functools import cache
from importlib import resources

from contracts.errors import NotFound
from contracts.schema import Contract, parse_contract


class NoSuchContract(NotFound):
    """The library has no contract of this name."""

    code = "no-such-contract"
    title_zh = "契约库中没有该契约"
    next_zh = "用 headwaters contract library 列出全部契约。"
    next_en = "headwaters contract library lists them all."


@cache
def names() -> tuple[str, ...]:
    """List the ids of the shipped contracts in alphabetical order."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(f.name.removesuffix(".json") for f in files if f.name.endswith(".json")))


@cache
def load(contract_id: str) -> Contract:
    """Read one shipped contract; raise NoSuchContract."""
    if contract_id not in names():
        raise NoSuchContract(f"{contract_id[:63]!r} is none of: {', '.join(names())}")
    return parse_contract(resources.files(__name__).joinpath(f"{contract_id}.json").read_bytes())


def shipped_contracts() -> list[Contract]:
    """Read every shipped contract."""
    return [load(name) for name in names()]
