"""Scenes of trust: three witnesses stop and return; a prober is seen by every province."""

from collections.abc import Callable
from functools import partial
from typing import Any

from contracts.clock import monotonic_seconds
from contracts.errors import Refused, TooMany
from exchange.demo.alliance import Alliance, StepFailed
from exchange.demo.cast import BANK, CAST, QUORUM
from exchange.demo.inputs import Plan
from exchange.demo.scenes_sharing import apply_for
from exchange.demo.stage import Stage, wait_for
from exchange.demo.summary import Summary

STOPPED = ("yunnan", "xizang", "qinghai")
PROBES = 3
PROBED_FOR = "marketing"


def lose_and_regain_quorum(stage: Stage, alliance: Alliance, plan: Plan, summary: Summary) -> None:
    """Stop three of seven witnesses, see the alliance say so, bring them back and see it catch up."""
    stage.scene("三个见证方停机,再恢复", "three of seven witnesses stop, and return")
    alliance.halt(STOPPED)
    # An administrative act makes the log grow, so that there is something to cosign.
    bank = alliance.ids[BANK.slug]
    administrator = alliance.operator("administrator")
    administrator.post(f"/operator/members/{bank}/suspend", {"reason": "演示:停机演练 demonstration"})
    summary.checks["suspended_is_stopped"] = _is_stopped(alliance, plan.enterprise.dataset)
    stage.line("银行被暂停,其接收立即被拒绝", "the bank is suspended; its pull is refused", mark="✗")
    administrator.post(f"/operator/members/{bank}/resume", {})
    lacking = wait_for(
        "the notice of a missing quorum", lambda: _log(alliance, lambda log: log["unwitnessed_since"])
    )
    stage.line(
        f"副署不足:自 {lacking['unwitnessed_since']} 起,"
        f"已见证 {lacking['witnessed_size']}/{lacking['size']} 条",
        "the alliance says that it lacks a quorum",
        mark="!",
    )
    alliance.serve(STOPPED)
    caught_up = wait_for("the witnesses' return", lambda: _log(alliance, _is_witnessed))
    stage.line(
        f"恢复:{caught_up['cosignatures']} 份副署,"
        f"已见证 {caught_up['witnessed_size']}/{caught_up['size']} 条",
        "caught up",
    )
    summary.checks["quorum_loss_said_and_healed"] = True


def _is_stopped(alliance: Alliance, dataset: str) -> bool:
    try:
        list(alliance.node(BANK.slug).stream_ndjson("/local/pull", {"dataset": dataset}))
    except Refused:
        return True
    return False


def _log(alliance: Alliance, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any] | None:
    log: dict[str, Any] = alliance.operator("operator").get("/operator/status")["log"]
    return log if holds(log) else None


def _is_witnessed(log: dict[str, Any]) -> bool:
    return bool(log["witnessed_size"] == log["size"] and log["cosignatures"] >= QUORUM)


def probe(stage: Stage, alliance: Alliance, plan: Plan, summary: Summary) -> None:
    """Let the bank ask for what it has no right to, and see the event on every node's list."""
    stage.scene("越权探测,全联盟预警", "a consumer probes; one event reaches every province")
    for dataset in plan.beyond_the_bank()[:PROBES]:
        try:
            apply_for(alliance, BANK.slug, dataset, PROBED_FOR)
        except (Refused, TooMany):
            continue
        raise StepFailed(f"the bank has no right to {dataset}, and yet the application went through")
    began = monotonic_seconds()
    subject = alliance.ids[BANK.slug]
    for player in CAST:
        wait_for(f"the event at {player.slug}", partial(_probing_event, alliance, player.slug, subject))
    stage.line(
        f"银行越权 {PROBES} 次,{monotonic_seconds() - began:.1f} 秒内出现在全部 {len(CAST)} 个节点的事件列表",
        "access.probing is on every node's event list",
        mark="!",
    )
    summary.checks["event_on_every_node"] = True


def _probing_event(alliance: Alliance, slug: str, subject: str) -> bool | None:
    events = alliance.node(slug).get("/local/events")["events"]
    seen = any(e["event_class"] == "access.probing" and e["subject"] == subject for e in events)
    return True if seen else None
