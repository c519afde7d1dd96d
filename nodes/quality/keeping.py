"""Examine a release before it is signed, and keep the whole report with the node that published it.

The report is a file of its own, named by dataset and release and bound by its digest in the signed manifest.
It names series and values, so it stays here; counts leave with the manifest. Whoever holds the same rows can
write the same bytes, so a report that was lost is made again from the artifact.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter

from audit.durable import sync_folder
from contracts.errors import Corrupt
from contracts.identifiers import parse_name
from contracts.messages import FindingCount, Manifest, QualityNote
from contracts.quality.engine import examine
from contracts.quality.finding import Finding, Head, ReportLine, SeriesLine
from contracts.quality.report import Report
from contracts.schema import Contract
from nodes.node import Node
from nodes.publishing.artifacts import artifact_path, hash_file
from nodes.quality.artifact_rows import ArtifactRows

_LINE: TypeAdapter[Head | SeriesLine | Finding] = TypeAdapter(ReportLine)


class ReportDiffers(Corrupt):
    """The rows give another quality report than the provider signed for."""

    code = "quality-report-differs"
    title_zh = "由数据行得出的质量报告与提供方签名的不同"
    next_zh = "核对两端软件与代码表版本是否一致;若一致,请向提供方提出数据校核。"
    next_en = (
        "Compare the versions of software and code lists on both sides; if equal, object at the provider."
    )


@dataclass(frozen=True, slots=True)
class Examined:
    """What a manifest says of quality: the counts, and how the whole report is named."""

    findings: list[FindingCount]
    note: QualityNote | None


class Findings(Protocol):
    """A report as it is read: freshly made, or from its file."""

    @property
    def head(self) -> Head:
        """Give the figures of the whole release."""
        ...

    def series(self) -> Iterator[SeriesLine]:
        """Give the completeness of each series."""
        ...

    def findings(self) -> Iterator[Finding]:
        """Give every finding."""
        ...


class KeptReport:
    """A report in its file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def head(self) -> Head:
        """Give the figures of the whole release."""
        return next(line for line in self._lines() if isinstance(line, Head))

    def series(self) -> Iterator[SeriesLine]:
        """Give the completeness of each series."""
        return (line for line in self._lines() if isinstance(line, SeriesLine))

    def findings(self) -> Iterator[Finding]:
        """Give every finding."""
        return (line for line in self._lines() if isinstance(line, Finding))

    def _lines(self) -> Iterator[Head | SeriesLine | Finding]:
        with self._path.open("rb") as file:
            for line in file:
                yield _LINE.validate_json(line)


def report_path(node: Node, dataset: str, number: int) -> Path:
    """Give the place of a release's report."""
    return node.home.quality / parse_name(dataset) / f"{number}.ndjson"


def examine_release(
    node: Node, contract: Contract, artifact: str, *, dataset: str, number: int, at: datetime
) -> Examined:
    """Examine an artifact that is about to be released, and keep the report, durable before this returns.

    A contract without series and rules promises nothing that could be examined.
    """
    if contract.series is None and not contract.quality:
        return Examined([], None)
    report = examine(contract, ArtifactRows(artifact_path(node, artifact)), at, artifact=artifact)
    digest = _keep(report, report_path(node, dataset, number))
    head = report.head
    note = QualityNote(
        report=digest,
        expected=head.expected,
        present=head.present,
        until=head.until,
        latency_seconds=report.latency_seconds,
    )
    return Examined(report.counts(), note)


def own_report(node: Node, contract: Contract, manifest: Manifest) -> Findings | None:
    """Read the report of an own release; None for one that was not examined.

    A file that is gone or altered is made again from the artifact; raises ReportDiffers when the artifact
    gives another one.
    """
    if manifest.quality is None:
        return None
    path = report_path(node, manifest.dataset, manifest.number)
    if not (path.is_file() and hash_file(path).sha256 == manifest.quality.report):
        rows = ArtifactRows(artifact_path(node, manifest.distribution.sha256))
        report = examine(contract, rows, manifest.at, artifact=manifest.distribution.sha256)
        if report.digest() != manifest.quality.report:
            raise ReportDiffers(f"release {manifest.number} of {manifest.dataset} gives another report")
        _keep(report, path)
    return KeptReport(path)


def _keep(report: Report, path: Path) -> str:
    """Write a report whole or not at all; give its digest."""
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    hasher = sha256()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for line in report.lines():
            hasher.update(line)
            file.write(line)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    sync_folder(path.parent)
    return f"sha256:{hasher.hexdigest()}"
