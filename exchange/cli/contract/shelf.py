"""``headwaters contract library|register``: what ships with the software, and what a province takes of it."""

from exchange.cli.contract.app import ContractName, app
from exchange.cli.output import NODE_HOME, JsonFlag, NodeHome, Person, show, show_rows
from nodes.control import ControlClient


@app.command()
def library(as_json: JsonFlag = False) -> None:
    """列出随附的契约 / list the shipped contracts."""
    from contracts.library import shipped_contracts  # noqa: PLC0415

    rows = [
        {
            "id": c.id,
            "version": c.version,
            "title": c.title.model_dump(),
            "theme": c.theme,
            "sharing": c.sharing,
        }
        for c in shipped_contracts()
    ]
    columns = {"id": "编号 id", "version": "版本 version", "title": "名称 title"}
    show_rows(rows, columns, as_json=as_json, title="契约库 contract library")


@app.command()
def register(
    contract: ContractName, home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """在交换中心登记契约 / register a contract at the exchange."""
    from contracts.library import named  # noqa: PLC0415

    text = named(contract).canonical().decode()
    answer = ControlClient(home, person).post("/local/contracts", {"contract": text})
    show(answer, as_json=as_json, title="契约已登记 contract registered")
