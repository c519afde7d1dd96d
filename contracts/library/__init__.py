"""The contracts that ship with Headwaters: one JSON file for each theme, read as package data.

They go through the same ``parse_contract`` as a partner's contract; being ours buys them no shortcut.
"""

from functools import cache
from importlib import resources
from pathlib import Path

from contracts.errors import NotFound
from contracts.inspection import Inspection, inspect_contract, second_opinion
from contracts.schema import MAX_CONTRACT_BYTES, Contract, parse_contract

_ODCS_SUFFIXES = frozenset({".yaml", ".yml"})


class NoSuchContract(NotFound):
    """The library has no contract of this name."""

    code = "no-such-contract"
    title_zh = "契约库中没有该契约"
    next_zh = "用 headwaters contract library 列出全部契约。"
    next_en = "headwaters contract library lists them all."


class NoContractFile(NotFound):
    """The contract file cannot be read."""

    code = "no-contract-file"
    title_zh = "契约文件无法读取"
    next_zh = "核对路径与权限;或写契约库编号,headwaters contract library 列出全部。"
    next_en = (
        "Check the path and its permissions, or name a library id: headwaters contract library lists them."
    )


def named(text: str) -> Contract:
    """Find a contract as a person names it: a library id, or the path of a file.

    A ``.json`` file holds a contract of ours; a ``.yaml`` or ``.yml`` file one in the Open Data Contract
    Standard. A name with neither dot nor slash is an id.

    Raises:
        NoSuchContract: the library has no contract of this id.
        NoContractFile: the file is missing, no plain file, or may not be read.
        ContractRefused, BadMessage: the file holds no contract that may be used.
    """
    if not any(sign in text for sign in "./\\"):
        return load(text)
    path = Path(text)
    if path.suffix.lower() in _ODCS_SUFFIXES:
        from contracts.odcs import MAX_ODCS_BYTES, import_contract  # noqa: PLC0415 - few commands need YAML

        return import_contract(file_bytes(path, MAX_ODCS_BYTES))
    return parse_contract(file_bytes(path, MAX_CONTRACT_BYTES))


def inspected(text: str) -> Inspection:
    """List every reason against a contract that a person names as in ``named``.

    Raises NoSuchContract and NoContractFile; what stands in the file is reported, not raised.
    """
    path = Path(text)
    if any(sign in text for sign in "./\\") and path.suffix.lower() not in _ODCS_SUFFIXES:
        return inspect_contract(file_bytes(path, MAX_CONTRACT_BYTES))
    contract = named(text)
    return Inspection(contract, second_opinion(contract))


def file_bytes(path: Path, limit: int) -> bytes:
    """Read a contract file; one byte above the limit is enough for the parser to refuse it."""
    try:
        if not path.is_file():
            raise NoContractFile(f"{path.name[:200]} is no file that can be read here")
        with path.open("rb") as file:
            return file.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise NoContractFile(f"{path.name[:200]!r} cannot be read") from error


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
