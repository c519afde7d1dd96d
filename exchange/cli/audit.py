"""``headwaters verify``, ``audit`` and ``events``: prove one transfer, walk the log, read the alarms."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import NotFound, Undecidable
from exchange.cli.output import (
    EXCHANGE_HOME,
    NODE_HOME,
    JsonFlag,
    NodeHome,
    Person,
    print_json,
    say,
    show,
    show_rows,
)
from nodes.control import ControlClient

app = typer.Typer(no_args_is_help=True)
events_app = typer.Typer(no_args_is_help=True)


class NoTrustRoot(Undecidable):
    """There is no trust root to verify against."""

    code = "no-trust-root"
    title_zh = "没有可用的信任根"
    next_zh = "用 --trust 指定 trust.json,或用 --home 指定已加入联盟的节点目录。"
    next_en = "Name a trust.json with --trust, or a joined node's folder with --home."


def verify(
    proof: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=".hwproof")],
    file: Annotated[
        Path | None,
        typer.Option("--file", "--data", exists=True, dir_okay=False, help="收到的数据 / the data"),
    ] = None,
    trust: Annotated[Path | None, typer.Option("--trust", help="信任根 / trust.json", dir_okay=False)] = None,
    home: NodeHome = NODE_HOME,
    as_json: JsonFlag = False,
) -> None:
    """离线验证一次传输:0 有效,1 无效,2 无法判定 / prove one transfer offline."""
    from audit.trust import load_trust_root  # noqa: PLC0415
    from audit.verify import verify_transfer  # noqa: PLC0415

    root = trust or home / "trust.json"
    if not root.is_file():
        raise NoTrustRoot(f"there is no trust root at {root}")
    if file is None:
        verdict = verify_transfer(proof.read_bytes(), None, load_trust_root(root))
    else:
        with file.open("rb") as data:
            verdict = verify_transfer(proof.read_bytes(), data, load_trust_root(root))
    view = verdict.as_dict()
    if as_json:
        print_json({"valid": True, **view})
        return
    say("✓ 有效", "valid")
    show(view, as_json=False, title="传输证明 transfer proof")


@app.command()
def fsck(
    home: Annotated[
        Path, typer.Option("--home", help="交换中心目录或导出目录 / an exchange's or exported folder")
    ] = (EXCHANGE_HOME),
    against: Annotated[
        Path | None, typer.Option(help="另一份检查点 / another checkpoint that must agree", dir_okay=False)
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """逐条复核整个日志 / walk the whole log; exit 1 names the first bad entry."""
    from audit.fsck import fsck_path  # noqa: PLC0415

    report = fsck_path(_log_folder(home), against=against.read_bytes() if against else None)
    show(report.as_dict(), as_json=as_json, title="日志复核 fsck")
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def export(
    to: Annotated[Path, typer.Option("--to", file_okay=False, help="导出目录 / the folder to write")],
    home: Annotated[
        Path, typer.Option("--home", help="交换中心目录 / the exchange's folder")
    ] = EXCHANGE_HOME,
    as_json: JsonFlag = False,
) -> None:
    """导出为静态 tlog-tiles 目录 / write the log as a static tlog-tiles tree."""
    from exchange.log.export import export_home  # noqa: PLC0415

    show(export_home(_log_folder(home), to), as_json=as_json, title="已导出 exported")


def _log_folder(home: Path) -> Path:
    """Accept an exchange's home, an exported tree, or the demo's home (which holds ``exchange/``)."""
    for folder in (home, home / "exchange"):
        if (folder / "exchange.db").is_file() or (folder / "checkpoint").is_file():
            return folder
    raise NotFound(f"{home} holds neither an exchange nor an exported log")


@events_app.command("list")
def events_list(home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出联盟安全事件 / list the alliance's security events."""
    answer = ControlClient(home, person).get("/local/events")
    columns = {
        "number": "序号 no.",
        "at": "时间 time",
        "severity": "级别 severity",
        "event_class": "类别 class",
        "title": "标题 title",
        "subject": "对象 subject",
    }
    show_rows(answer["events"], columns, as_json=as_json, title="安全事件 events")
