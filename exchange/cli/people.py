"""``headwaters exchange person``: more people than the three founders, each confirmed by a second one."""

from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.messages import Role
from exchange.cli.acting import control
from exchange.cli.output import EXCHANGE_HOME, ExchangeHome, JsonFlag, Person, show_rows

app = typer.Typer(no_args_is_help=True)

PEOPLE = "/operator/people"


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="名字:小写字母、数字、- / a name of a-z, 0-9 and -")],
    role: Annotated[list[Role], typer.Option("--role", help="角色,可多次给出 / may be given more than once")],
    public_key: Annotated[
        str | None,
        typer.Option(
            "--public-key", help="本人公钥;缺省在 people/ 下新建密钥 / default: a new key in people/"
        ),
    ] = None,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """提议新增人员;须由另一人确认 / propose a person; another person confirms."""
    client = control(home, person, Role.ADMINISTRATOR)
    key = public_key or _new_key(home, name)
    body = {"name": name, "roles": sorted(one.value for one in role), "key": key}
    _show(client.post(PEOPLE, body), as_json=as_json)


@app.command()
def confirm(
    name: Annotated[str, typer.Argument(help="待确认者的名字 / the name that waits")],
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """确认他人提议的人员 / confirm a person whom somebody else proposed."""
    client = control(home, person, Role.OPERATOR)
    _show(client.post(f"{PEOPLE}/{name}/confirmation"), as_json=as_json)


@app.command("list")
def list_people(home: ExchangeHome = EXCHANGE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出人员与待确认者 / the people who may act, and those who wait."""
    _show(control(home, person, Role.OPERATOR).get(PEOPLE), as_json=as_json)


def _new_key(home: Path, name: str) -> str:
    from audit.keys.signing import create_key  # noqa: PLC0415
    from contracts.identifiers import parse_name  # noqa: PLC0415

    return create_key(home / "people" / f"{parse_name(name)}.key").public.text


def _show(answer: dict[str, Any], *, as_json: bool) -> None:
    columns = {
        "name": "姓名 name",
        "roles": "角色 roles",
        "key": "公钥 key",
        "waits": "待确认 waits",
        "by": "提议人 proposed by",
    }
    show_rows(answer["people"], columns, as_json=as_json, title="人员 people")
