"""Prove places of the log under the newest quorum-cosigned checkpoint of their shard, many at a time."""

from sqlalchemy import Connection

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import inclusion_path
from audit.formats.note import parse_note
from audit.formats.proof import TlogProof
from audit.formats.tile import TileHashReader
from audit.log import log_store
from audit.log.shards import Shard
from audit.proofs.transfer_proof import ProvenEntry
from exchange.log.flow import NotYetWitnessed
from exchange.reports import store


class Prover:
    """Sees one snapshot of the database, so everything that it proves stands under the same checkpoints."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._shards = log_store.shards(connection)
        self._notes = {shard.number: _cosigned(connection, shard) for shard in self._shards}
        self._tiles: dict[int, TileHashReader] = {}
        self._proven: dict[int, ProvenEntry] = {}

    def covers(self, place: int) -> bool:
        """Say whether a cosigned checkpoint covers the entry at a place."""
        shard = self._shard(place)
        return shard is not None and place - shard.base < self._notes[shard.number][1]

    def prove(self, place: int) -> ProvenEntry:
        """Give the entry at a place and its proof; raise NotYetWitnessed or NoSuchEntry."""
        if place not in self._proven:
            shard = self._shard(place)
            if shard is None or not self.covers(place):
                raise NotYetWitnessed(f"no quorum has cosigned entry {place} so far")
            note, size = self._notes[shard.number]
            tiles = self._tiles.setdefault(
                shard.number, TileHashReader(log_store.tile_loader(self._connection, shard.number), size)
            )
            index = place - shard.base
            proof = TlogProof(index, tuple(inclusion_path(index, size, tiles)), note)
            self._proven[place] = ProvenEntry(store.leaf_at(self._connection, place), proof)
        return self._proven[place]

    def _shard(self, place: int) -> Shard | None:
        return next((shard for shard in reversed(self._shards) if shard.base <= place), None)


def _cosigned(connection: Connection, shard: Shard) -> tuple[bytes, int]:
    newest = log_store.newest_cosigned(connection, shard.number)
    if newest is None:
        return b"", 0
    note = newest.note.encode()
    return note, Checkpoint.parse(parse_note(note).text).size
