"""``headwaters verify``, ``audit`` and ``events``: prove one transfer, walk the log, read the alarms."""

from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.clock import SystemClock, beijing, parse_rfc3339, rfc3339
from exchange.cli.output import (
    EXCHANGE_HOME,
    NODE_HOME,
    ExchangeHome,
    JsonFlag,
    NodeHome,
    Person,
    print_json,
    progress_bar,
    say,
    show,
    show_rows,
)
from nodes.control import ControlClient

if TYPE_CHECKING:
    from audit.trust import TrustRoot
    from audit.verify import Verdict

app = typer.Typer(no_args_is_help=True)
events_app = typer.Typer(no_args_is_help=True)


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
    from audit.trust import TrustRoot  # noqa: PLC0415
    from audit.verify import verify_transfer  # noqa: PLC0415

    root = TrustRoot.load(trust or home / "trust.json")
    now = SystemClock().now()
    with file.open("rb") if file else nullcontext() as data:
        verdict = verify_transfer(proof.read_bytes(), data, root, now=now)
    view = _shown(verdict, root)
    if as_json:
        print_json({"valid": True, **view})
        return
    say("✓ 有效", "valid")
    show(view, as_json=False, title="传输证明 transfer proof")


def _shown(verdict: "Verdict", root: "TrustRoot") -> dict[str, Any]:
    known = {one.participant: one.name.model_dump() for one in root.participants}
    cosigners = [name.rsplit("/", 1)[-1] for name in verdict.witnesses]
    names = {
        "provider": verdict.provider.name.model_dump(),
        "consumer": verdict.consumer.name.model_dump(),
        "witnesses": [known.get(name, name) for name in cosigners],
        "not_proven": [text.model_dump() for text in verdict.not_proven],
    }
    times = {
        field: None if at is None else rfc3339(at)
        for field, at in (
            ("granted_at", verdict.granted_at),
            ("done_at", verdict.done_at),
            ("cosigned_at", verdict.cosigned_at),
        )
    }
    return {**{field.name: getattr(verdict, field.name) for field in fields(verdict)}, **names, **times}


@app.command()
def fsck(
    home: ExchangeHome = EXCHANGE_HOME,
    against: Annotated[
        Path | None, typer.Option(help="另一份检查点 / another checkpoint that must agree", dir_okay=False)
    ] = None,
    trust: Annotated[Path | None, typer.Option(help="信任根 / trust.json", dir_okay=False)] = None,
    as_json: JsonFlag = False,
) -> None:
    """逐条复核整个日志 / walk the whole log; exit 1 names the first bad entry."""
    from exchange.log.offline import fsck_folder  # noqa: PLC0415

    with progress_bar("fsck", as_json=as_json) as advance:
        walked = fsck_folder(
            home, against=against.read_bytes() if against else None, trust=trust, progress=advance
        )
    show(walked.facts, as_json=as_json, title="日志复核 fsck")
    if not walked.ok:
        raise typer.Exit(1)


@app.command()
def export(
    to: Annotated[Path, typer.Option("--to", file_okay=False, help="导出目录 / the folder to write")],
    home: ExchangeHome = EXCHANGE_HOME,
    as_json: JsonFlag = False,
) -> None:
    """导出为静态 tlog-tiles 目录 / write the log as a static tlog-tiles tree."""
    from exchange.log.offline import export_folder  # noqa: PLC0415

    show(export_folder(home, to), as_json=as_json, title="已导出 exported")


@events_app.command("list")
def events_list(home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出联盟安全事件 / list the alliance's security events."""
    answer = ControlClient(home, person).get("/local/events")
    rows = [{**event, "time": beijing(parse_rfc3339(event["at"]))} for event in answer["events"]]
    columns = {
        "number": "序号 no.",
        "time": "时间 UTC+8",
        "severity": "级别 severity",
        "title": "标题 title",
        "subject": "对象 subject",
    }
    show_rows(rows, columns, as_json=as_json, title="安全事件 events")
