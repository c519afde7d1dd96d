"""``headwaters audit heads``, ``silence``, ``reconcile`` and ``headwaters abort``: is anything missing?"""

import base64
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.clock import SystemClock, beijing, epoch_ms, parse_rfc3339, rfc3339
from contracts.messages import Role
from exchange.cli.acting import control
from exchange.cli.output import (
    EXCHANGE_HOME,
    NODE_HOME,
    ExchangeHome,
    JsonFlag,
    NodeHome,
    Person,
    print_json,
    say,
    show,
    show_rows,
)
from nodes.control import ControlClient

Trust = Annotated[Path | None, typer.Option("--trust", help="信任根 / trust.json", dir_okay=False)]


def heads(
    cut: Annotated[bool, typer.Option("--cut", help="现在登记一次 / cut the heads now")] = False,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """列出各次订阅末态;--cut 立即登记一次 / list the cuts of the subscription heads, or make one now."""
    client = control(home, person, Role.AUDITOR)
    if cut:
        show(client.post("/operator/heads"), as_json=as_json, title="已登记订阅末态 heads cut")
        return
    rows: list[dict[str, Any]] = []
    while page := client.get("/operator/heads", {"since": rows[-1]["number"] if rows else 0})["cuts"]:
        rows += page
    shown = [
        row | {name: beijing(parse_rfc3339(row[name])) for name in ("since", "until")} if not as_json else row
        for row in rows
    ]
    columns = {
        "number": "序号 no.",
        "since": "起 since UTC+8",
        "until": "止 until UTC+8",
        "size": "订阅数 subscriptions",
        "root": "树根 root",
    }
    show_rows(shown, columns, as_json=as_json, title="订阅末态 heads")


def silence(
    subscription: Annotated[str, typer.Argument(help="订阅编号 / subscription id")],
    since: Annotated[str, typer.Option(help="起:日期或时间(UTC+8)/ a day or time in UTC+8")],
    until: Annotated[str, typer.Option(help="止:日期含当日 / until; a day is included")],
    to: Annotated[Path | None, typer.Option("--to", help="写入文件 / .hwsilence", dir_okay=False)] = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """证明两次末态之间没有传输(节点或交换中心目录)/ prove that nothing was sent between two cuts."""
    from exchange.log.home import find_home, open_home  # noqa: PLC0415
    from exchange.reports.days import parse_since, parse_until  # noqa: PLC0415

    first, last = parse_since(since), parse_until(until)
    if find_home(home) is not None:
        from exchange.completeness.silence import prove_silence  # noqa: PLC0415

        with open_home(home) as (_, database):
            raw = prove_silence(database, subscription, since=first, until=last)
    else:
        query = {"since": epoch_ms(first), "until": epoch_ms(last)}
        answer = ControlClient(home, person).get(f"/local/subscriptions/{subscription}/silence", query)
        raw = base64.b64decode(answer["proof"], validate=True)
    place = to or Path(f"{subscription}.hwsilence")
    place.write_bytes(raw)
    show({"proof": str(place), "size_bytes": len(raw)}, as_json=as_json, title="零传输证明 silence")


def reconcile(
    day: Annotated[str | None, typer.Option(help="只看这一天(UTC+8)/ this day only")] = None,
    home: ExchangeHome = EXCHANGE_HOME,
    as_json: JsonFlag = False,
) -> None:
    """对账:授权 = 完成 + 放弃 + 过期 + 未结;不符则退出码为 1 / reconcile grants, heads and counts."""
    from exchange.completeness.reconciling import reconcile_folder  # noqa: PLC0415
    from exchange.reports.days import parse_day  # noqa: PLC0415

    report = reconcile_folder(home, parse_day(day) if day else None, now=SystemClock().now())
    facts = report.facts()
    if as_json:
        print_json(facts)
    else:
        _show_report(facts)
    if not report.ok:
        raise typer.Exit(1)


def abort(
    grant: Annotated[str, typer.Argument(help="授权编号 / grant id")],
    reason: Annotated[str, typer.Option(help="理由代码,如 download-broke / reason code")],
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """放弃一项未结授权并写入日志 / give an open grant up; the log says who and why."""
    answer = ControlClient(home, person).post(f"/local/transfers/{grant}/abort", {"reason": reason})
    show(answer, as_json=as_json, title="已放弃 aborted")


def is_silence_file(raw: bytes) -> bool:
    """Tell whether a file says that it is a proof of silence."""
    from audit.proofs.silence import is_silence_file as tell  # noqa: PLC0415

    return tell(raw)


def verify_silence_file(raw: bytes, trust: Path, *, as_json: bool) -> None:
    """Judge a ``.hwsilence`` file and show the verdict."""
    from audit.keys.trust_file import TrustFile  # noqa: PLC0415
    from audit.proofs.silence import verify_silence  # noqa: PLC0415

    trusted = TrustFile.load(trust)
    verdict = verify_silence(raw, trusted, now=SystemClock().now())
    names = {one.participant: one.name.model_dump() for one in trusted.root.participants}
    view = {field.name: getattr(verdict, field.name) for field in fields(verdict)} | {
        "provider": names.get(verdict.provider or ""),
        "consumer": names.get(verdict.consumer or ""),
        "since": rfc3339(verdict.since),
        "until": rfc3339(verdict.until),
        "root_signers": [names[name] for name in verdict.root_signers],
        "not_proven": [text.model_dump() for text in verdict.not_proven],
    }
    if as_json:
        print_json({"valid": True, **view})
        return
    say("✓ 此间没有传输", "nothing was sent in between")
    show(view, as_json=False, title="零传输证明 silence proof")


def _show_report(facts: dict[str, Any]) -> None:
    columns = {
        "day": "日期 day",
        "provider": "提供方 provider",
        "consumer": "使用方 consumer",
        "asked": "申请 asked",
        "denied": "拒绝 denied",
        "granted": "授权 granted",
        "done": "完成 done",
        "aborted": "放弃 aborted",
        "expired": "过期 expired",
        "open": "未结 open",
    }
    show_rows(facts["days"], columns, as_json=False, title="对账 reconciliation")
    counts = [
        {"window": f"{row['number']}: {beijing(parse_rfc3339(row['until']))}", **count}
        for row in facts["windows"]
        for count in row["counts"]
    ]
    columns = {
        "window": "末态 cut (UTC+8)",
        "participant": "参与方 participant",
        "sent": "自报发出 sent",
        "expected_sent": "日志发出 log",
        "received": "自报收到 received",
        "expected_received": "日志收到 log",
    }
    show_rows(counts, columns, as_json=False, title="节点计数 counts")
    if facts["problems"]:
        columns = {
            "code": "问题 problem",
            "shard": "分片 shard",
            "index": "序号 index",
            "about": "对象 about",
        }
        show_rows(facts["problems"], columns, as_json=False, title="不一致 mismatches")
    if facts["missing_counts"]:
        columns = {"window": "末态 cut", "participant": "参与方 participant"}
        show_rows(facts["missing_counts"], columns, as_json=False, title="逾期未报 counts overdue")
    if facts["ok"]:
        say("✓ 相符", "everything agrees")
    else:
        say("✗ 不相符", "something does not agree")
