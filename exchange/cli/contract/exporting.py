"""``headwaters contract export|import``: a contract in the words of other tools, and back."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.cli.contract.app import ContractName, app
from exchange.cli.contract.written import To, report, write_file
from exchange.cli.output import JsonFlag, print_json, say

if TYPE_CHECKING:
    from contracts.schema import Contract


class ExportForm(StrEnum):
    """What a contract can be written as."""

    ODCS = "odcs"
    JSON_SCHEMA = "json-schema"
    PYDANTIC = "pydantic"
    SQL = "sql"
    SQLITE = "sqlite"


class OdcsEdition(StrEnum):
    """The editions of the Open Data Contract Standard that are written."""

    V3_1_0 = "3.1.0"
    V3_2_0 = "3.2.0"


@app.command()
def export(
    contract: ContractName,
    form: Annotated[ExportForm, typer.Option("--format", help="导出格式 / the form to write")],
    to: To,
    edition: Annotated[
        OdcsEdition, typer.Option("--edition", help="ODCS 版本 / the edition of ODCS")
    ] = OdcsEdition.V3_1_0,
    as_json: JsonFlag = False,
) -> None:
    """把契约写成其他形式 / write a contract as ODCS, JSON Schema, pydantic models or an SQL table."""
    from contracts.library import named  # noqa: PLC0415

    found = named(contract)
    raw = _written(found, form, edition).encode()
    write_file(to, raw)
    if as_json:
        told = {"contract": found.id, "version": found.version, "digest": found.digest, "format": form.value}
        print_json(told | {"file": str(to), "bytes": len(raw)})
        return
    say(f"契约 {found.id} {found.version} 已写入 {to}({form.value})", f"written, {len(raw)} bytes")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="ODCS 文件,YAML 或 JSON / the ODCS file, YAML or JSON")],
    to: To,
    table: Annotated[
        str | None, typer.Option("--table", help="多个 schema 对象中的一个 / one of several schema objects")
    ] = None,
    leave_out: Annotated[
        bool,
        typer.Option("--leave-out", help="略去无法保留的行规则 / drop the row rules that cannot be kept"),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """从 ODCS 3 文件读出契约 / read a contract from an ODCS 3 file."""
    from contracts.library import file_bytes  # noqa: PLC0415
    from contracts.odcs import MAX_ODCS_BYTES, read_odcs  # noqa: PLC0415
    from contracts.schema import contract_text  # noqa: PLC0415

    imported = read_odcs(file_bytes(file, MAX_ODCS_BYTES), leave_out=leave_out, table=table)
    write_file(to, contract_text(imported.contract))
    report(imported.contract, imported.notes, to, as_json=as_json)


def _written(contract: "Contract", form: ExportForm, edition: OdcsEdition) -> str:
    from contracts.codegen.ddl import DIALECTS, ddl  # noqa: PLC0415
    from contracts.codegen.json_schema import json_schema  # noqa: PLC0415
    from contracts.codegen.pydantic_models import pydantic_source  # noqa: PLC0415
    from contracts.odcs import export_contract  # noqa: PLC0415

    match form:
        case ExportForm.ODCS:
            return export_contract(contract, edition.value)
        case ExportForm.JSON_SCHEMA:
            return json_schema(contract)
        case ExportForm.PYDANTIC:
            return pydantic_source(contract)
        case ExportForm.SQL | ExportForm.SQLITE:
            return ddl(contract, DIALECTS[form.value])
