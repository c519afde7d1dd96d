"""``headwaters exchange``: the operator founds the exchange, runs it, and admits members."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import Usage
from contracts.messages import Level, Role
from exchange.cli.acting import control
from exchange.cli.output import (
    EXCHANGE_HOME,
    ExchangeHome,
    JsonFlag,
    Person,
    print_json,
    say,
    show,
    show_rows,
)

app = typer.Typer(no_args_is_help=True)


@app.command()
def init(
    home: ExchangeHome = EXCHANGE_HOME,
    origin: Annotated[str, typer.Option(help="日志名称 / the log's origin, a name without a scheme")] = "",
    public_url: Annotated[str, typer.Option(help="节点使用的地址 / the address that nodes use")] = "",
    quorum: Annotated[int, typer.Option(min=1, max=32, help="法定副署数 / cosignatures needed")] = 5,
    witnesses: Annotated[int, typer.Option(min=1, max=31, help="见证方总数 / witnesses at most")] = 7,
    database_url: Annotated[str, typer.Option(help="缺省为内置 SQLite / default: SQLite in the home")] = "",
    as_json: JsonFlag = False,
) -> None:
    """建立交换中心:密钥、数据库、三种角色 / found the exchange: keys, database, three roles."""
    from exchange.home import init as found  # noqa: PLC0415

    if not origin or not public_url:
        raise Usage(
            "--origin and --public-url are needed, for example --origin audit.alliance.example/2026h2"
        )
    made = found(
        home,
        origin=origin,
        public_url=public_url,
        quorum=quorum,
        witnesses=witnesses,
        database_url=database_url,
    )
    show(made, as_json=as_json, title="交换中心已建立 exchange founded")


@app.command()
def serve(
    home: ExchangeHome = EXCHANGE_HOME,
    listen: Annotated[str | None, typer.Option(help="监听地址 / host:port; default: settings")] = None,
) -> None:
    """运行交换中心 / run the exchange until it is stopped."""
    from exchange.serve import run  # noqa: PLC0415

    run(home, listen)


@app.command()
def invite(
    name_zh: Annotated[str, typer.Option(help="中文名称 / Chinese name")],
    name_en: Annotated[str, typer.Option(help="英文名称 / English name")],
    admin_code: Annotated[str | None, typer.Option(help="行政区划代码 / administrative code")] = None,
    level: Annotated[Level, typer.Option(help="层级 / level")] = Level.PROVINCE,
    sector: Annotated[str, typer.Option(help="行业 / sector")] = "government",
    witness: Annotated[bool, typer.Option(help="是否担任见证方 / acts as a witness")] = True,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """邀请一个参与方 / invite one participant; hand the text over on a trusted way."""
    made = control(home, person, Role.ADMINISTRATOR).post(
        "/operator/invites",
        {
            "profile": {
                "name": {"zh": name_zh, "en": name_en},
                "admin_code": admin_code,
                "admin_code_edition": "GB/T 2260 (2023)" if admin_code else None,
                "level": level.value,
                "sector": sector,
            },
            "witness": witness,
            "expires_hours": 72,
        },
    )
    if as_json:
        print_json(made)
        return
    say(f"邀请 {made['participant']}", "invite; the next line is secret until it is used")
    typer.echo(made["invite"])


@app.command()
def members(home: ExchangeHome = EXCHANGE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出参与方与密钥指纹 / list members and their key fingerprints."""
    answer = control(home, person, Role.ADMINISTRATOR).get("/operator/members")
    columns = {
        "participant": "编号 id",
        "name": "名称 name",
        "status": "状态 status",
        "fingerprint": "指纹 fingerprint",
    }
    show_rows(answer["members"], columns, as_json=as_json, title="参与方 members")


@app.command()
def approve(
    participant: str,
    fingerprint: Annotated[str, typer.Option(help="对方另行告知的指纹 / the fingerprint told out of band")],
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """核对指纹并批准加入 / compare the fingerprint and approve."""
    body = {"fingerprint": fingerprint}
    answer = control(home, person, Role.ADMINISTRATOR).post(f"/operator/members/{participant}/approve", body)
    show(answer, as_json=as_json, title="已批准 approved")


def _act(
    home: Path, person: str | None, participant: str, act: str, body: dict[str, str]
) -> dict[str, object]:
    path = f"/operator/members/{participant}/{act}"
    answer: dict[str, object] = control(home, person, Role.ADMINISTRATOR).post(path, body)
    return answer


Reason = Annotated[str, typer.Option(help="理由,写入日志的承诺 / the reason")]


@app.command()
def suspend(
    participant: str,
    reason: Reason,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """暂停参与方,传输立即停止 / suspend a member; transfers stop."""
    show(
        _act(home, person, participant, "suspend", {"reason": reason}),
        as_json=as_json,
        title="已暂停 suspended",
    )


@app.command()
def quarantine(
    participant: str,
    why: Annotated[str, typer.Option(help="理由,写入日志的承诺 / the reason")],
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """隔离参与方:与其往来全部停止,证据照收 / cut a member off; only evidence is still taken from it."""
    show(
        _act(home, person, participant, "quarantine", {"reason": why}),
        as_json=as_json,
        title="已隔离 quarantined",
    )


@app.command()
def resume(
    participant: str, home: ExchangeHome = EXCHANGE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """恢复被暂停或隔离的参与方 / let a suspended or quarantined member act again."""
    show(_act(home, person, participant, "resume", {}), as_json=as_json, title="已恢复 resumed")


@app.command()
def revoke(
    participant: str,
    reason: Reason,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """永久撤销参与方 / revoke a member for good."""
    show(
        _act(home, person, participant, "revoke", {"reason": reason}), as_json=as_json, title="已撤销 revoked"
    )


@app.command()
def status(home: ExchangeHome = EXCHANGE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """交换中心与日志的状态 / how the exchange and its log stand."""
    answer = control(home, person, Role.OPERATOR).get("/operator/status")
    show(answer, as_json=as_json, title="交换中心 exchange")


@app.command()
def shard(
    name: Annotated[str | None, typer.Option(help="新分片名称,缺省为半年度 / default: the half-year")] = None,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """关闭当前日志分片,足额副署后开启新分片 / close the log's shard; the next opens under a quorum."""
    answer = control(home, person, Role.ADMINISTRATOR).post("/operator/shards", {"name": name})
    answer = {key: answer[key] for key in ("number", "origin", "size")}
    show(answer, as_json=as_json, title="分片已关闭 shard closed")


@app.command()
def backup(
    to: Annotated[Path, typer.Option("--to", help="备份文件 / the backup file", dir_okay=False)],
    home: ExchangeHome = EXCHANGE_HOME,
    as_json: JsonFlag = False,
) -> None:
    """备份数据库与密钥;像密钥一样保管 / back up database and keys; guard the file like the keys."""
    from exchange.backup import backup as make_backup  # noqa: PLC0415

    show(make_backup(home, to), as_json=as_json, title="已备份 backed up")


@app.command()
def restore(
    backup_file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    home: ExchangeHome = EXCHANGE_HOME,
    as_json: JsonFlag = False,
) -> None:
    """恢复到空目录;旧备份不能签发新的检查点 / restore into an empty folder; an old backup cannot sign."""
    from exchange.backup import restore as bring_back  # noqa: PLC0415

    show(bring_back(backup_file, home), as_json=as_json, title="已恢复 restored")
