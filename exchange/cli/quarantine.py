"""``headwaters quarantine``: look at rejected rows and their reasons, and work through them."""

from typing import Annotated

import typer

from exchange.cli.output import NODE_HOME, JsonFlag, NodeHome, Person, show, show_rows
from nodes.control import ControlClient

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_rows(
    dataset: Annotated[str | None, typer.Option()] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """列出被拒绝的行及理由 / list rejected rows with reasons."""
    query = {"limit": str(limit), **({"dataset": dataset} if dataset else {})}
    answer = ControlClient(home, person).get("/local/quarantine", query)
    columns = {
        "id": "编号 id",
        "dataset": "数据集 dataset",
        "row": "行 row",
        "pointer": "位置 pointer",
        "rule": "规则 rule",
        "value": "值 value",
    }
    show_rows(answer["rows"], columns, as_json=as_json, title=f"隔离区 quarantine, {answer['total']}")


@app.command("show")
def show_row(
    row_id: int, home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """查看一行的全部理由 / show one rejected row with every reason."""
    answer = ControlClient(home, person).get(f"/local/quarantine/{row_id}")
    show(answer, as_json=as_json, title="被拒绝的行 rejected row")
