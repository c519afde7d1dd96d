"""``headwaters quarantine``: look at rejected rows and their reasons, and work through them."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from contracts.errors import Usage
from exchange.cli.output import NODE_HOME, JsonFlag, NodeHome, Person, follow, show, show_rows
from nodes.control import ControlClient

app = typer.Typer(no_args_is_help=True)

_PATH = "/local/quarantine"
_STATES = {
    "open": "待处理 open",
    "resubmitted": "已修改 resubmitted",
    "accepted": "已接受 accepted",
    "withdrawn": "已撤回 withdrawn",
    "expired": "已过期 expired",
}

RowId = Annotated[int, typer.Argument(metavar="ID", help="隔离行编号 / the row's id")]
Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="数据集编号 / dataset id")]


@app.command("list")
def list_rows(
    dataset: Annotated[str | None, typer.Option(help="只看一个数据集 / of one dataset")] = None,
    state: Annotated[str | None, typer.Option(help="状态 / " + " | ".join(_STATES))] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """列出被拒绝的行及理由 / list rejected rows with reasons."""
    query = {"limit": str(limit), "offset": str(offset)}
    query |= {name: value for name, value in (("dataset", dataset), ("state", state)) if value}
    answer = ControlClient(home, person).get(_PATH, query)
    columns = {
        "id": "编号 id",
        "state": "状态 state",
        "dataset": "数据集 dataset",
        "row": "行 row",
        "pointer": "位置 pointer",
        "rule": "规则 rule",
        "value": "值 value",
    }
    show_rows(answer["rows"], columns, as_json=as_json, title=f"隔离区 quarantine, {answer['total']}")


@app.command("show")
def show_row(
    row: RowId, home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """查看一行的全部理由 / show one rejected row with every reason."""
    answer = ControlClient(home, person).get(f"{_PATH}/{row}")
    show(answer, as_json=as_json, title="被拒绝的行 rejected row")


@app.command()
def status(
    dataset: Annotated[str | None, typer.Option(help="只看一个数据集 / of one dataset")] = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """各数据集隔离行的处理进度 / how far the rows of each dataset have come."""
    answer = ControlClient(home, person).get(f"{_PATH}/standing", {"dataset": dataset} if dataset else {})
    columns = {"dataset": "数据集 dataset", **_STATES, "oldest_open_at": "最早待处理 oldest open"}
    show_rows(answer["datasets"], columns, as_json=as_json, title="隔离区进度 standing")


@app.command()
def export(
    dataset: Dataset,
    to: Annotated[Path, typer.Option(help="写入 .csv 或 .ndjson / a new .csv or .ndjson file")],
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """导出待处理的行,供修改 / write the open rows into a file to be mended."""
    body = {"dataset": dataset, "path": str(to.resolve())}
    show(ControlClient(home, person).post(f"{_PATH}/exports", body), as_json=as_json, title="已导出 exported")


@app.command()
def resubmit(
    row: Annotated[int | None, typer.Argument(metavar="ID", help="隔离行编号 / the row's id")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="字段=值,可重复 / field=value, again and again")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="整条记录的 JSON 文件 / a whole record")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="修改后的导出文件 / an exported file, mended"),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="--file 所属数据集 / the dataset of --file")] = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """提交修改后的行,重新按契约校验 / offer mended rows; they are judged anew; exit 1 when one is refused."""
    client = ControlClient(home, person)
    if file is not None and dataset is not None and row is None:
        _resubmit_file(client, file, dataset, as_json=as_json)
        return
    if row is None or file is not None or (record is None) == (not changes):
        raise Usage("name a row with --set or --record, or --file with --dataset")
    body = {"record": _json(record)} if record else {"changes": dict(map(_change, changes or []))}
    answer = client.post(f"{_PATH}/{row}/resubmission", body)
    show(answer, as_json=as_json, title="已提交修改 resubmitted")


@app.command()
def withdraw(
    row: RowId,
    why: Annotated[str, typer.Option(help="撤回理由 / why")],
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """撤回一行,不再发布 / take a row back for good."""
    answer = ControlClient(home, person).post(f"{_PATH}/{row}/withdrawal", {"why": why})
    show(answer, as_json=as_json, title="已撤回 withdrawn")


@app.command()
def release(
    dataset: Dataset, home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """将已修改的行发布为新批次 / publish the mended rows as the next release."""
    lines = ControlClient(home, person).stream_ndjson(f"{_PATH}/releases", {"dataset": dataset})
    show(follow(lines, dataset, as_json=as_json), as_json=as_json, title="已发布 published")


def _resubmit_file(client: ControlClient, file: Path, dataset: str, *, as_json: bool) -> None:
    lines = client.stream_ndjson(f"{_PATH}/files", {"dataset": dataset, "path": str(file.resolve())})
    result = follow(lines, file.name, as_json=as_json)
    refusals = result.get("refusals", [])
    if as_json:
        show(result, as_json=True, title="")
    else:
        counts = {name: result[name] for name in ("mended", "repeated", "refused")}
        labels = {"mended": "已修改 mended", "repeated": "重复 repeated", "refused": "被拒 refused"}
        show(counts, as_json=False, title=f"已提交 {file.name}", labels=labels)
        if refusals:
            columns = {"line": "行 line", "id": "编号 id", "title": "原因 why", "reasons": "理由 reasons"}
            show_rows(refusals, columns, as_json=False, title="未接受 refused")
    if result.get("refused"):
        raise typer.Exit(1)


def _change(text: str) -> tuple[str, Any]:  # Any: a JSON value
    """Read ``field=value``; a value that is no JSON is text."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Usage(f"{text!r} is not field=value")
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value


def _json(path: Path) -> Any:  # Any: a JSON value
    try:
        return orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise Usage(f"{path.name} is not JSON: {error.msg}") from error
