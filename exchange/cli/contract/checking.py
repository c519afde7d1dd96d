"""``headwaters contract check``: a contract alone, or a file against it, row by row."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.cli.contract.app import ContractName, app
from exchange.cli.output import JsonFlag, print_json, progress_bar, say, show_rows

if TYPE_CHECKING:
    from contracts.inspection import Inspection
    from nodes.sources.check import Check

SHOWN_FAULTS = 20

_FAULTS = {"row": "行 row", "pointer": "位置 pointer", "value": "值 value", "message": "理由 reason"}
_RULES = {"schema_pointer": "契约规则 rule of the contract", "faults": "处 faults"}
_REASONS = {"pointer": "位置 pointer", "reason": "理由 reason"}


@app.command()
def check(
    contract: ContractName,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="数据文件;不写则只检查契约 / the data file; the contract alone without it"
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """检查契约,或逐行校验文件 / check a contract, or a file row by row; exit 1 if anything is refused."""
    if data is None:
        _check_contract(contract, as_json=as_json)
    else:
        _check_data(contract, data, as_json=as_json)


def _check_data(name: str, data: Path, *, as_json: bool) -> None:
    from contracts.library import named  # noqa: PLC0415
    from nodes.sources.check import check_file  # noqa: PLC0415

    with (
        progress_bar(f"校验 checking {data.name}", as_json=as_json) as advance,
        check_file(named(name), data, lambda rows: advance(rows, None)) as checked,
    ):
        if as_json:
            _write_json(checked)
        else:
            _show(checked)
        rejected = checked.rejected
    if rejected:
        raise typer.Exit(1)


def _write_json(checked: "Check") -> None:
    """Write the report as one JSON value, fault by fault."""
    write = sys.stdout.write
    write(f'{{\n"contract": "{checked.contract.id}",\n"version": "{checked.contract.version}",\n')
    write(f'"rows": {checked.rows},\n"accepted": {checked.accepted},\n"rejected": {checked.rejected},\n')
    write('"violations": [')
    for index, line in enumerate(checked.fault_lines()):
        write((",\n" if index else "\n") + line.decode().rstrip("\n"))
    write("\n]\n}\n")


def _show(checked: "Check") -> None:
    say(
        f"{checked.rows:,} 行,接受 {checked.accepted:,},拒绝 {checked.rejected:,}",
        f"{checked.rows:,} rows, {checked.accepted:,} accepted, {checked.rejected:,} rejected",
    )
    if not checked.rejected:
        return
    rules = [
        {"schema_pointer": pointer or f"({rule})", "faults": f"{count:,}"}
        for (pointer, rule), count in checked.faults_by_rule.most_common()
    ]
    show_rows(rules, _RULES, as_json=False, title="违反的规则 rules that were broken")
    faults = [dict(fault) for fault, _ in zip(checked.faults(), range(SHOWN_FAULTS), strict=False)]
    show_rows(faults, _FAULTS, as_json=False, title="违规 violations")
    if checked.fault_count > len(faults):
        say(
            f"另有 {checked.fault_count - len(faults):,} 处未显示;加 --json 列出全部",
            f"{checked.fault_count - len(faults):,} more are not shown; --json lists them all",
        )


def _check_contract(name: str, *, as_json: bool) -> None:
    from contracts.library import inspected  # noqa: PLC0415

    inspection = inspected(name)
    reasons = [
        {"pointer": reason.pointer, "message": {"zh": reason.zh, "en": reason.en}}
        for reason in inspection.reasons
    ]
    if as_json:
        print_json(_facts(inspection) | {"reasons": reasons})
    elif not reasons and inspection.contract is not None:
        made = inspection.contract
        say(
            f"契约可用:{made.id} {made.version},{len(made.fields)} 个字段,{len(made.quality)} 条质量规则",
            f"{made.title.en}: fit for use; {len(made.fields)} fields, {len(made.quality)} quality rules",
        )
        say("示例通过两个校验引擎", f"both engines accept the example; {made.digest}")
    else:
        rows = [{"pointer": item["pointer"] or "/", "reason": item["message"]} for item in reasons]
        show_rows(rows, _REASONS, as_json=False, title="契约不可用 the contract is refused")
    if reasons:
        raise typer.Exit(1)


def _facts(inspection: "Inspection") -> dict[str, object]:
    """Give the report of a contract alone; its example is the one row that was judged."""
    made = inspection.contract
    refused = bool(inspection.reasons)
    return {
        "contract": None if made is None else made.id,
        "version": None if made is None else made.version,
        "digest": None if made is None else made.digest,
        "rows": 0 if made is None else 1,
        "accepted": 0 if made is None or refused else 1,
        "rejected": 1 if made is not None and refused else 0,
        "violations": [],
    }
