"""The bytes of a release: one Parquet file in the node's home, immutable, named by its SHA-256.

A file gets its name only when it is whole, hashed and on disk; the same bytes twice are one file.
"""

import os
import shutil
from pathlib import Path

from audit.commitment import ContentDigest, ContentHasher
from contracts.identifiers import parse_digest
from nodes.node import Node

_READ_BYTES = 1024 * 1024


def artifact_path(node: Node, sha256: str) -> Path:
    """Give the place of an artifact by its digest."""
    return node.home.artifacts / f"{parse_digest(sha256).removeprefix('sha256:')}.parquet"


def keep_file(draft: Path, folder: Path) -> tuple[ContentDigest, Path]:
    """Move a finished file to ``folder`` under its digest, durable and read-only."""
    content = hash_file(draft)
    path = folder / f"{content.sha256.removeprefix('sha256:')}.parquet"
    draft.chmod(0o400)
    sync_file(draft)
    draft.replace(path)
    sync_folder(folder)
    return content, path


def sweep_drafts(folder: Path) -> None:
    """Remove what a killed process left half made; only for the process that alone serves the home."""
    for draft in folder.glob(".draft-*"):
        if draft.is_dir():
            shutil.rmtree(draft)
        else:
            draft.unlink()


def hash_file(path: Path) -> ContentDigest:
    """Digest a file."""
    hasher = ContentHasher()
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            hasher.update(piece)
    return hasher.digest()


def sync_file(path: Path) -> None:
    """Make a file's bytes durable."""
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
