"""``headwaters contract check``: a contract alone, or a file against it, row by row."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.contract.app import ContractName, app
from exchange.cli.output import JsonFlag, print_json, say, show_rows


@app.command()
def check(
    contract: ContractName,
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
