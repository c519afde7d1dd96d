"""The story of the demonstration, scene by scene, and what it came to.

Every scene speaks to the serving processes as a person would: signed requests to the exchange and the nodes,
and the command line for joining, verifying, walking and exporting the log.
"""

import signal
import tempfile
import time
from pathlib import Path

from rich.console import Console

from contracts.errors import HeadwatersError, Usage
from exchange.cli.output import err, fail, out, print_json
from exchange.demo import (
    scenes_audit,
    scenes_contracts,
    scenes_correcting,
    scenes_evidence,
    scenes_keys,
    scenes_policy,
    scenes_quality,
    scenes_sharing,
    scenes_stations,
    scenes_trust,
)
from exchange.demo.alliance import Alliance, in_parallel
from exchange.demo.cast import CAST, QUORUM
from exchange.demo.inputs import Plan, plan_inputs
from exchange.demo.stage import Stage, wait_for
from exchange.demo.summary import Summary


def play(*, data: Path | None, home: Path | None, once: bool, as_json: bool) -> int:
    """Play the story and give the exit code; without ``once`` stay up until a signal arrives."""
    console = err if as_json else out
    root = _empty_home(home)
    stage, alliance, summary = Stage(console), Alliance(root), Summary(home=str(root))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        _tell(stage, alliance, summary, data)
        if not once:
            _stay_up(console, alliance)
    except KeyboardInterrupt:
        console.print("\n正在停止… stopping…")
    except HeadwatersError as error:
        console.print(f"\n演示目录 home: {root}")
        return fail(error, as_json=as_json)
    finally:
        alliance.stop()
    if as_json and summary.status:
        print_json(summary.as_dict())
    return 0 if summary.is_complete() else 1


def _tell(stage: Stage, alliance: Alliance, summary: Summary, data: Path | None) -> None:
    plan = plan_inputs(data, alliance.home / "input")
    summary.skipped = [{"file": name, "reason": reason} for name, reason in plan.skipped]
    _announce(stage, plan, data)
    _join(stage, alliance)
    scenes_keys.sign_trust_root(stage, alliance)
    scenes_sharing.publish(stage, alliance, plan, summary)
    scenes_stations.let_stations_report(stage, alliance, summary)
    watched = scenes_quality.look_at_findings(stage, alliance, plan, summary)
    scenes_quality.mend_quarantined(stage, alliance, plan, summary)
    transfers = scenes_sharing.agree_and_pull(stage, alliance, plan, watched)
    deliveries = scenes_keys.rotate_between_deliveries(stage, alliance, transfers, watched, summary)
    transfers.append(deliveries.after)
    scenes_evidence.await_proofs(stage, alliance, transfers)
    scenes_keys.see_it_adopted(stage, alliance, summary)
    scenes_policy.look_at_the_view(stage, alliance, plan, transfers, summary)
    scenes_audit.close_the_day(stage, alliance)
    holders = list(dict.fromkeys(one.consumer for one in transfers if one.dataset is watched))
    scenes_correcting.object_and_correct(stage, alliance, watched, holders, summary)
    scenes_contracts.change_a_contract(stage, alliance, watched, holders, summary)
    scenes_trust.lose_and_regain_quorum(stage, alliance, plan, summary)
    scenes_trust.probe(stage, alliance, plan, summary)
    scenes_policy.change_by_two(stage, alliance, plan, summary)
    scenes_policy.open_in_an_emergency(stage, alliance, plan, summary)
    report = scenes_audit.audit_the_day(stage, alliance, transfers, deliveries, summary)
    scenes_evidence.prove(stage, alliance, deliveries, report, summary)
    _conclude(stage, alliance, summary)


def _announce(stage: Stage, plan: Plan, data: Path | None) -> None:
    if data is None:
        stage.line(
            "没有数据目录:使用 HJ 212 模拟站点的合成数据",
            "no data folder: synthetic data from simulated stations",
            mark="!",
        )
    by_reason: dict[str, list[str]] = {}
    for name, reason in plan.skipped:
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        stage.line(f"未采用 {', '.join(names)}", f"left out: {reason}", mark="–")


def _join(stage: Stage, alliance: Alliance) -> None:
    stage.scene(
        "八份邀请,八次加入", "eight invites, eight joins: keys made, fingerprints compared, probe signed"
    )
    alliance.found()
    stage.line(f"交换中心 {alliance.exchange.address}", "exchange founded and serving")
    in_parallel([(player, alliance.invite(player)) for player in CAST], alliance)
    alliance.serve(player.slug for player in CAST)
    for player in CAST:
        name = player.profile.name
        stage.line(f"{name.zh} 已加入 {alliance.ids[player.slug]}", name.en)

    def quorum_reached() -> bool | None:
        log = alliance.operator("operator").get("/operator/status")["log"]
        return True if log["cosignatures"] >= QUORUM else None

    wait_for("a cosigned checkpoint", quorum_reached)
    stage.line("七个见证方开始副署检查点", f"seven nodes cosign the log's checkpoints, quorum {QUORUM}")


def _conclude(stage: Stage, alliance: Alliance, summary: Summary) -> None:
    summary.status = alliance.operator("operator").get("/operator/status")
    summary.events = int(summary.status["events"])
    summary.participants = [
        {
            "id": alliance.ids[player.slug],
            "name": f"{player.profile.name.zh} {player.profile.name.en}",
            "witness": player.is_witness,
            "address": alliance.nodes[player.slug].address,
        }
        for player in CAST
    ]
    summary.seconds = stage.seconds()
    stage.console.print()
    summary.print(stage.console)
    stage.console.print(f"交换中心 exchange: {alliance.exchange.address}\n演示目录 home: {alliance.home}")


def _stay_up(console: Console, alliance: Alliance) -> None:
    console.print(
        f"\n联盟正在运行,打开 {alliance.exchange.address} 查看;按 Ctrl-C 停止。  "
        "[dim]the alliance is up; open the address, stop with Ctrl-C[/dim]"
    )
    while True:
        time.sleep(3600)


def _empty_home(home: Path | None) -> Path:
    if home is None:
        return Path(tempfile.mkdtemp(prefix="headwaters-demo-"))
    if home.exists() and any(home.iterdir()):
        raise Usage(f"{home} is not empty; choose another --home or remove it")
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return home.resolve()
