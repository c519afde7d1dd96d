"""``headwaters contract infer|generate``: a draft of a contract from data, and data from a contract."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli.contract.app import ContractName, app
from exchange.cli.contract.written import To, report, write_file, writing
from exchange.cli.output import JsonFlag, print_json, progress_bar, say

_PROGRESS_ROWS = 1000


@app.command()
def infer(
    file: Annotated[Path, typer.Argument(help="数据文件 / the data file")],
    to: To,
    name: Annotated[str | None, typer.Option("--id", help="契约编号 / the contract's id")] = None,
    as_json: JsonFlag = False,
) -> None:
    """从数据起草契约,再由人修改 / draft a contract from data, for a person to correct."""
    from contracts.schema import contract_text  # noqa: PLC0415
    from nodes.sources.infer import draft  # noqa: PLC0415

    with progress_bar(f"阅读 reading {file.name}", as_json=as_json) as advance:
        drafted = draft(file, contract_id=name, seen=lambda rows: advance(rows, None))
    write_file(to, contract_text(drafted.contract))
    report(drafted.contract, drafted.notes, to, as_json=as_json)


@app.command()
def generate(
    contract: ContractName,
    to: To,
    count: Annotated[int, typer.Option("--rows", min=1, max=10_000_000, help="行数 / how many rows")] = 100,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="种子;相同种子得相同的行 / equal seeds give equal rows")
    ] = 0,
    broken: Annotated[
        float, typer.Option("--broken", min=0, max=1, help="坏行比例 / the share of rows that break one rule")
    ] = 0.0,
    as_json: JsonFlag = False,
) -> None:
    """生成测试行 / make rows to try a contract with: .ndjson, .csv or .parquet."""
    from contracts.library import named  # noqa: PLC0415
    from contracts.sampling.generate import MadeRow, rows  # noqa: PLC0415
    from nodes.sources.made_rows import form_of, write_rows  # noqa: PLC0415

    found = named(contract)
    made = rows(found, count, seed=seed, broken=broken, form=form_of(to))
    faults: list[dict[str, int | str]] = []

    def watched(advance: Any, made: Iterator[MadeRow]) -> Iterator[dict[str, Any]]:  # Any: the bar, a record
        for number, one in enumerate(made, 1):
            if one.broken is not None:
                faults.append({"row": number, "pointer": one.broken[0], "rule": one.broken[1]})
            if number % _PROGRESS_ROWS == 0:
                advance(number, count)
            yield one.row

    with progress_bar(f"生成 making {to.name}", as_json=as_json) as advance, writing(to):
        write_rows(to, found, watched(advance, made))
    if as_json:
        print_json({"contract": found.id, "rows": count, "seed": seed, "file": str(to), "broken": faults})
        return
    say(
        f"{count} 行已写入 {to},其中 {len(faults)} 行各违反一条规则",
        f"rows written, {len(faults)} of them break one rule each",
    )
