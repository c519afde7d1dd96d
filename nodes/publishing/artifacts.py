"""The bytes of a release: one Parquet file in the node's home, immutable, named by its SHA-256.

A file gets its name only when it is whole, hashed and on disk; the same bytes twice are one file.
"""

import shutil
from pathlib import Path

from audit.commitment import ContentDigest, ContentHasher
from audit.durable import sync_file, sync_folder
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
