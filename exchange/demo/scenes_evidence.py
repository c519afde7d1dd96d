"""Scenes of evidence: one file proved offline, the whole log walked and exported, three forgeries caught."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from exchange.demo import forgeries
from exchange.demo.alliance import Alliance, StepFailed
from exchange.demo.cast import CAST
from exchange.demo.processes import run
from exchange.demo.scenes_sharing import Pulled
from exchange.demo.stage import Stage, wait_for
from exchange.demo.summary import Summary

VALID, INVALID, UNDECIDABLE = 0, 1, 2


def await_proofs(stage: Stage, alliance: Alliance, transfers: list[Pulled]) -> Path:
    """Wait until no receipt waits in any outbox; give one delivered file that has its proof beside it."""
    stage.scene("回执入账,证明落盘", "receipts included under a cosigned checkpoint; outboxes drain")
    for player in CAST:
        wait_for(f"the empty outbox of {player.slug}", partial(_drained, alliance, player.slug))
    files = [Path(file["path"]) for pulled in transfers for file in pulled.files]
    missing = [file.name for file in files if not proof_of(file).is_file()]
    if missing:
        raise StepFailed(f"no proof beside {', '.join(missing)}")
    stage.line(f"{len(files)} 个文件各有一份 .hwproof", "every received file has its proof beside it")
    return files[0]


def proof_of(file: Path) -> Path:
    """Name the proof that stands beside a received file."""
    return file.with_name(file.name + ".hwproof")


def _drained(alliance: Alliance, slug: str) -> bool | None:
    return None if alliance.node(slug).get("/local/outbox")["rows"] else True


def prove(stage: Stage, alliance: Alliance, delivered: Path, summary: Summary) -> None:
    """Run the command line on the delivered file and on the log, clean and tampered with."""
    stage.scene("任何人都能验证", "anyone can check: verify, fsck, export, and three forgeries")
    trust = alliance.node_home("centre") / "trust.json"
    proof = proof_of(delivered)
    is_valid = _exit("verify", proof, "--file", delivered, "--trust", trust) == VALID
    summary.is_proof_verified = is_valid
    stage.line(
        f"verify {delivered.parent.name}/{delivered.name}", "valid, offline, against a pinned trust root"
    )
    without_trust = _exit("verify", proof, "--file", delivered, "--home", alliance.home / "nobody")
    summary.checks["no_trust_root_is_undecidable"] = without_trust == UNDECIDABLE

    exported = alliance.home / "export"
    walked = run("audit", "fsck", "--home", alliance.home, "--json")
    wrote = run("audit", "export", "--home", alliance.home, "--to", exported, "--json")
    summary.checks["log_walks_clean"] = walked.returncode == VALID
    summary.checks["log_exported"] = wrote.returncode == VALID and (exported / "policy").is_file()
    if walked.returncode == VALID:
        stage.line(f"fsck:{json.loads(walked.stdout)['size']} 条全部复核", "the whole log walks clean")
    stage.line(f"export:{exported}", "a static tlog-tiles tree with its policy file")

    key = alliance.exchange_home / "keys" / "log.key"
    scratch = alliance.home / "tampered"
    caught = {
        "clean_control": _exit("audit", "fsck", "--home", exported) == VALID and is_valid,
        "flipped_byte": _caught(
            lambda: _exit(
                "verify", proof, "--file", forgeries.flip_byte(delivered, scratch), "--trust", trust
            )
        ),
        "deleted_entry": _caught(
            lambda: _exit("audit", "fsck", "--home", forgeries.delete_entry(exported, scratch / "deleted"))
        ),
        "forked_checkpoint": _caught(
            lambda: _exit(
                "audit",
                "fsck",
                "--home",
                exported,
                "--against",
                forgeries.fork(exported, key, scratch / "fork"),
            )
        ),
    }
    summary.checks.update(caught)
    summary.is_tampering_caught = all(caught.values())
    for (name, holds), zh in zip(
        caught.items(),
        ("原件核对无误", "翻转一个字节:被发现", "删除一条日志:被发现", "用日志密钥伪造分叉检查点:被发现"),
        strict=True,
    ):
        stage.line(zh, name.replace("_", " "), mark="✓" if holds else "✗")


def _exit(*words: str | Path) -> int:
    return run(*words, "--json").returncode


def _caught(attempt: Callable[[], int]) -> bool:
    return attempt() == INVALID
