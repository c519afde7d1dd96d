"""``headwaters quality``: what a contract's quality rules find in a file, in a release, in every dataset."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from exchange.cli.contract.app import ContractName
from exchange.cli.output import (
    NODE_HOME,
    JsonFlag,
    NodeHome,
    Person,
    print_json,
    progress_bar,
    say,
    show_rows,
)
from nodes.control import ControlClient

if TYPE_CHECKING:
    from nodes.quality.trying import Tried

app = typer.Typer(no_args_is_help=True)

_RULES = {
    "rule": "规则 rule",
    "severity": "级别 severity",
    "records": "记录 records",
    "findings": "发现 findings",
    "title": "名称 title",
}
_FINDINGS = {
    "rule": "规则 rule",
    "series": "序列 series",
    "when": "时间 when",
    "detail": "说明 detail",
    "rows": "行 rows",
}
_SERIES = {
    "series": "序列 series",
    "records": "记录 records",
    "expected": "应有 expected",
    "present": "已有 present",
    "percent": "完整率 %",
    "when": "时间 when",
}
_LEVELS = {
    "level": "服务水平 level",
    "promised": "承诺 promised",
    "measured": "实测 measured",
    "kept": "达标 kept",
}
_RELEASES = {
    "release": "批次 release",
    "at": "发布 at, UTC+8",
    "rows": "行 rows",
    "examined": "已检查 examined",
    "error": "错误 error",
    "warning": "警告 warning",
    "info": "提示 info",
    "completeness": "完整率 %",
}

Shown = Annotated[int, typer.Option(min=0, max=1000, help="列出多少条发现 / how many findings to list")]
Rule = Annotated[str | None, typer.Option("--rule", help="只看一条规则 / of one rule only")]


@app.command()
def check(
    contract: ContractName,
    data: Annotated[
        Path, typer.Option("--data", exists=True, dir_okay=False, help="数据文件 / the data file")
    ],
    at: Annotated[
        str | None, typer.Option(help="假定的发布时刻(RFC 3339)/ as if released at this moment")
    ] = None,
    rule: Rule = None,
    findings: Shown = 20,
    as_json: JsonFlag = False,
) -> None:
    """按契约的质量规则检查一个文件 / examine a file; exit 1 when a rule of severity error finds something.

    JSON 输出列出全部发现 / the JSON lists every finding.
    """
    from contracts import library  # noqa: PLC0415
    from contracts.clock import parse_rfc3339  # noqa: PLC0415
    from nodes.quality.trying import try_file  # noqa: PLC0415

    named = library.named(contract)
    released = None if at is None else parse_rfc3339(at)
    worst: list[str] = []

    def use(tried: "Tried") -> None:
        worst.extend(one.severity.value for one in tried.head.rules if one.records)
        if as_json:
            _write_json(tried, rule)
        else:
            _show_tried(tried, rule, findings)

    with progress_bar(data.name, as_json=as_json) as advance:
        try_file(named, data, use, at=released, progress=lambda rows: advance(rows, None))
    if "error" in worst:
        raise typer.Exit(1)


@app.command("show")
def show_dataset(
    dataset: str,
    release: Annotated[int | None, typer.Option(min=1, help="批次 / a release; default: the newest")] = None,
    rule: Rule = None,
    findings: Shown = 20,
    offset: Annotated[int, typer.Option(min=0, help="从第几条发现起 / findings to skip")] = 0,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """查看一个批次的质量发现与服务水平 / what was found in a release, and service levels beside promises."""
    query = {"limit": str(findings), "offset": str(offset)}
    query |= {} if release is None else {"release": str(release)}
    query |= {} if rule is None else {"rule": rule}
    answer = ControlClient(home, person).get(f"/local/quality/{dataset}", query)
    if as_json:
        print_json(answer)
        return
    _show_levels(answer["levels"])
    show_rows(_told(answer["releases"]), _RELEASES, as_json=False, title="各批次 releases")
    if answer["report"] is None:
        zh = "数据行不在本机,只有各规则的计数" if answer["examined"] else "该批次未经质量检查"
        en = "the rows are not here: counts alone" if answer["examined"] else "this release was not examined"
        say(zh, en)
        show_rows(answer["rules"], _of(_RULES, answer["rules"]), as_json=False, title="规则 rules")
        return
    _show_report(answer["report"], answer["series"], answer["findings"], rule)
    if answer["differing"]:
        say(
            f"与提供方公布的计数不一致:{'、'.join(answer['differing'])}",
            "these rules find another number of records than the provider published",
        )


@app.command("list")
def list_datasets(home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出本节点各数据集最新批次的质量 / the newest release of each of this node's datasets."""
    answer = ControlClient(home, person).get("/local/quality")
    columns = {"dataset": "数据集 dataset", "title": "名称 title", **_RELEASES}
    lines = answer["datasets"] if as_json else _told(answer["datasets"])
    show_rows(lines, columns, as_json=as_json, title="数据质量 quality")


