"""``headwaters source``: what a dataset is fed from: folders, databases, pushes, stations."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from contracts.errors import Usage
from exchange.cli.output import NODE_HOME, JsonFlag, NodeHome, Person, err, follow, say, show, show_rows
from nodes.control import ControlClient

app = typer.Typer(no_args_is_help=True)
T = TypeVar("T")

_LINE = {
    "source": "来源 source",
    "dataset": "数据集 dataset",
    "kind": "方式 kind",
    "every_seconds": "间隔秒 every",
    "waiting": "待发布 waiting",
    "refused_pieces": "拒收 refused",
    "trouble": "问题 trouble",
}
_LABELS = {
    **_LINE,
    "token": "令牌 token",
    "discarded": "丢弃 discarded",
    "run_at": "上次运行 last run",
    "waiting_bytes": "待发布字节 waiting bytes",
    "released": "已发布 released",
    "note": "说明 note",
    "settings": "设置 settings",
    "cursor": "读到何处 cursor",
}
_RAN = {
    "source": "来源 source",
    "landed": "新收 landed",
    "refused": "拒收 refused",
    "rows": "读取行 rows read",
    "quarantined": "隔离行 quarantined",
    "releases": "发布批次 releases",
    "note": "说明 note",
}
_LOTS = {
    "release": "批次 release",
    "state": "状态 state",
    "rows": "行 rows",
    "quarantined": "隔离 quarantined",
    "at": "时间 at",
    "reason": "原因 reason",
}


SourceName = Annotated[str, typer.Argument(help="来源名称:小写字母、数字与 - / a-z, 0-9 and -")]
Dataset = Annotated[str, typer.Option(help="供给哪个已登记的数据集 / the declared dataset that it feeds")]
SourceKind = Annotated[
    Literal["folder", "sql", "push", "station"],
    typer.Option(help="接入方式 / how rows arrive: watched folder, database, HTTP push, HJ 212 stations"),
]
Every = Annotated[
    int, typer.Option(min=0, max=31 * 86_400, help="每隔多少秒发布一次;0 为手动 / seconds; 0: by hand")
]
Folder = Annotated[Path | None, typer.Option(help="folder:监视的文件夹 / the folder")]
Settle = Annotated[
    int, typer.Option(min=0, max=86_400, help="folder:多少秒未变即视为写完 / unchanged for seconds")
]
Marker = Annotated[
    str | None, typer.Option(help="folder:完成标记后缀,如 .ok / suffix of the file that says: finished")
]
Move = Annotated[bool, typer.Option("--move", help="folder:读后移入 taken/ / move files away once taken")]
UrlFile = Annotated[
    Path | None, typer.Option(help="sql:存有数据库地址的文件,权限 0600 / file with the address")
]
UrlEnv = Annotated[str | None, typer.Option(help="sql:节点环境变量名 / variable of the node's environment")]
TableName = Annotated[str | None, typer.Option(help="sql:表或视图 / TABLE or SCHEMA.TABLE, or a view")]
By = Annotated[str | None, typer.Option(help="sql:只增不减的列 / the column that only grows")]
Lookback = Annotated[
    int, typer.Option(min=0, help="sql:回看多少秒(或数)以补迟到的行 / how far behind late rows are found")
]
Columns = Annotated[list[str] | None, typer.Option("--map", help="sql:列=字段,可重复 / column=field")]
Zone = Annotated[str | None, typer.Option(help="sql:无时区时间的时区 / offset of bare times, +08:00")]


@app.command()
def add(
    name: SourceName,
    dataset: Dataset,
    kind: SourceKind,
    every: Every = 0,
    path: Folder = None,
    settle: Settle = 10,
    marker: Marker = None,
    move: Move = False,
    url_file: UrlFile = None,
    url_env: UrlEnv = None,
    table: TableName = None,
    by: By = None,
    lookback: Lookback = 0,
    column: Columns = None,
    zone: Zone = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """添加数据来源 / add a source to a dataset."""
    settings: dict[str, Any] = {"kind": kind}
    match kind:
        case "folder":
            folder = _needed(path, "--path").resolve()
            after = "move" if move else "keep"
            settings |= {"path": str(folder), "settle_seconds": settle, "marker": marker, "after": after}
        case "sql":
            schema, _, bare = _needed(table, "--table").rpartition(".")
            settings |= {
                "url_file": None if url_file is None else str(url_file.resolve()),
                "url_env": url_env,
                "table": bare,
                "table_schema": schema or None,
                "by": _needed(by, "--by"),
                "lookback": lookback,
                "columns": dict(_pair(text) for text in column or []),
                "zone": zone,
            }
    body = {"name": name, "dataset": dataset, "settings": settings, "every_seconds": every}
    answer = ControlClient(home, person).post("/local/sources", body)
    show(answer, as_json=as_json, title="来源已添加 source added", labels=_LABELS)
    _say_token(answer, as_json=as_json)


@app.command("list")
def list_sources(home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出数据来源 / list the sources."""
    answer = ControlClient(home, person).get("/local/sources")
    show_rows(answer["sources"], _LINE, as_json=as_json, title="数据来源 sources")


