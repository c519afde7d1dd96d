"""Examine what was received: the same contract and rows give the counts that the provider signed.

Only bytes that are the release itself are compared, as a view may lack what a rule looks at. A rule that this
installation cannot judge is not compared either. A difference is this node's own finding; the rows stay.
"""

from pathlib import Path

from contracts.messages import Manifest, Severity, Text
from contracts.quality.engine import examine
from contracts.quality.report import Report
from contracts.schema import Contract
from nodes.node import Node
from nodes.quality.artifact_rows import ArtifactRows

DIFFERS = "quality.differs"


def examine_received(path: Path, contract: Contract, manifest: Manifest) -> Report:
    """Examine a received file by what its obligations left of the contract."""
    return examine(contract, ArtifactRows(path), manifest.at, artifact=manifest.distribution.sha256)


def differing_rules(report: Report, manifest: Manifest) -> list[str]:
    """Name the rules that find another number of records than the manifest says."""
    said = {count.rule: count.records for count in manifest.findings}
    unjudged = {one.rule for one in report.unjudged}
    return [
        rule.rule
        for rule in report.rules
        if rule.rule not in unjudged and rule.records != said.get(rule.rule, 0)
    ]


def check_counts(node: Node, path: Path, sha256: str, contract: Contract, manifest: Manifest) -> list[str]:
    """Raise an alarm where a whole release was received whose findings were not told as they are."""
    if manifest.quality is None or sha256 != manifest.distribution.sha256:
        return []
    differing = differing_rules(examine_received(path, contract, manifest), manifest)
    if differing:
        node.alarms.raise_alarm(
            DIFFERS,
            Severity.MEDIUM,
            Text(
                zh="收到的批次质量问题计数与提供方公布的不一致",
                en="A received release shows other quality findings than its provider published",
            ),
            {
                "dataset": manifest.dataset,
                "release": manifest.number,
                "provider": manifest.provider,
                "rules": len(differing),
                "rule": differing[0],
            },
        )
    return differing
