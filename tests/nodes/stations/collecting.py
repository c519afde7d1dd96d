"""A province with a dataset of online monitoring, a source for it, a station and a journal."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import polars as pl
from sqlmodel import select

from contracts.hj212 import Packet
from contracts.messages import Text
from nodes.intake.flow import run
from nodes.intake.model import NewSource, StationSettings
from nodes.intake.sources import add_source
from nodes.intake.spool import find_source
from nodes.intake.tables import PieceRow
from nodes.node import Node
from nodes.publishing.artifacts import artifact_path
from nodes.publishing.datasets import Declaration, declare_dataset, register_contract
from nodes.publishing.publish import own_releases
from nodes.stations import registry
from nodes.stations.collect import collect, journal_folder
from nodes.stations.journal import Journal
from nodes.stations.model import Station
from tests.nodes.sharing import World, declaration
from tests.nodes.stations.hearing import STATION

SOURCE = "outlets"
DATASET = "outlets-hourly"
CONTRACT = "pollution-source-online"


@dataclass
class Province:
    """One node that hears stations."""

    node: Node
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        self.journal = Journal(journal_folder(self.node), self.node.clock)

    def take(self, *packets: Packet) -> None:
        """Bring packets to the journal, as the gateway does."""
        self.journal.append([packet.frame() for packet in packets])

    def collect(self) -> Any:
        return collect(self.node, self.journal)

    def restart(self) -> None:
        """Begin anew with what is on the disk."""
        self.journal.close()
        self.journal = Journal(journal_folder(self.node), self.node.clock)

    def landed(self, source: str = SOURCE) -> list[dict[str, Any]]:
        """Give every record that a source took, in order."""
        with self.node.database.read() as session:
            pieces = session.exec(
                select(PieceRow).where(PieceRow.source == find_source(self.node, source).id)
            ).all()
        folder = self.node.home.path / "intake" / str(find_source(self.node, source).id)
        lines = [line for piece in pieces for line in (folder / str(piece.file)).read_bytes().splitlines()]
        return [orjson.loads(line) for line in lines]

    def hours(self) -> Counter[tuple[str, str]]:
        """Count the landed records by factor and time."""
        return Counter((row["factor"], row["local_time"]) for row in self.landed())

    def run_source(self) -> None:
        run(self.node, SOURCE)

    def released(self) -> pl.DataFrame:
        frames = [
            pl.read_parquet(artifact_path(self.node, one.distribution.sha256))
            for one in own_releases(self.node, DATASET)
        ]
        return pl.concat(frames)


def province(world: World, *stations: Station) -> Province:
    """Declare the dataset, add the source, register stations."""
    node = world.provider
    register_contract(node, CONTRACT)
    fields = declaration(
        dataset=DATASET, contract=CONTRACT, title=Text(zh="排口小时", en="outlets"), classification=2
    )
    declare_dataset(node, Declaration.model_validate(fields.model_dump()))
    add_source(node, NewSource(name=SOURCE, dataset=DATASET, settings=StationSettings()))
    for station in stations or (STATION,):
        registry.add_station(node, replace(station, source=SOURCE))
    return Province(node)
