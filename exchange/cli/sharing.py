"""The daily work of a node: declare, publish, search, apply, agree, subscribe, pull, and look at rejects."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from contracts.clock import rfc3339
from contracts.errors import Usage
from contracts.messages import Sharing
from exchange.cli.output import NODE_HOME, JsonFlag, NodeHome, Person, follow, say, show, show_rows
from nodes.control import ControlClient

dataset_app = typer.Typer(no_args_is_help=True)
catalog_app = typer.Typer(no_args_is_help=True)
agreement_app = typer.Typer(no_args_is_help=True)


@dataset_app.command("declare")
def declare(
    dataset: str,
    contract: Annotated[str, typer.Option(help="已登记的契约 / a registered contract")],
    title_zh: Annotated[str, typer.Option()],
    title_en: Annotated[str, typer.Option()],
    place: Annotated[str, typer.Option(help="数据真实地点 / the data's true place")],
    sharing: Annotated[Sharing, typer.Option(help="共享类型 / sharing class")],
    basis: Annotated[str, typer.Option(help="共享依据、条件或不予共享的理由 / basis, conditions or reason")],
    classification: Annotated[int, typer.Option(min=1, max=4, help="分级 1 公开 … 4 核心")] = 1,
    purpose: Annotated[list[str] | None, typer.Option(help="用途,可重复;缺省为任何用途")] = None,
    purpose_field: Annotated[
        list[str] | None, typer.Option(help="用途:字段,字段… / purpose:field,field… that this purpose sees")
    ] = None,
    frequency: Annotated[str, typer.Option(help="更新频率 / update frequency")] = "as published",
    synthetic: Annotated[bool, typer.Option(help="合成数据 / synthetic data")] = False,
    terms: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="JSON 文件:conditions、duties、emergency / what users are held to",
        ),
    ] = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """登记数据集 / declare a dataset in the catalogue."""
    body = {
        "dataset": dataset,
        "contract": contract,
        "title": {"zh": title_zh, "en": title_en},
        "place": place,
        "sharing": sharing.value,
        "sharing_basis": basis,
        "classification": classification,
        "purposes": purpose or [],
        "purpose_fields": [_purpose_fields(text) for text in purpose_field or []],
        "update_frequency": frequency,
        "synthetic": synthetic,
        **({} if terms is None else _terms(terms)),
    }
    answer = ControlClient(home, person).post("/local/datasets", body)
    show(answer, as_json=as_json, title="数据集已登记 dataset declared")


def _terms(path: Path) -> dict[str, Any]:
    try:
        words = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise Usage(f"{path.name} is not JSON: {error.msg}") from error
    if not isinstance(words, dict) or not words.keys() <= {"conditions", "duties", "emergency"}:
        raise Usage(f"{path.name} is no object of conditions, duties and emergency")
    return words


def _purpose_fields(text: str) -> dict[str, Any]:
    purpose, _, fields = text.partition(":")
    return {"purpose": purpose, "fields": [field for field in fields.split(",") if field]}


def publish(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    dataset: Annotated[str, typer.Option(help="数据集编号 / dataset id")],
    corrects: Annotated[
        int | None, typer.Option(min=1, help="所更正的批次 / the earlier release that this one replaces")
    ] = None,
    objection: Annotated[
        list[str] | None, typer.Option(help="随之办结的已核实异议,可重复 / verified objections it settles")
    ] = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """按契约逐行校验并发布 / validate row by row and publish a release."""
    if objection and corrects is None:
        raise Usage("say with --corrects which release is replaced")
    body = {
        "path": str(file.resolve()),
        "dataset": dataset,
        "corrects": corrects,
        "objections": objection or [],
    }
    lines = ControlClient(home, person).stream_ndjson("/local/publish", body)
    show(follow(lines, file.name, as_json=as_json), as_json=as_json, title="已发布 published")


@catalog_app.command("search")
def catalog_search(
    words: Annotated[str, typer.Argument()] = "",
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """在联盟目录中查找数据集 / search the alliance's catalogue."""
    answer = ControlClient(home, person).get("/local/catalog", {"q": words})
    columns = {
        "dataset": "数据集 dataset",
        "title": "名称 title",
        "provider_name": "提供方 provider",
        "sharing": "共享 sharing",
        "rows_published": "行数 rows",
    }
    show_rows(answer["datasets"], columns, as_json=as_json, title="目录 catalogue")


