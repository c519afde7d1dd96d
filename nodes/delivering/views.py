"""Views: an artifact without the columns that the obligations hide; what is hidden never leaves the province.

A view is made once for an artifact and a list of obligations, checked against the artifact's digest, and kept
under its own digest. Without redactions the view is the artifact itself.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import orjson

from audit.commitment import ContentDigest
from contracts.errors import Corrupt, Refused
from contracts.messages import Distribution, Manifest
from contracts.schema import Contract
from nodes.delivering.checks import ArtifactMissing
from nodes.exclusive import exclusively
from nodes.node import Node
from nodes.publishing.artifacts import artifact_path, hash_file, keep_file
from nodes.sharing_tables import ViewRow
from nodes.sources.artifact import redact
from nodes.sources.parquet_rows import read_columns


class NothingVisible(Refused):
    """The obligations leave no column to deliver."""

    code = "nothing-visible"
    title_zh = "遮蔽后没有可交付的列"
    next_zh = "请提供方为该用途登记可见字段。"
    next_en = "Ask the provider which fields this purpose may see."


class ViewLost(Corrupt):
    """The view that a receipt was signed over is gone."""

    code = "view-lost"
    title_zh = "已签回执的视图文件缺失"
    next_zh = "从备份恢复 views/;或重新申请一次传输。"
    next_en = "Restore views/ from a backup, or ask for the transfer again."


@dataclass(frozen=True, slots=True)
class View:
    """The bytes that one delivery moves."""

    path: Path
    content: ContentDigest
    rows: int
    redacted: tuple[str, ...]


def make_view(node: Node, manifest: Manifest, contract: Contract, fields: Collection[str], key: str) -> View:
    """Give the view of a release without ``fields``; ``key`` is the digest of the obligations.

    Raises ArtifactMissing when the artifact is damaged, NothingVisible when no column is left.
    """
    if not fields:
        return whole_view(node, manifest)
    artifact = manifest.distribution.sha256
    name = f".{artifact.removeprefix('sha256:')}-{key.removeprefix('sha256:')}.lock"
    with exclusively(node.home.views / name, wait=True):
        kept = find_view(node, artifact, key)
        if kept is not None:
            return kept
        _check_intact(node, manifest.distribution)
        return _write(node, manifest, contract, set(fields), key)


def whole_view(node: Node, manifest: Manifest) -> View:
    """Give the view that hides nothing: the artifact."""
    distribution = manifest.distribution
    content = ContentDigest(distribution.sha256, distribution.chunk_root, distribution.size_bytes)
    return View(artifact_path(node, distribution.sha256), content, manifest.counts.published, ())


def find_view(node: Node, artifact: str, key: str) -> View | None:
    """Find a view that was made before and is still whole."""
    with node.database.read() as session:
        row = session.get(ViewRow, (artifact, key))
    if row is None:
        return None
    path = view_path(node, row.sha256)
    if not path.is_file() or path.stat().st_size != row.size_bytes:
        return None
    content = ContentDigest(row.sha256, row.chunk_root, row.size_bytes)
    return View(path, content, row.rows, tuple(orjson.loads(row.redacted)))


def view_path(node: Node, sha256: str) -> Path:
    """Give the place of a view by its digest."""
    return node.home.views / f"{sha256.removeprefix('sha256:')}.parquet"


def visible_columns(path: Path, contract: Contract, hidden: Collection[str]) -> list[str]:
    """List the columns that stay; a pattern field hides every column that it admits."""
    kept = []
    for name in read_columns(path):
        note = contract.note_of(name)
        # A column that the contract does not describe cannot be judged, so it does not leave.
        if note is not None and note.name not in hidden and name not in hidden:
            kept.append(name)
    return kept


def _check_intact(node: Node, distribution: Distribution) -> None:
    if hash_file(artifact_path(node, distribution.sha256)).sha256 != distribution.sha256:
        raise ArtifactMissing("the artifact's bytes do not fit its digest")


def _write(node: Node, manifest: Manifest, contract: Contract, hidden: set[str], key: str) -> View:
    source = artifact_path(node, manifest.distribution.sha256)
    kept = visible_columns(source, contract, hidden)
    if not kept:
        raise NothingVisible(f"{contract.id} has no column left")
    draft = node.home.views / f".draft-{secrets.token_hex(8)}.parquet"
    try:
        redact(source, draft, set(read_columns(source)) - set(kept))
        content, path = keep_file(draft, node.home.views)
    finally:
        draft.unlink(missing_ok=True)
    redacted = tuple(sorted(hidden))
    row = ViewRow(
        artifact=manifest.distribution.sha256,
        obligations=key,
        sha256=content.sha256,
        chunk_root=content.chunk_root,
        size_bytes=content.size_bytes,
        rows=manifest.counts.published,
        redacted=orjson.dumps(redacted).decode(),
    )
    with node.database.transaction() as session:
        session.merge(row)
    return View(path, content, manifest.counts.published, redacted)
