"""``headwaters emergency``: declare one, end it, and judge it afterwards."""

from typing import Annotated, Any, Literal

import typer

from contracts.errors import Usage
from contracts.messages import Role
from exchange.cli.acting import control
from exchange.cli.output import EXCHANGE_HOME, ExchangeHome, JsonFlag, Person, print_json, show, show_rows

app = typer.Typer(no_args_is_help=True)

_PATH = "/operator/emergencies"

Id = Annotated[str, typer.Argument(help="紧急状态编号 / the emergency's id, m-…")]
_LABELS = {
    "emergency": "编号 id",
    "state": "状态 state",
    "title": "名称 title",
    "why": "理由 why",
    "scope": "范围 scope",
    "declared_by": "宣布人 declared by",
    "declared_at": "宣布时间 declared at",
    "over_at": "结束 over at",
    "ended_why": "结束原因 ended why",
    "review_due_at": "审查期限 review due",
    "review": "审查 review",
}


@app.command()
def declare(
    title_zh: Annotated[str, typer.Option(help="中文名称 / title in Chinese")],
    title_en: Annotated[str, typer.Option(help="英文名称 / title in English")],
    why: Annotated[str, typer.Option(help="理由,联盟全体可见 / the reason; the alliance reads it")],
    territory: Annotated[
        list[str], typer.Option(help="行政区划代码,可重复 / administrative code, repeatable")
    ],
    theme: Annotated[list[str] | None, typer.Option(help="只限主题,可重复 / only these themes")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="只限数据集,可重复 / only these datasets")] = None,
    days: Annotated[int, typer.Option(min=0, max=30, help="期限:天 / for how many days")] = 0,
    hours: Annotated[int, typer.Option(min=0, max=720, help="期限:小时 / and hours")] = 0,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """宣布紧急状态,最长 30 天,到期自动结束 / declare an emergency of at most 30 days; it ends by itself."""
    life = days * 24 + hours
    if not 1 <= life <= 720:
        raise Usage("say with --days and --hours how long it lasts: from 1 hour to 30 days")
    body = {
        "title": {"zh": title_zh, "en": title_en},
        "why": why,
        "scope": {"territories": territory, "themes": theme or [], "datasets": dataset or []},
        "hours": life,
    }
    answer = control(home, person, Role.ADMINISTRATOR).post(_PATH, body)
    show(answer, as_json=as_json, title="紧急状态已宣布 emergency declared", labels=_LABELS)


@app.command("list")
def list_all(home: ExchangeHome = EXCHANGE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出紧急状态与事后审查 / list emergencies and their reviews."""
    answer = control(home, person, Role.OPERATOR).get(_PATH)
    shown = ("emergency", "state", "title", "declared_by", "over_at", "review_due_at")
    columns = {field: _LABELS[field] for field in shown}
    show_rows(answer["emergencies"], columns, as_json=as_json, title="紧急状态 emergencies")


@app.command("show")
def show_one(
    emergency: Id, home: ExchangeHome = EXCHANGE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """查看一次紧急状态及其间的全部授权 / show one emergency and every grant made under it."""
    answer: dict[str, Any] = control(home, person, Role.OPERATOR).get(f"{_PATH}/{emergency}")
    if as_json:
        print_json(answer)
        return
    grants = answer.pop("grants")
    show(answer, as_json=False, title="紧急状态 emergency", labels=_LABELS)
    columns = {
        "grant": "授权 grant",
        "consumer": "使用方 consumer",
        "provider": "提供方 provider",
        "dataset": "数据集 dataset",
        "release": "批次 release",
        "at": "时间 at",
    }
    show_rows(grants, columns, as_json=False, title="其间的授权 granted under it")


@app.command()
def end(
    emergency: Id,
    why: Annotated[str, typer.Option(help="理由,写入日志的承诺 / the reason; the log commits to it")],
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """提前结束,其间的授权同时失效 / end it early; open grants made under it end too."""
    answer = control(home, person, Role.ADMINISTRATOR).post(f"{_PATH}/{emergency}/end", {"why": why})
    show(answer, as_json=as_json, title="紧急状态已结束 emergency ended", labels=_LABELS)


@app.command()
def review(
    emergency: Id,
    finding: Annotated[
        Literal["justified", "unjustified"], typer.Option(help="结论:正当或不当 / what was found")
    ],
    words: Annotated[str, typer.Option(help="审查意见 / the review in words")],
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """事后审查,由未宣布它的审计人员作出 / judge one that is over; an auditor who did not declare it."""
    body = {"finding": finding, "words": words}
    answer = control(home, person, Role.AUDITOR).post(f"{_PATH}/{emergency}/review", body)
    show(answer, as_json=as_json, title="审查已记录 review recorded", labels=_LABELS)
