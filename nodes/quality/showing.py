"""Show what is known of a dataset's quality: from its report, from rows received, or from manifests alone.

Counts of every release are signed and open to the alliance. The findings themselves name series and values;
they are shown where the rows are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from contracts.errors import NotFound
from contracts.messages import DatasetRecord, Manifest
from contracts.quality.finding import Finding, Head, SeriesLine
from contracts.quality.levels import Measured, measure
from contracts.schema import Contract
from nodes.node import Node
from nodes.publishing.artifacts import hash_file
from nodes.publishing.datasets import own_contract, own_datasets
from nodes.publishing.publish import own_releases
from nodes.quality.keeping import Findings, own_report
from nodes.quality.received import differing_rules, examine_received
from nodes.receiving.judged import fetch_contract
from nodes.receiving.kept import Holding, holdings
from nodes.signed import peek_statement


class ReleaseNotListed(NotFound):
    """The feed of the dataset does not list this release."""

    code = "release-not-listed"
    title_zh = "该数据集没有该批次"
    next_zh = "用 headwaters catalog show 查看已有批次。"
    next_en = "headwaters catalog show lists the releases."


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which findings to show: of one release (default: the newest), of one rule, a page of them."""

    release: int | None = None
    rule: str | None = None
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """What is known of a dataset's quality.

    ``head``, ``series`` and ``findings`` are there where the rows are. ``differing`` names rules that find
    something else in the received rows than the provider says; None where nothing was compared.
    """

    manifest: Manifest
    releases: list[Manifest]
    levels: list[Measured]
    head: Head | None
    series: list[SeriesLine]
    findings: list[Finding]
    differing: list[str] | None


def dataset_feed(node: Node, dataset: str) -> list[Manifest]:
    """List the releases of a dataset, oldest first, each signed by its provider."""
    if any(record.dataset == dataset for record in own_datasets(node)):
        return own_releases(node, dataset)
    record = peek_statement(node.broker.dataset(dataset).record_envelope, DatasetRecord).statement
    manifests: list[Manifest] = []
    while page := node.broker.releases(dataset, since=len(manifests)).releases:
        signed = [
            node.trust.participant_statement(entry.manifest_envelope, Manifest, record.provider)
            for entry in page
        ]
        manifests += [one.statement for one in signed]
    return manifests


def show_quality(node: Node, dataset: str, wanted: Wanted) -> Shown:
    """Show one release of a dataset; raise ReleaseNotListed, ReportDiffers, or what the exchange answers."""
    releases = dataset_feed(node, dataset)
    number = releases[-1].number if wanted.release is None and releases else wanted.release
    manifest = next((one for one in releases if one.number == number), None)
    if manifest is None:
        raise ReleaseNotListed(f"{dataset} has no release {number or ''}".rstrip())
    contract = _contract(node, manifest)
    report, differing = _report(node, contract, manifest)
    found = () if report is None else _wanted(report.findings(), wanted)
    return Shown(
        manifest=manifest,
        releases=releases,
        levels=measure(contract.service, releases, node.clock.now()),
        head=None if report is None else report.head,
        series=[] if report is None else list(islice(report.series(), wanted.limit)),
        findings=list(found),
        differing=differing,
    )


def _contract(node: Node, manifest: Manifest) -> Contract:
    if manifest.provider == node.participant:
        return own_contract(node, manifest.contract)
    return fetch_contract(node, manifest)


def _report(node: Node, contract: Contract, manifest: Manifest) -> tuple[Findings | None, list[str] | None]:
    if manifest.provider == node.participant:
        return own_report(node, contract, manifest), None
    held = _held(node, manifest)
    if held is None:
        return None, None
    report = examine_received(held.path, contract, manifest)
    whole = held.sha256 == manifest.distribution.sha256
    return report, differing_rules(report, manifest) if whole and manifest.quality is not None else None


def _held(node: Node, manifest: Manifest) -> Holding | None:
    return next(
        (
            item
            for item in reversed(holdings(node, manifest.dataset))
            if item.release == manifest.number
            and item.is_held
            and item.path.is_file()
            and hash_file(item.path).sha256 == item.sha256
        ),
        None,
    )


def _wanted(findings: Iterator[Finding], wanted: Wanted) -> Iterator[Finding]:
    chosen = (one for one in findings if wanted.rule in {None, one.rule})
    return islice(chosen, wanted.offset, wanted.offset + wanted.limit)
