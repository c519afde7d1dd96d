"""``headwaters doctor``: what is wrong with this installation and this home, and what to do about it."""

import stat
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from contracts.errors import HeadwatersError, Usage
from exchange.cli.output import JsonFlag, Person, show_rows
from nodes.control import ControlClient

DISTRIBUTION = "headwaters-exchange"
PACKAGES = ("contracts", "audit", "policies", "nodes", "exchange")


class Finding(NamedTuple):
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str


def doctor(
    home: Annotated[
        Path | None, typer.Option("--home", file_okay=False, help="节点或交换中心目录 / a home")
    ] = None,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """检查安装与目录,指出问题 / look for what is wrong; exit 1 when something is."""
    if home is not None and not home.is_dir():
        raise Usage(f"{home} is not a folder")
    findings = [*_installation(), *(_home(home, person) if home else ())]
    rows = [finding._asdict() for finding in findings]
    columns = {"check": "检查 check", "ok": "正常 ok", "detail": "说明 detail"}
    show_rows(rows, columns, as_json=as_json, title="体检 doctor")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _installation() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python 3.11+", sys.version_info >= (3, 11), version)
    owners = packages_distributions()
    foreign = {name: set(owners.get(name, [])) - {DISTRIBUTION} for name in PACKAGES}
    shared = [f"{name}: {', '.join(sorted(others))}" for name, others in foreign.items() if others]
    yield Finding("包名未被占用 package names", not shared, "; ".join(shared) or "ours alone")


def _home(home: Path, person: str | None) -> Iterator[Finding]:
    is_exchange = (home / "headwaters.toml").is_file()
    if not is_exchange and not (home / "node.json").is_file():
        yield Finding("目录 home", ok=False, detail="neither headwaters.toml nor node.json")
        return
    open_modes = [str(path.relative_to(home)) for path in _private_files(home) if _is_exposed(path)]
    yield Finding("文件权限 file modes", not open_modes, ", ".join(open_modes) or "0600 / 0700")
    path = "/operator/status" if is_exchange else "/local/status"
    who = person or ("operator" if is_exchange else None)
    try:
        status = ControlClient(home, who).get(path)
    except HeadwatersError as error:
        yield Finding("进程 process", ok=False, detail=f"{error.detail} → {error.next_zh} {error.next_en}")
        return
    yield Finding("进程 process", ok=True, detail="answers")
    yield from _exchange(status) if is_exchange else _node(status)
    if is_exchange:
        yield _policy(ControlClient(home, who).get("/operator/policy"))


def _exchange(status: dict[str, Any]) -> Iterator[Finding]:
    log = status["log"]
    yield Finding("日志可写 log open", not log["sealed"], f"{log['size']} entries")
    since = log["unwitnessed_since"]
    lacking = (
        "" if since is None else f", lacking since {since}, business stops at {log['business_stops_at']}"
    )
    yield Finding(
        "法定副署 quorum", since is None, f"{log['cosignatures']} of {log['quorum']} needed{lacking}"
    )
    emergencies = status["emergencies"]
    overdue = emergencies["reviews_overdue"]
    yield Finding(
        "紧急状态审查 reviews",
        overdue == 0,
        f"{emergencies['in_force']} in force, {emergencies['reviews_due']} to review, {overdue} overdue",
    )


def _policy(standing: dict[str, Any]) -> Finding:
    """Say which policy decides; a newer one that the software brought is never taken by itself."""
    said = [standing["policy"][:19]]
    if standing["shipped_is_new"]:
        said.append(
            f"随软件附带的 {standing['shipped'][:19]} 可供提议 a newer one is there to be proposed: "
            "headwaters policy propose --shipped"
        )
    if standing["open"]:
        said.append(f"待批 waiting: {len(standing['open'])}")
    late = standing["bridged"]
    if late:
        said.append("OPA 服务器尚未取得现行策略 the OPA server does not have it yet")
    silent = standing["server"] is not None and standing["server"]["policy"] is None
    if silent:
        said.append(
            "OPA 服务器没有答复,所有请求均被拒绝 the OPA server does not answer; all requests are refused"
        )
    return Finding("访问策略 policy", not late and not silent, "; ".join(said))


def _node(status: dict[str, Any]) -> Iterator[Finding]:
    standing = status["witness"]
    yield Finding("见证 witness", standing != "state-lost", standing or "not a witness")
    stuck = status["outbox_stuck"]
    yield Finding("发件箱 outbox", stuck == 0, f"{status['outbox']} waiting, {stuck} refused")
    due = status["received_due"]
    yield Finding("到期数据 received", due == 0, f"{due} to delete (headwaters received purge)")


def _private_files(home: Path) -> Iterator[Path]:
    yield home
    for pattern in ("keys/*", "people/*", "*.db", "run/*"):
        yield from home.glob(pattern)


def _is_exposed(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
