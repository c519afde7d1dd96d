"""``headwaters verify``, ``audit`` and ``events``: prove one transfer, walk the log, read the alarms."""

from contextlib import nullcontext
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.clock import SystemClock, beijing, parse_rfc3339, rfc3339
from contracts.errors import Usage
from exchange.cli import auditor
from exchange.cli.completeness import heads, is_silence_file, reconcile, silence, verify_silence_file
from exchange.cli.network import is_fork_file, mirror, peers, verify_fork_file
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
    from audit.keys.trust_file import TrustFile
    from audit.proofs.verify import Verdict

app = typer.Typer(no_args_is_help=True)
events_app = typer.Typer(no_args_is_help=True)
app.command()(auditor.search)
app.command()(auditor.report)
app.command()(auditor.excerpt)
app.command()(heads)
app.command()(silence)
app.command()(reconcile)
app.command()(mirror)
app.command()(peers)


def verify(
    proof: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="证据文件 / .hwproof, .hwpart, .hwsilence, .hwfork, or a report"
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Option("--file", exists=True, dir_okay=False, help="收到的数据 / the data of a .hwproof"),
    ] = None,
    trust: Annotated[Path | None, typer.Option("--trust", help="信任根 / trust.json", dir_okay=False)] = None,
    to: Annotated[
        Path | None, typer.Option("--to", dir_okay=False, help="写出摘录的数据 / write what a .hwpart holds")
    ] = None,
    home: NodeHome = NODE_HOME,
    as_json: JsonFlag = False,
) -> None:
    """离线验证证明、摘录、报告:0 有效,1 无效,2 无法判定 / judge a proof, an excerpt or a report offline."""
    raw, root = auditor.read_file(proof), trust or home / "trust.json"
    _check_options(raw, file, to)
    if auditor.is_excerpt(raw):
        auditor.verify_excerpt_file(proof, to, root, as_json=as_json)
        return
    if auditor.is_report(raw):
        auditor.verify_report_file(raw, root, as_json=as_json)
        return
    if is_fork_file(raw):
        verify_fork_file(raw, root, as_json=as_json)
    if is_silence_file(raw):
        verify_silence_file(raw, root, as_json=as_json)
        return
    from audit.keys.trust_file import TrustFile  # noqa: PLC0415
    from audit.proofs.verify import verify_transfer  # noqa: PLC0415

    trusted = TrustFile.load(root)
    now = SystemClock().now()
    with file.open("rb") if file else nullcontext() as data:
        verdict = verify_transfer(raw, data, trusted, now=now)
    view = _shown(verdict, trusted)
    if as_json:
        print_json({"valid": True, **view})
        return
    say("✓ 有效", "valid")
    show(view, as_json=False, title="传输证明 transfer proof")


def _check_options(raw: bytes, file: Path | None, to: Path | None) -> None:
    """Raise Usage for an option that means nothing here: a check that was asked for is never left out."""
    if to is not None and not auditor.is_excerpt(raw):
        raise Usage("--to writes what a .hwpart holds, and this file is none")
    others = (auditor.is_excerpt, auditor.is_report, is_fork_file, is_silence_file)
    if file is not None and any(tell(raw) for tell in others):
        raise Usage("--file is the data of a .hwproof, and this file is none")


def _shown(verdict: "Verdict", trust: "TrustFile") -> dict[str, Any]:
    parties = trust.root.participants
    known = {one.participant: one.name.model_dump() for one in parties}
    witnesses = {key.verifier_key.name: known[one.participant] for one in parties for key in one.witness_keys}
    names = {
        "provider": verdict.provider.name.model_dump(),
        "consumer": verdict.consumer.name.model_dump(),
        "witnesses": [witnesses[name] for name in verdict.witnesses],
        "root_signers": [known[name] for name in verdict.root_signers],
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
        Path | None,
        typer.Option(
            exists=True, help="另存的检查点文件或镜像目录 / a kept checkpoint or mirror that must agree"
        ),
    ] = None,
    trust: Annotated[Path | None, typer.Option(help="信任根 / trust.json", dir_okay=False)] = None,
    as_json: JsonFlag = False,
) -> None:
    """逐条复核整个日志 / walk the whole log; exit 1 names the first bad entry."""
    from exchange.log.offline import fsck_folder  # noqa: PLC0415

    with progress_bar("fsck", as_json=as_json) as advance:
        walked = fsck_folder(home, against=against, trust=trust, progress=advance)
    show(walked.facts, as_json=as_json, title="日志复核 fsck")
    if not walked.ok:
        raise typer.Exit(1)


class ExportFormat(StrEnum):
    """What an export writes."""

    TILES = "tiles"
    DSSE = "dsse"
    COSE = "cose"


@app.command()
def export(
    to: Annotated[Path, typer.Option("--to", file_okay=False, help="导出目录 / the folder to write")],
    what: Annotated[
        ExportFormat,
        typer.Option("--format", help="日志、DSSE 声明或 COSE 收据 / the log, its statements, or receipts"),
    ] = ExportFormat.TILES,
    shard: Annotated[
        int | None,
        typer.Option(
            min=1, help="分片序号;tiles 缺省为最新,其余为全部 / default: newest for tiles, else all"
        ),
    ] = None,
    home: ExchangeHome = EXCHANGE_HOME,
    as_json: JsonFlag = False,
) -> None:
    """导出日志或证据供他人工具验证 / write the log, or what stands behind it, for other people's tools."""
    show(_exported(what, home, to, shard), as_json=as_json, title="已导出 exported")


def _exported(what: ExportFormat, home: Path, to: Path, shard: int | None) -> dict[str, Any]:
    match what:
        case ExportFormat.TILES:
            from exchange.log.offline import export_folder  # noqa: PLC0415

            return export_folder(home, to, shard)
        case ExportFormat.DSSE:
            from exchange.reports.dsse_export import export_statements  # noqa: PLC0415

            return export_statements(home, to, shard)
        case ExportFormat.COSE:
            from exchange.reports.cose_export import export_receipts  # noqa: PLC0415

            return export_receipts(home, to, shard, now=SystemClock().now())


@events_app.command("list")
def events_list(home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出联盟安全事件与本机发现 / list the alliance's security events and this node's own findings."""
    answer = ControlClient(home, person).get("/local/events")
    found = [{"source": "exchange", **event} for event in answer["events"]]
    found += [{"source": "local", "subject": None, **alarm} for alarm in answer["alarms"]]
    rows = [{**event, "time": beijing(parse_rfc3339(event["at"]))} for event in found]
    rows.sort(key=lambda row: str(row["time"]))
    columns = {
        "source": "来源 source",
        "number": "序号 no.",
        "time": "时间 UTC+8",
        "severity": "级别 severity",
        "title": "标题 title",
        "subject": "对象 subject",
    }
    show_rows(rows, columns, as_json=as_json, title="安全事件 events")
