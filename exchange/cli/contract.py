"""``headwaters contract``: the shipped library, a check of a file, and registration at the exchange."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.output import NODE_HOME, JsonFlag, NodeHome, Person, print_json, say, show, show_rows
from nodes.control import ControlClient

app = typer.Typer(no_args_is_help=True)


@app.command()
def library(as_json: JsonFlag = False) -> None:
    """列出随附的契约 / list the shipped contracts."""
    from contracts.library import shipped_contracts  # noqa: PLC0415

    rows = [{"id": c.id, "version": c.version, "title": c.title.model_dump()} for c in shipped_contracts()]
    columns = {"id": "编号 id", "version": "版本 version", "title": "名称 title"}
    show_rows(rows, columns, as_json=as_json, title="契约库 contract library")


@app.command()
def register(
    contract: Annotated[str, typer.Argument(help="契约库编号或文件 / a library id or a file")],
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """在交换中心登记契约 / register a contract at the exchange."""
    text = Path(contract).read_text() if contract.endswith(".json") else contract
    answer = ControlClient(home, person).post("/local/contracts", {"contract": text})
    show(answer, as_json=as_json, title="契约已登记 contract registered")


@app.command()
def check(
    contract: Annotated[str, typer.Argument(help="契约库编号或文件 / a library id or a file")],
    data: Annotated[
        Path, typer.Option("--data", exists=True, dir_okay=False, help="数据文件 / the data file")
    ],
    as_json: JsonFlag = False,
) -> None:
    """逐行校验一个文件 / validate a file row by row; exit 1 when a row is rejected."""
    from nodes.sources.check import check_file  # noqa: PLC0415

    report = check_file(contract, data)
    if as_json:
        print_json(report)
    else:
        say(
            f"{report['rows']} 行,接受 {report['accepted']},拒绝 {report['rejected']}",
            "rows, accepted, rejected",
        )
        columns = {"row": "行 row", "pointer": "位置 pointer", "rule": "规则 rule", "value": "值 value"}
        show_rows(report["violations"], columns, as_json=False, title="违规 violations")
    if report["rejected"]:
        raise typer.Exit(1)
