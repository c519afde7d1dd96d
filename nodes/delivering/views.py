"""Views: an artifact as the obligations leave it; what is hidden never leaves the province.

A view is made once for an artifact and a list of obligations, checked against the artifact's digest, and kept
under its own digest. Obligations that change no value leave the artifact itself.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path

import orjson
import polars as pl

from audit.commitment import ContentDigest
from contracts.errors import Corrupt, Refused
from contracts.messages import Discharged, Distribution, Manifest, Obligation, redacted_fields
from contracts.schema import Contract
from contracts.view import MARKS, ViewShape, shape_view
from nodes.delivering.checks import ArtifactMissing
from nodes.delivering.duties.handler import Draft, DutyFailed, View
from nodes.delivering.duties.registry import make_draft
from nodes.exclusive import exclusively
from nodes.node import Node
from nodes.publishing.artifacts import artifact_path, hash_file, keep_file
from nodes.sharing_tables import ViewRow
from nodes.sources.artifact import READ_ROWS, write_view
from nodes.sources.parquet_rows import read_columns, read_frames


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


def make_view(
    node: Node, manifest: Manifest, contract: Contract, obligations: Sequence[Obligation], key: str
) -> View:
    """Give the view of a release under obligations; ``key`` is their digest.

    Raises ArtifactMissing when the artifact is damaged, ObligationUnfit, ObligationUnknown or DutyFailed when
    an obligation cannot be met, NothingVisible when no column is left.
    """
    shape = shape_view(contract, obligations)
    if shape.whole:
        return whole_view(node, manifest)
    artifact = manifest.distribution.sha256
    name = f".{artifact.removeprefix('sha256:')}-{key.removeprefix('sha256:')}.lock"
    with exclusively(node.home.views / name, wait=True):
        kept = find_view(node, artifact, key)
        if kept is not None:
            return kept
        _check_intact(node, manifest.distribution)
        draft = Draft(
            node=node,
            dataset=manifest.dataset,
            release=manifest.number,
            artifact=artifact,
            key=key,
            published=manifest.counts.published,
            shape=shape,
            obligations=tuple(obligations),
            frame=_read(node, artifact, shape),
        )
        evidence = make_draft(draft)
        return _keep(draft, redacted_fields(obligations), evidence)


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
    evidence = tuple(Discharged.model_validate(item) for item in orjson.loads(row.discharged))
    return View(path, content, row.rows, tuple(orjson.loads(row.redacted)), evidence)


def view_path(node: Node, sha256: str) -> Path:
    """Give the place of a view by its digest."""
    return node.home.views / f"{sha256.removeprefix('sha256:')}.parquet"


def _check_intact(node: Node, distribution: Distribution) -> None:
    if hash_file(artifact_path(node, distribution.sha256)).sha256 != distribution.sha256:
        raise ArtifactMissing("the artifact's bytes do not fit its digest")


def _read(node: Node, artifact: str, shape: ViewShape) -> pl.DataFrame:
    """Read the columns that the view shows or works with, and no other."""
    source = artifact_path(node, artifact)
    present = read_columns(source)
    wanted = {*shape.filtered, *shape.figured, *(shape.columns(present) if shape.aggregate is None else ())}
    columns = [name for name in present if name in wanted]
    if not columns:
        raise NothingVisible(f"{shape.source.id} has no column left")
    parts = list(read_frames(source, READ_ROWS, columns))
    return pl.concat(parts) if parts else pl.read_parquet(source, columns=columns)


def _keep(draft: Draft, redacted: tuple[str, ...], evidence: tuple[Discharged, ...]) -> View:
    if not draft.frame.columns:
        raise NothingVisible(f"{draft.shape.source.id} has no column left")
    if not draft.marks.keys() <= MARKS:
        raise DutyFailed("a mark has a name that consumers do not know")
    views = draft.node.home.views
    path = views / f".draft-{secrets.token_hex(8)}.parquet"
    try:
        written = write_view(path, draft.frame, draft.marks)
        content, kept = keep_file(path, views)
    finally:
        path.unlink(missing_ok=True)
    row = ViewRow(
        artifact=draft.artifact,
        obligations=draft.key,
        sha256=content.sha256,
        chunk_root=content.chunk_root,
        size_bytes=content.size_bytes,
        rows=written.rows,
        redacted=orjson.dumps(redacted).decode(),
        discharged=orjson.dumps([item.model_dump() for item in evidence]).decode(),
    )
    with draft.node.database.transaction() as session:
        session.merge(row)
    return View(kept, content, written.rows, redacted, evidence)
