"""``headwaters audit search``, ``excerpt`` and ``report``: an auditor's questions to the log."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.log.entry import EntryKind
from contracts.clock import SystemClock
from contracts.errors import Usage
from exchange.cli.output import (
    EXCHANGE_HOME,
    NODE_HOME,
    ExchangeHome,
    JsonFlag,
    NodeHome,
    print_json,
    say,
    show,
    show_rows,
)

MAX_FILE_BYTES = 512 * 1024 * 1024  # a report's page: its JSON once, and what it shows of that

Trust = Annotated[Path | None, typer.Option("--trust", help="信任根 / trust.json", dir_okay=False)]


def search(
    kind: Annotated[EntryKind | None, typer.Option(help="条目种类 / kind of entry")] = None,
    participant: Annotated[str | None, typer.Option(help="参与方编号 / participant's id")] = None,
    since: Annotated[str | None, typer.Option(help="起:日期或时间(UTC+8)/ a day or time in UTC+8")] = None,
    until: Annotated[str | None, typer.Option(help="止:日期含当日 / until; a day is included")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="最多条数 / at most")] = 100,
    home: ExchangeHome = EXCHANGE_HOME,
    as_json: JsonFlag = False,
) -> None:
    """按种类、参与方、时间查日志,新的在前 / search the log by kind, participant and time, newest first."""
    from contracts.identifiers import Kind, parse_id  # noqa: PLC0415
    from exchange.reports.days import parse_since, parse_until  # noqa: PLC0415
    from exchange.reports.search import Search  # noqa: PLC0415
    from exchange.reports.search import search as run  # noqa: PLC0415

    wanted = Search(
        kind=kind,
        participant=parse_id(participant, Kind.PARTICIPANT) if participant else None,
        since=parse_since(since) if since else None,
        until=parse_until(until) if until else None,
        limit=limit,
    )
    columns = {
        "shard": "分片 shard",
        "index": "序号 index",
        "time": "时间 UTC+8",
        "what": "种类 kind",
        "who": "参与方 who",
        "says": "内容 says",
    }
    show_rows(run(home, wanted), columns, as_json=as_json, title="审计日志 audit log")


def excerpt(
    data: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="收到的数据 / the data")],
    proof: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="其传输证明 / its .hwproof")],
    to: Annotated[Path, typer.Option(dir_okay=False, help="摘录文件 / the .hwpart to write")],
    in_bytes: Annotated[
        str | None, typer.Option("--bytes", help="字节 A-B,从 0 数,含两端 / from 0, both ends included")
    ] = None,
    in_rows: Annotated[
        str | None, typer.Option("--rows", help="行 A-B,从 1 数(Parquet)/ rows of Parquet, from 1")
    ] = None,
    trust: Trust = None,
    home: NodeHome = NODE_HOME,
    as_json: JsonFlag = False,
) -> None:
    """摘取一段数据及其证明 / cut out a range that proves itself without the rest of the file."""
    from audit.keys.trust_file import TrustFile  # noqa: PLC0415
    from exchange.reports.excerpts import cut, parse_wanted  # noqa: PLC0415

    root = TrustFile.load(trust or home / "trust.json")
    wanted = parse_wanted(in_bytes, in_rows)
    show(
        cut(data, proof, wanted, to, trust=root, now=SystemClock().now()),
        as_json=as_json,
        title="摘录 excerpt",
    )


def report(
    dataset: Annotated[str, typer.Option(help="数据集 / dataset")],
    day: Annotated[str, typer.Option(help="日期(UTC+8)/ a day in Beijing, 2026-11-22")],
    to: Annotated[
        Path | None, typer.Option("--to", dir_okay=False, help="报告文件 / .html or .json to write")
    ] = None,
    home: ExchangeHome = EXCHANGE_HOME,
    as_json: JsonFlag = False,
) -> None:
    """某日谁收到了某数据集,附证据 / who received a dataset on a day, with what proves it, in one file."""
    from audit.proofs.report_reader import read_facts  # noqa: PLC0415
    from contracts.identifiers import parse_name  # noqa: PLC0415
    from exchange.reports.days import parse_day  # noqa: PLC0415
    from exchange.reports.files import write_report  # noqa: PLC0415
    from exchange.reports.gathering import make_report  # noqa: PLC0415
    from exchange.reports.summary import summary  # noqa: PLC0415

    signed = make_report(home, parse_name(dataset), parse_day(day), now=SystemClock().now())
    if to is not None:
        write_report(signed, to)
    facts = read_facts(signed.report)
    _show_report({"report": None if to is None else str(to), **summary(facts)}, as_json=as_json)


def verify_report_file(raw: bytes, trust: Path, *, as_json: bool) -> None:
    """Judge a report, as a page or as JSON, and say what it proves."""
    from audit.keys.trust_file import TrustFile  # noqa: PLC0415
    from audit.proofs.report_verdict import verify_report  # noqa: PLC0415
    from exchange.reports.files import read_report  # noqa: PLC0415
    from exchange.reports.summary import judged  # noqa: PLC0415

    trusted = TrustFile.load(trust)
    verdict = verify_report(read_report(raw), trusted, now=SystemClock().now())
    view = judged(verdict, trusted)
    if not as_json:
        say("✓ 有效", "valid")
    _show_report({"valid": True, **view}, as_json=as_json)


def verify_excerpt_file(part: Path, to: Path | None, trust: Path, *, as_json: bool) -> None:
    """Judge an excerpt, say which bytes and rows it proves, and write them to ``to``."""
    from audit.keys.trust_file import TrustFile  # noqa: PLC0415
    from exchange.reports.excerpts import judge  # noqa: PLC0415
    from exchange.reports.summary import shown_transfer  # noqa: PLC0415

    trusted = TrustFile.load(trust)
    verdict, held = judge(part, to, trust=trusted, now=SystemClock().now())
    not_proven = [text.model_dump() for text in verdict.not_proven]
    view = {"valid": True, **held, **shown_transfer(verdict.transfer), "not_proven": not_proven}
    if not as_json:
        say("✓ 有效", "valid")
    show(view, as_json=as_json, title="数据摘录 excerpt")


def read_file(path: Path) -> bytes:
    """Read a file that somebody handed over; of an excerpt, which may be as large as data are, its beginning.

    Raises Usage for a file that is larger than any proof or report.
    """
    with path.open("rb") as file:
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES and not is_excerpt(raw):
        raise Usage(f"{path.name} is larger than any proof or report: {MAX_FILE_BYTES} bytes")
    return raw


def is_excerpt(raw: bytes) -> bool:
    """Tell whether a file begins as an excerpt does."""
    return raw.startswith(b"headwaters-excerpt/")


def is_report(raw: bytes) -> bool:
    """Tell whether a file begins as a report does, as a page or as JSON."""
    return raw.startswith((b"<!doctype html>", b'{"payload":{"checkpoints":'))


def _show_report(view: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    rows = {key: view[key] for key in ("received", "others", "denials") if key in view}
    show(
        {key: value for key, value in view.items() if key not in rows}, as_json=False, title="审计报告 report"
    )
    columns = {
        "time": "完成 done UTC+8",
        "consumer": "使用方 consumer",
        "provider": "提供方 provider",
        "release": "批次 release",
        "rows": "行 rows",
        "size_bytes": "字节 bytes",
        "index": "序号 index",
    }
    show_rows(rows["received"], columns, as_json=False, title="收到 received")
    columns = {
        "time": "时间 time",
        "consumer": "使用方 consumer",
        "state": "状态 state",
        "index": "序号 index",
    }
    show_rows([*rows["others"], *rows["denials"]], columns, as_json=False, title="其他 others")
