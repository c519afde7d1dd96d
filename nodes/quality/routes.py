"""What people ask of quality at their node, over loopback."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from contracts.clock import rfc3339
from contracts.messages import DatasetId, Manifest
from contracts.quality.levels import Measured
from nodes.callers import AnyPerson, TheNode
from nodes.publishing.datasets import own_datasets
from nodes.publishing.publish import own_releases
from nodes.quality.showing import Shown, Wanted, show_quality

MAX_PAGE = 1000

Fields = dict[str, Any]  # Any: the JSON that people and scripts read

router = APIRouter(prefix="/local/quality")


@router.get("")
def get_quality(node: TheNode, _person: AnyPerson) -> Fields:
    """List this node's datasets with what was found in their newest release."""
    lines = []
    for record in own_datasets(node):
        releases = own_releases(node, record.dataset)
        newest = _release(releases[-1]) if releases else {}
        lines.append({"dataset": record.dataset, "title": record.title.model_dump(), **newest})
    return {"datasets": lines}


@router.get("/{dataset}")
def get_dataset_quality(
    node: TheNode,
    _person: AnyPerson,
    dataset: DatasetId,
    *,
    release: Annotated[int | None, Query(ge=1)] = None,
    rule: Annotated[str | None, Query(max_length=63)] = None,
    limit: Annotated[int, Query(ge=0, le=MAX_PAGE)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Fields:
    """Show what was found in one release: of an own one, or of one that was received, or its counts alone."""
    return _shown(show_quality(node, dataset, Wanted(release, rule, offset, limit)))


def _shown(shown: Shown) -> Fields:
    return {
        "dataset": shown.manifest.dataset,
        "provider": shown.manifest.provider,
        **_release(shown.manifest),
        "releases": [_release(one) for one in shown.releases],
        "levels": [_level(one) for one in shown.levels],
        "report": None if shown.head is None else shown.head.model_dump(mode="json"),
        "series": [line.model_dump(mode="json") for line in shown.series],
        "findings": [one.model_dump(mode="json") for one in shown.findings],
        "differing": shown.differing,
    }


def _release(manifest: Manifest) -> Fields:
    """Say what a manifest says of quality; ``completeness`` is percent rounded down."""
    note = manifest.quality
    counts = dict.fromkeys(("error", "warning", "info"), 0)
    for one in manifest.findings:
        counts[one.severity] += one.records
    share = None if note is None or not note.expected else 100 * (note.present or 0) // note.expected
    return {
        "release": manifest.number,
        "at": rfc3339(manifest.at),
        "rows": manifest.counts.published,
        "quarantined": manifest.counts.quarantined,
        "examined": note is not None,
        **counts,
        "completeness": share,
        "until": None if note is None else note.until,
        "latency_seconds": None if note is None else note.latency_seconds,
        "rules": [one.model_dump(mode="json") for one in manifest.findings],
    }


def _level(one: Measured) -> Fields:
    return {**asdict(one), "level": one.level.value}
