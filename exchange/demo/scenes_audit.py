"""Scenes of audit: the day is closed, mirrors walk clean, the books balance, a report says who got what."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from audit.log.entry import parse_entry
from audit.proofs.transfer_proof import read_proof
from contracts.clock import BEIJING
from exchange.demo.alliance import Alliance, StepFailed
from exchange.demo.cast import CAST, CENTRE
from exchange.demo.processes import run_together
from exchange.demo.scenes_evidence import proof_of
from exchange.demo.scenes_keys import Deliveries
from exchange.demo.scenes_sharing import Pulled
from exchange.demo.stage import Stage, wait_for
from exchange.demo.summary import Summary

VALID = 0
COUNTS_SECONDS = 60.0
ENDS = ("done", "aborted", "expired", "open")


def close_the_day(stage: Stage, alliance: Alliance) -> None:
    """Log where every subscription stands; each node then counts its own books while the story goes on."""
    cut = alliance.operator("auditor").post("/operator/heads")
    stage.line(
        f"日终登记:{cut['size']} 个订阅的末态写入日志,各节点自行核对并报送计数",
        "the day is closed: where every subscription stands is logged, and each node counts its own books",
    )


def audit_the_day(
    stage: Stage, alliance: Alliance, transfers: list[Pulled], deliveries: Deliveries, summary: Summary
) -> Path:
    """Check every mirror, reconcile the day, write a report; give the report's file."""
    stage.scene("镜像、对账、审计报告", "every node's mirror, the balanced books, and who received what")
    parties = {t.consumer for t in transfers} | {t.dataset.provider for t in transfers}
    for slug in sorted(parties):
        wait_for(f"the count of {slug}", partial(_counted, alliance, slug), COUNTS_SECONDS)
    log = wait_for("the witnessed log", partial(_witnessed, alliance))
    _check_mirrors(stage, alliance, int(log["size"]), summary)
    dataset, report = deliveries.before.dataset.dataset, alliance.home / "report.html"
    mirror, day = alliance.node_home(CENTRE.slug) / "mirror", _day(proof_of(deliveries.older))
    walked, balanced, written = run_together(
        ["audit", "fsck", "--home", alliance.home, "--against", mirror, "--json"],
        ["audit", "reconcile", "--home", alliance.home, "--json"],
        [
            "audit",
            "report",
            "--dataset",
            dataset,
            "--day",
            day,
            "--to",
            report,
            "--home",
            alliance.home,
            "--json",
        ],
    )
    summary.checks["log_walks_clean"] = walked.returncode == VALID
    if walked.returncode == VALID:
        size = json.loads(walked.stdout)["size"]
        stage.line(
            f"fsck:{size} 条全部复核,与信息中心的镜像一致", "the whole log walks clean, and as mirrored"
        )
    summary.checks["books_balance"] = balanced.returncode == VALID and _balances(json.loads(balanced.stdout))
    if summary.checks["books_balance"]:
        _tell_balance(stage, json.loads(balanced.stdout))
    if written.returncode != VALID:
        raise StepFailed(f"no report of {dataset}: {written.stderr.strip()}")
    got = json.loads(written.stdout)["received"]
    names = "、".join(dict.fromkeys(one["consumer"]["zh"] for one in got))
    stage.line(
        f"审计报告:{dataset} 当日有 {len(got)} 次传输,收到的是{names}",
        f"who received it that day, on one page with its proofs: {report}",
    )
    return report


def _counted(alliance: Alliance, slug: str) -> bool | None:
    cuts = alliance.node(slug).get("/local/heads")["cuts"]
    if any(cut["contradictions"] for cut in cuts):
        raise StepFailed(f"{slug} says that the subscription heads contradict its books")
    return True if any(cut["count_index"] is not None for cut in cuts) else None


def _witnessed(alliance: Alliance) -> dict[str, Any] | None:
    log: dict[str, Any] = alliance.operator("operator").get("/operator/status")["log"]
    return log if log["witnessed_size"] == log["size"] else None


def _check_mirrors(stage: Stage, alliance: Alliance, size: int, summary: Summary) -> None:
    """Let every node bring its mirror up to date and hold each file of it against the checkpoint again."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = list(pool.map(lambda player: alliance.node(player.slug).post("/local/mirror"), CAST))
    clean = [one for one in found if one["size"] >= size and not one["mended"] and one["trouble"] is None]
    summary.checks["mirrors_walk_clean"] = len(clean) == len(CAST)
    stage.line(
        f"{len(clean)} 个节点各有一份完整日志镜像,逐个文件复核无误",
        f"every node keeps the whole log, {size} entries or more, and each file of it fits the checkpoint",
        mark="✓" if summary.checks["mirrors_walk_clean"] else "✗",
    )


def _day(proof: Path) -> str:
    """Give the day in Beijing on which a transfer was closed."""
    closed = parse_entry(read_proof(proof.read_bytes()).done.leaf)
    return closed.at.astimezone(BEIJING).date().isoformat()


def _balances(report: dict[str, Any]) -> bool:
    """Tell whether grants and their ends are equal for every pair, and every count is the log's."""
    counts = [count for window in report["windows"] for count in window["counts"]]
    return (
        all(row["granted"] == sum(row[end] for end in ENDS) for row in report["days"])
        and sum(row["done"] for row in report["days"]) > 0
        and len(counts) > 0
        and all(
            (one["sent"], one["received"]) == (one["expected_sent"], one["expected_received"])
            for one in counts
        )
    )


def _tell_balance(stage: Stage, report: dict[str, Any]) -> None:
    granted, done = (sum(row[name] for row in report["days"]) for name in ("granted", "done"))
    pairs = {(row["provider"], row["consumer"]) for row in report["days"] if row["granted"]}
    counts = sum(len(window["counts"]) for window in report["windows"])
    stage.line(
        f"对账:{len(pairs)} 对参与方,授权 {granted} 次,完成 {done} 次,逐对相符;{counts} 份自报计数与日志相符",
        "granted = done + aborted + expired + open for every pair; what each node counted is what is logged",
    )