def _told(releases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Show when releases were published, to the minute in UTC+8."""
    from contracts.clock import beijing, parse_rfc3339  # noqa: PLC0415

    return [
        {**one, "at": beijing(parse_rfc3339(one["at"]))[:16] if "at" in one else None} for one in releases
    ]


def _show_tried(tried: "Tried", rule: str | None, limit: int) -> None:
    head = tried.head.model_dump(mode="json")
    say(
        f"{head['rows'] + tried.rejected} 行,检查 {head['rows']},不符合契约 {tried.rejected}",
        "rows, examined, rejected by the contract",
    )
    told = (one.model_dump(mode="json") for one in tried.findings() if rule in {None, one.rule})
    chosen = _first_of_each(told) if rule is None else told
    series = [one.model_dump(mode="json") for one in islice(tried.series(), 50)]
    _show_report(head, series, list(islice(chosen, limit)), rule)


def _first_of_each(findings: Iterator[dict[str, Any]], of_each: int = 3) -> Iterator[dict[str, Any]]:
    """Give the first findings of every rule; ``--rule`` lists all of one."""
    given: Counter[str] = Counter()
    for one in findings:
        given[one["rule"]] += 1
        if given[one["rule"]] <= of_each:
            yield one


def _show_report(
    head: Mapping[str, Any], series: list[dict[str, Any]], findings: list[dict[str, Any]], rule: str | None
) -> None:
    found = [one for one in head["rules"] if one["records"]]
    show_rows(found, _RULES, as_json=False, title="有发现的规则 rules that found something")
    if quiet := [one["rule"] for one in head["rules"] if not one["records"]]:
        say(f"无发现:{'、'.join(quiet)}", "these rules found nothing")
    for one in series:
        one["percent"] = f"{100 * one['present'] / one['expected']:.1f}"
    for one in [*series, *findings]:
        one["series"] = one["series"] or None
        one["when"] = _when(one["first"], one["last"])
    if series:
        show_rows(series, _SERIES, as_json=False, title=f"完整性 completeness, {head['series']}")
    of = sum(one["findings"] for one in head["rules"] if rule in {None, one["rule"]})
    if findings:
        show_rows(findings, _FINDINGS, as_json=False, title=f"发现 findings, {of}")
    if head["unjudged"]:
        columns = {"rule": "规则 rule", "reason": "原因 reason"}
        show_rows(head["unjudged"], columns, as_json=False, title="无法判断 not judged")
    if head["untimed"]:
        say(f"{head['untimed']} 行没有可读的时间", "rows have no time that can be read")


def _show_levels(levels: list[dict[str, Any]]) -> None:
    units = {"completeness": "%"}
    lines = [
        {
            **one,
            "promised": _with_unit(one["promised"], units.get(one["level"], "s")),
            "measured": _with_unit(one["measured"], units.get(one["level"], "s")),
        }
        for one in levels
    ]
    show_rows(lines, _LEVELS, as_json=False, title="服务水平 service levels")


def _when(first: str | None, last: str | None) -> str | None:
    """Show a span of time to the minute, in the zone that the series has."""
    if first is None or last is None:
        return None
    begin, end = (text[:16].replace("T", " ") for text in (first, last))
    if begin == end:
        return begin
    return f"{begin} – {end[11:] if begin[:10] == end[:10] else end}"


def _with_unit(value: int | None, unit: str) -> str | None:
    return None if value is None else f"{value} {unit}"


def _of(columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Keep the columns that the rows have."""
    there = {name for row in rows for name in row}
    return {name: heading for name, heading in columns.items() if name in there}


def _write_json(tried: "Tried", rule: str | None) -> None:
    """Write one JSON object without holding all findings at once."""
    head = tried.head.model_dump(mode="json") | {"rejected": tried.rejected}
    parts = {
        "completeness": (one.model_dump(mode="json") for one in tried.series()),
        "findings": (one.model_dump(mode="json") for one in tried.findings() if rule in {None, one.rule}),
    }
    write = sys.stdout.write
    write(orjson.dumps(head).decode()[:-1])
    for name, lines in parts.items():
        write(f',"{name}":[')
        for at, line in enumerate(lines):
            write(("," if at else "") + orjson.dumps(line).decode())
        write("]")
    write("}\n")