@catalog_app.command("show")
def catalog_show(
    dataset: str, home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """查看一个数据集的登记信息 / show one dataset's signed record."""
    answer = ControlClient(home, person).get(f"/local/catalog/{dataset}")
    if as_json:
        show(answer, as_json=True, title=dataset)
        return
    found = answer.pop("quality")
    show(answer, as_json=False, title=dataset)
    if found is None:
        say("最新批次未经质量检查", "the newest release was not examined for quality")
        return
    share = f"{found['releases_with_findings']}/{found['releases_examined']}"
    say(f"质量:批次 {found['release']};有发现的批次 {share}", "releases with findings, of those examined")
    columns = {
        "rule": "规则 rule",
        "kind": "类别 kind",
        "severity": "级别 severity",
        "records": "记录 records",
    }
    show_rows(found["findings"], columns, as_json=False, title="发现 findings")


def apply(
    dataset: str,
    purpose: Annotated[str, typer.Option(help="用途 / purpose, a short name")],
    basis: Annotated[str, typer.Option(help="申请依据 / legal or duty basis")],
    scenario: Annotated[str, typer.Option(help="使用场景 / scenario")],
    scope: Annotated[str, typer.Option(help="使用范围 / scope")] = "本单位内部使用 internal use",
    days: Annotated[int, typer.Option(min=1, max=1096, help="使用期限(天)/ time limit in days")] = 365,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """申请使用数据集 / apply to use a dataset."""
    body = {
        "dataset": dataset,
        "purpose": purpose,
        "basis": basis,
        "scenario": scenario,
        "scope": scope,
        "until": rfc3339(datetime.now(UTC) + timedelta(days=days)),
    }
    answer = ControlClient(home, person).post("/local/applications", body)
    show(answer, as_json=as_json, title="共享申请 application")


@agreement_app.command("list")
def agreement_list(home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出申请与协议 / list applications and agreements."""
    answer = ControlClient(home, person).get("/local/applications")
    columns = {
        "application": "申请 application",
        "state": "状态 state",
        "dataset": "数据集 dataset",
        "purpose": "用途 purpose",
        "role": "角色 role",
        "agreement": "协议 agreement",
    }
    show_rows(answer["applications"], columns, as_json=as_json, title="申请与协议 applications")


@agreement_app.command("approve")
def agreement_approve(
    application: str, home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """同意一项待审申请 / approve an application that is held for a person."""
    answer = ControlClient(home, person).post(f"/local/applications/{application}/approve", {})
    show(answer, as_json=as_json, title="已同意 approved")


@agreement_app.command("refuse")
def agreement_refuse(
    application: str,
    reason_zh: Annotated[str, typer.Option()],
    reason_en: Annotated[str, typer.Option()],
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """拒绝并说明理由 / refuse an application and say why."""
    body = {"reasons": [{"zh": reason_zh, "en": reason_en}]}
    answer = ControlClient(home, person).post(f"/local/applications/{application}/refuse", body)
    show(answer, as_json=as_json, title="已拒绝 refused")


def subscribe(
    dataset: str, home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """订阅数据集 / subscribe to a dataset under an agreement."""
    answer = ControlClient(home, person).post("/local/subscriptions", {"dataset": dataset})
    show(answer, as_json=as_json, title="已订阅 subscribed")


def pull(
    dataset: str,
    since: Annotated[
        int | None, typer.Option(help="游标:只取此后的批次 / cursor: releases after this")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="另存目录 / copy the files to this folder")] = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """按游标接收新批次 / receive the releases after the cursor."""
    body = {"dataset": dataset, "since": since, "to": str(to.resolve()) if to else None}
    lines = ControlClient(home, person).stream_ndjson("/local/pull", body)
    result = follow(lines, dataset, as_json=as_json)
    if as_json:
        show(result, as_json=True, title="")
        return
    columns = {
        "release": "批次 release",
        "rows": "行 rows",
        "redacted": "已遮蔽 redacted",
        "path": "文件 file",
    }
    show_rows(result.get("files", []), columns, as_json=False, title=f"已接收 received {dataset}")
