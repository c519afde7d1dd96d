"""``headwaters audit mirror`` and ``peers``, and ``verify`` of a fork file: what the witnesses do for all."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.output import NODE_HOME, JsonFlag, NodeHome, Person, print_json, say, show, show_rows
from nodes.control import ControlClient


def mirror(
    to: Annotated[
        Path | None,
        typer.Option("--to", file_okay=False, help="另存一份到此目录 / write a copy to this folder instead"),
    ] = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """更新并逐个复核日志镜像 / bring the mirror up to date and check every file of it."""
    if to is None:
        show(ControlClient(home, person).post("/local/mirror"), as_json=as_json, title="日志镜像 mirror")
        return
    from nodes.node import open_node  # noqa: PLC0415
    from nodes.witnessing.mirror import Mirror  # noqa: PLC0415
    from nodes.witnessing.mirror_files import Mirrors  # noqa: PLC0415

    with open_node(home) as node:
        copy = Mirror(Mirrors(to), source=node.broker, trust=node.trust, alarms=node.alarms)
        grown, checked = copy.update(), copy.scrub()
    facts = {"folder": str(to), "size": grown.size, "fetched": grown.fetched, "checked": checked.checked}
    show(facts, as_json=as_json, title="日志镜像 mirror")


def peers(home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出其他见证方的应答与被停用的日志 / how the other witnesses answer, and which logs are stopped."""
    seen = ControlClient(home, person).get("/local/network")
    if as_json:
        print_json(seen)
        return
    columns = {
        "participant": "见证方 witness",
        "size": "日志条目 entries",
        "answered": "最近应答 answered, UTC+8",
        "silent_since": "静默自 silent since",
        "trouble": "问题 trouble",
    }
    show_rows(seen["peers"], columns, as_json=False, title="见证网络 peers")
    for one in seen["stopped"]:
        say(f"✗ 日志 {one['origin']} 已停止采信", f"stopped, evidence {one['evidence']}")


def is_fork_file(raw: bytes) -> bool:
    """Tell a fork file from other proofs by its first line."""
    from audit.proofs.equivocation import HEADER  # noqa: PLC0415

    return raw.startswith(HEADER.encode() + b"\n")


def verify_fork_file(raw: bytes, trust: Path, *, as_json: bool) -> None:
    """Say what a fork file proves; exit 1 where the log signed two histories, which is what it is for."""
    from audit.keys.trust_file import TrustFile  # noqa: PLC0415
    from audit.proofs.equivocation import verify_fork  # noqa: PLC0415

    fork = verify_fork(raw, [log.verifier_key for log in TrustFile.load(trust).root.logs])
    view = {
        "valid": False,
        "forked": True,
        "origin": fork.origin,
        "size": fork.size,
        "root": fork.root.hex(),
        "other_size": fork.other_size,
        "other_root": fork.other_root.hex(),
        "evidence": fork.digest,
    }
    if as_json:
        print_json(view)
    else:
        say("✗ 日志签署了两个历史", "the log signed two histories")
        show(view, as_json=False, title="分叉证据 fork proof")
    raise typer.Exit(1)
