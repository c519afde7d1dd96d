"""Write one shard as static files that other people's tools read (c2sp.org/tlog-tiles), with its policy.

A shard that is not the first also brings ``heads.json``, the subscription heads that it began with.

The export reaches the newest checkpoint that a quorum has cosigned, or the newest log-signed one where there
is none yet. Every file appears whole or not at all and the checkpoint comes last, so a reader never finds a
checkpoint whose tiles are missing. Running it again adds what is new.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from audit.formats.checkpoint import Checkpoint
from audit.formats.note import parse_note
from audit.formats.quorum import WitnessPolicy
from audit.formats.tile import entries_path, tiles_for
from audit.log.log_reader import LogReader
from audit.walk.log_source import HEADS_FILE
from contracts.errors import Corrupt


class ExportContradicts(Corrupt):
    """The directory holds another history of this log."""

    code = "export-contradicts"
    title_zh = "目录中已有的导出与本日志矛盾"
    next_zh = "保留该目录作为证据,运行 headwaters audit fsck,并导出到新目录。"
    next_en = "Keep the directory as evidence, run headwaters audit fsck, and export to a new directory."


@dataclass(frozen=True, slots=True)
class Exported:
    """How far the directory reaches now, and how many files were added."""

    checkpoint: Checkpoint
    written: int


def export(reader: LogReader, directory: Path, policy: WitnessPolicy) -> Exported:
    """Bring ``directory`` up to the newest published checkpoint; raise ExportContradicts.

    A directory that reaches further than that checkpoint keeps the one it has.
    """
    note = reader.cosigned() or reader.checkpoint()
    checkpoint = Checkpoint.parse(parse_note(note).text)
    place = directory / "checkpoint"
    standing = Checkpoint.parse(parse_note(place.read_bytes()).text) if place.is_file() else None
    if standing is not None:
        _check_history(reader, standing, checkpoint.origin)
    written = 0
    for tile in tiles_for(checkpoint.size):
        written += keep_file(directory / tile.path, reader.tile(*tile))
        if tile.level == 0:
            bundle = reader.bundle(tile.n, tile.width)
            written += keep_file(directory / entries_path(tile.n, tile.width), bundle)
    heads = reader.heads()
    if heads is not None:
        written += keep_file(directory / HEADS_FILE, heads)
    put_file(directory / "policy", policy.format().encode())
    if standing is not None and standing.size > checkpoint.size:
        return Exported(standing, written)
    put_file(place, note)
    return Exported(checkpoint, written)


def _check_history(reader: LogReader, standing: Checkpoint, origin: str) -> None:
    if standing.origin != origin:
        raise ExportContradicts("the directory holds another log")
    if standing.size > reader.size() or reader.root(standing.size) != standing.root:
        raise ExportContradicts(f"the checkpoint of size {standing.size} there is not of this history")


def keep_file(path: Path, content: bytes) -> bool:
    """Write an immutable file once; tell whether it is new. Raises ExportContradicts where it differs."""
    try:
        if path.read_bytes() != content:
            raise ExportContradicts(f"{path.name} differs from the log")
    except FileNotFoundError:
        put_file(path, content)
        return True
    return False


def put_file(path: Path, content: bytes) -> None:
    """Put a whole file in place, durable before it is seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