@app.command("show")
def show_source(
    name: str, home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """查看来源:待发布、拒收及原因、最近批次 / show a source: what waits, what was refused, its lots."""
    answer = ControlClient(home, person).get(f"/local/sources/{name}")
    if as_json:
        show(answer, as_json=True, title=name)
        return
    plain = {key: _told(key, item) for key, item in answer.items() if key not in {"refused", "lots"}}
    show(plain, as_json=False, title=f"来源 source {name}", labels=_LABELS)
    show_rows(answer["lots"], _LOTS, as_json=False, title="批 lots")
    if answer["refused"]:
        refused = {"name": "内容 what", "reason": "原因 reason", "sha256": "摘要 digest"}
        show_rows(answer["refused"], refused, as_json=False, title="拒收 refused")


@app.command()
def run(
    name: str,
    again: Annotated[
        bool, typer.Option("--again", help="重试被拒收的内容 / try refused pieces again")
    ] = False,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """立即读取并发布 / read the source now and publish its releases."""
    lines = ControlClient(home, person).stream_ndjson(f"/local/sources/{name}/run", {"again": again})
    done = follow(lines, name, as_json=as_json)
    show(done, as_json=as_json, title="已运行 source run", labels=_RAN)


@app.command()
def token(name: str, home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """换发推送令牌,旧令牌立即失效 / give a push source another token; the old one counts no more."""
    answer = ControlClient(home, person).post(f"/local/sources/{name}/token")
    show(answer, as_json=as_json, title="令牌 token", labels=_LABELS)
    _say_token(answer, as_json=as_json)


@app.command()
def remove(
    name: str,
    discard: Annotated[
        bool, typer.Option("--discard", help="丢弃待发布的数据 / let rows that wait go")
    ] = False,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """移除来源;已发布的不受影响 / remove a source; releases stay."""
    answer = ControlClient(home, person).post(f"/local/sources/{name}/remove", {"discard": discard})
    show(answer, as_json=as_json, title="来源已移除 source removed", labels=_LABELS)


def _needed(value: T | None, option: str) -> T:
    if value is None:
        raise Usage(f"this kind of source needs {option}")
    return value


def _pair(text: str) -> tuple[str, str]:
    column, sign, field = text.partition("=")
    if not (column and sign and field):
        raise Usage(f"{text!r} is not COLUMN=FIELD")
    return column, field


def _say_token(answer: dict[str, Any], *, as_json: bool) -> None:
    if "token" in answer and not as_json:
        say("令牌只显示这一次,请妥善交给推送方。", "The token is shown this once; hand it over safely.")
        err.print(f"[dim]POST …/sources/{answer['source']}/rows   Authorization: Bearer <token>[/dim]")


def _told(key: str, item: object) -> object:
    if key != "settings" or not isinstance(item, dict):
        return item
    return ", ".join(f"{name}={value}" for name, value in item.items() if value not in (None, {}))
