"""COSE receipts of the entries that closed transfers, for SCITT verifiers (RFC 9942).

Each stands under the newest checkpoint that a quorum has cosigned in its shard, and is signed with the key of
that shard, which the exchange's home holds. Beside it lies the entry's leaf, which is what it is a receipt
of. The log's key lies there as PEM too; it is to be compared with the trust root, like every key.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from audit.formats.checkpoint import Checkpoint
from audit.formats.cose_receipt import cose_receipt
from audit.formats.merkle import EMPTY_ROOT, inclusion_path
from audit.formats.note import NoteSigner, parse_note
from audit.formats.tile import TileHashReader
from audit.keys.signing import KeyFileMissing, SigningKey, load_key
from audit.log import log_store
from audit.log.export import keep_file, put_file
from audit.log.shards import Shard
from contracts.identifiers import Kind, parse_id
from exchange.log.home import open_home
from exchange.reports import store
from exchange.reports.dsse_export import all_transfers
from exchange.settings import Settings

_SPKI_ED25519 = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 s4, before the key itself


@dataclass(frozen=True, slots=True)
class _Published:
    """A shard whose key is at hand, and its newest published checkpoint."""

    shard: Shard
    key: SigningKey
    checkpoint: Checkpoint


def export_receipts(folder: Path, to: Path, number: int | None = None, *, now: datetime) -> dict[str, Any]:
    """Write a receipt for every transfer that was closed, or closed in one shard; say how many there were.

    Counted and left out: closings that no published checkpoint covers yet, and those of a shard whose key is
    not in the home any more. A second run renews the receipts. Raises NoLogHere and ExportContradicts.
    """
    told = {"receipts": 0, "not_published": 0, "without_key": 0}
    with open_home(folder) as (settings, database), database.read() as session:
        connection = session.connection()
        shards = log_store.shards(connection)
        wanted = shards if number is None else [log_store.shard_at(connection, number)]
        published = {shard.number: _published(connection, settings, shard) for shard in wanted}
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        for one in published.values():
            if one is not None:
                keep_file(to / f"log-{one.shard.number}.pem", _pem(one.key))
        for row in all_transfers(session):
            place = row.closed_entry
            shard = None if place is None else next((one for one in wanted if one.holds(place)), None)
            if place is None or shard is None:
                continue
            found = published[shard.number]
            if found is None:
                told["without_key"] += 1
            elif place - shard.base >= found.checkpoint.size:
                told["not_published"] += 1
            else:
                told["receipts"] += 1
                leaf = store.leaf_at(connection, place)
                folder_of = to / parse_id(row.grant_id, Kind.GRANT)
                keep_file(folder_of / "closing.leaf.json", leaf)
                put_file(folder_of / "closing.cose", _receipt(connection, found, place, row.grant_id, now))
    return {"to": str(to), **told}


def _published(connection: Connection, settings: Settings, shard: Shard) -> _Published | None:
    try:
        key = load_key(settings.shard_key_path(shard.number))
    except KeyFileMissing:
        return None
    if str(NoteSigner(shard.origin, key).verifier_key) != shard.vkey:
        return None  # what another key signs is no receipt of this log
    newest = log_store.newest_cosigned(connection, shard.number)
    if newest is None:
        return _Published(shard, key, Checkpoint(shard.origin, 0, EMPTY_ROOT))
    return _Published(shard, key, Checkpoint.parse(parse_note(newest.note.encode()).text))


def _receipt(connection: Connection, found: _Published, place: int, subject: str, now: datetime) -> bytes:
    shard, claim, index = found.shard, found.checkpoint, place - found.shard.base
    tiles = TileHashReader(log_store.tile_loader(connection, shard.number), claim.size)
    return cose_receipt(
        found.key,
        origin=shard.origin,
        subject=subject,
        index=index,
        size=claim.size,
        path=inclusion_path(index, claim.size, tiles),
        root=claim.root,
        at=now,
    )


def _pem(key: SigningKey) -> bytes:
    body = base64.b64encode(_SPKI_ED25519 + key.public_raw)
    return b"-----BEGIN PUBLIC KEY-----\n" + body + b"\n-----END PUBLIC KEY-----\n"
