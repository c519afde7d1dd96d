"""Sources of a province under test, and what came of their rows."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from sqlmodel import col, select

from nodes.intake.flow import Run, run
from nodes.intake.model import (
    FolderSettings,
    NewSource,
    PushSettings,
    Settings,
    StationSettings,
)
from nodes.intake.sources import Added, add_source
from nodes.intake.spool import find_source, spool_folder
from nodes.intake.tables import PieceRow
from nodes.node import Node
from nodes.publishing.artifacts import artifact_path
from nodes.publishing.publish import own_releases
from tests.nodes.sharing import DATASET, World, rows

NAME = "buoy-feed"


def lines(*records: dict[str, Any]) -> bytes:
    """Write rows as NDJSON."""
    return b"".join(orjson.dumps(record) + b"\n" for record in records)


def batch(first: int, count: int) -> bytes:
    """Make a batch of good rows, numbered from ``first``."""
    return lines(*rows(count, first=first))


def add(world: World, settings: Settings, *, name: str = NAME, every_seconds: int = 0) -> Added:
    """Declare the dataset if need be, and add a source to it."""
    world.declare()
    new = NewSource(name=name, dataset=DATASET, settings=settings, every_seconds=every_seconds)
    return add_source(world.provider, new)


def add_push(world: World, **more: Any) -> str:
    """Add a push source; give its token."""
    token = add(world, PushSettings(), **more).token
    assert token is not None
    return token


def add_station(world: World) -> None:
    """Add a source that a gateway hands rows to."""
    add(world, StationSettings())


def add_folder(world: World, **settings: Any) -> Path:
    """Add a watched folder; give the folder."""
    folder = world.folder / "watched"
    folder.mkdir()
    add(world, FolderSettings(path=str(folder), **settings))
    return folder


def put(world: World, path: Path, content: bytes, *, age_seconds: float = 60) -> Path:
    """Write a file that was last changed so long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    at = world.clock.now().timestamp() - age_seconds
    os.utime(path, (at, at))
    return path


def run_source(world: World, name: str = NAME, *, again: bool = False) -> Run:
    """Read the source and publish its releases."""
    return run(world.provider, name, again=again)


def released(node: Node, dataset: str = DATASET) -> Counter[int]:
    """Count the record numbers in all releases of the dataset."""
    found: Counter[int] = Counter()
    for manifest in own_releases(node, dataset):
        frame = pl.read_parquet(artifact_path(node, manifest.distribution.sha256))
        found.update(frame["record_number"].to_list())
    return found


def once_each(first: int, count: int) -> Counter[int]:
    """Say that each of these record numbers was released once."""
    return Counter(range(first, first + count))


def pieces(node: Node, name: str = NAME) -> list[PieceRow]:
    """List the pieces of a source."""
    with node.database.read() as session:
        query = select(PieceRow).where(PieceRow.source == find_source(node, name).id)
        return list(session.exec(query.order_by(col(PieceRow.id))).all())


def spooled(node: Node, name: str = NAME) -> list[Path]:
    """List the files in the spool of a source."""
    return sorted(spool_folder(node, find_source(node, name).id or 0).iterdir())
