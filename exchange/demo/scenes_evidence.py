"""Scenes of evidence: files and a report proved offline, the log exported, four forgeries caught."""

import json
from functools import partial
from pathlib import Path

from exchange.demo import forgeries
from exchange.demo.alliance import Alliance, StepFailed
from exchange.demo.cast import CAST, CENTRE, QUORUM
from exchange.demo.processes import run_together
from exchange.demo.scenes_keys import Deliveries
from exchange.demo.scenes_sharing import Pulled
from exchange.demo.stage import Stage, wait_for
from exchange.demo.summary import Summary

VALID, INVALID, UNDECIDABLE = 0, 1, 2


def await_proofs(stage: Stage, alliance: Alliance, transfers: list[Pulled]) -> None:
    """Wait until no receipt waits in any outbox; every delivered file then has its proof beside it."""
    stage.scene("回执入账,证明落盘", "receipts included under a cosigned checkpoint; outboxes drain")
    for player in CAST:
        wait_for(f"the empty outbox of {player.slug}", partial(_drained, alliance, player.slug))
    files = [Path(file["path"]) for pulled in transfers for file in pulled.files]
    missing = [file.name for file in files if not proof_of(file).is_file()]
    if missing:
        raise StepFailed(f"no proof beside {', '.join(missing)}")
    stage.line(f"{len(files)} 个文件各有一份 .hwproof", "every received file has its proof beside it")


def proof_of(file: Path) -> Path:
    """Name the proof that stands beside a received file."""
    return file.with_name(file.name + ".hwproof")


def _drained(alliance: Alliance, slug: str) -> bool | None:
    return None if alliance.node(slug).get("/local/outbox")["rows"] else True


def prove(stage: Stage, alliance: Alliance, deliveries: Deliveries, report: Path, summary: Summary) -> None:
    """Run the command line on delivered files, the log and the report, clean and tampered with."""
    stage.scene("任何人都能验证", "anyone can check, offline: what holds, and four forgeries")
    trust = alliance.node_home(CENTRE.slug) / "trust.json"
    exported = alliance.home / "export"
    nobody = alliance.home / "nobody"
    older, newer, judged, undecided, wrote = run_together(
        _verify(deliveries.older, trust),
        _verify(deliveries.newer, trust),
        ["verify", report, "--trust", trust, "--json"],
        ["verify", proof_of(deliveries.older), "--file", deliveries.older, "--home", nobody, "--json"],
        ["audit", "export", "--home", alliance.home, "--to", exported, "--json"],
    )
    summary.is_proof_verified = older.returncode == VALID
    signers = len(json.loads(older.stdout)["root_signers"]) if summary.is_proof_verified else 0
    summary.checks["proof_names_signers"] = signers >= QUORUM
    summary.checks["proof_survives_rotation"] = older.returncode == newer.returncode == VALID
    summary.checks["report_verified"] = judged.returncode == VALID
    summary.checks["no_trust_root_is_undecidable"] = undecided.returncode == UNDECIDABLE
    summary.checks["log_exported"] = wrote.returncode == VALID and (exported / "policy").is_file()
    name = f"{deliveries.older.parent.name}/{deliveries.older.name}"
    _judge(
        stage,
        summary.is_proof_verified,
        f"verify {name}:有效,信任根由 {signers} 方签署",
        f"valid under a trust root that {signers} of the alliance signed",
    )
    _judge(
        stage,
        summary.checks["proof_survives_rotation"],
        "提供方换钥前后的两份证明都有效",
        "what the provider signed before its key was replaced still holds, and so does what came after",
    )
    _judge(stage, summary.checks["report_verified"], "审计报告离线复核有效", "the report holds, offline")
    _judge(
        stage,
        summary.checks["log_exported"],
        f"export:{exported}",
        "a static tlog-tiles tree with its policy file",
    )
    _catch(stage, alliance, deliveries.older, trust, summary)


def _catch(stage: Stage, alliance: Alliance, delivered: Path, trust: Path, summary: Summary) -> None:
    """Tamper with copies; every forgery must be found, and the untouched original must not be."""
    exported, scratch = alliance.home / "export", alliance.home / "tampered"
    key = alliance.exchange_home / "keys" / "log.key"
    flipped = forgeries.flip_byte(delivered, scratch)
    deleted = forgeries.delete_entry(exported, scratch / "deleted")
    forged = forgeries.fork(exported, key, scratch / "fork")
    evidence = forgeries.convict(exported, forged, key, alliance.home / "fork.hwfork")
    control, changed, shortened, forked, condemned = run_together(
        ["audit", "fsck", "--home", exported, "--json"],
        ["verify", proof_of(delivered), "--file", flipped, "--trust", trust, "--json"],
        ["audit", "fsck", "--home", deleted, "--json"],
        ["audit", "fsck", "--home", exported, "--against", forged, "--json"],
        ["verify", evidence, "--trust", trust, "--json"],
    )
    caught = {
        "clean_control": control.returncode == VALID and summary.is_proof_verified,
        "flipped_byte": changed.returncode == INVALID,
        "deleted_entry": shortened.returncode == INVALID,
        "forked_checkpoint": forked.returncode == INVALID,
        "fork_condemned": condemned.returncode == INVALID and _is_forked(condemned.stdout),
    }
    summary.checks.update(caught)
    summary.is_tampering_caught = all(caught.values())
    told = (
        "原件核对无误",
        "翻转一个字节:被发现",
        "删除一条日志:被发现",
        "用日志密钥另签一个历史:被发现",
        f"两份检查点合成分叉证据 {evidence.name}:任何人可据此认定日志一签两史",
    )
    english = (
        "clean control",
        "one flipped byte: found",
        "one deleted entry: found",
        "another history signed with the log's own key: found",
        "both checkpoints in one file condemn the log, for everybody",
    )
    for holds, zh, en in zip(caught.values(), told, english, strict=True):
        _judge(stage, holds, zh, en)


def _verify(file: Path, trust: Path) -> list[str | Path]:
    return ["verify", proof_of(file), "--file", file, "--trust", trust, "--json"]


def _judge(stage: Stage, holds: bool, zh: str, en: str) -> None:
    if holds:
        stage.line(zh, en)
    else:
        stage.line(f"未通过:{zh}", f"did not hold: {en}", mark="✗")


def _is_forked(printed: str) -> bool:
    return bool(printed) and json.loads(printed).get("forked") is True
