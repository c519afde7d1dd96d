"""``headwaters contract impact|deprecate|notices|acknowledge``: leave a version without surprising anyone."""

from typing import Annotated, Any

import typer

from contracts.clock import beijing, parse_rfc3339
from exchange.cli.contract.app import app
from exchange.cli.output import NODE_HOME, JsonFlag, NodeHome, Person, print_json, say, show, show_rows
from nodes.control import ControlClient

ROOM = "/local/versions"
VersionName = Annotated[
    str, typer.Argument(metavar="CONTRACT@VERSION", help="契约@版本 / a contract's version")
]
_NOTICE = {
    "deprecation": "编号 notice",
    "contract": "停用 ends",
    "successor": "改用 then",
    "ends": "期满(北京时间)ends at, UTC+8",
    "passed": "已期满 passed",
    "acknowledged": "已确认 acknowledged",
    "waiting": "待确认 waiting",
    "why": "理由 why",
}
_USERS = {
    "dataset": "数据集 dataset",
    "consumer": "使用方 consumer",
    "purpose": "用途 purpose",
    "fields": "可见字段 fields seen",
    "touched": "受影响字段 fields that lose",
    "acknowledged": "已确认 acknowledged",
}


@app.command()
def impact(
    version: VersionName,
    instead_of: Annotated[
        str | None,
        typer.Option(
            "--instead-of",
            metavar="CONTRACT@VERSION",
            help="被替换的版本;缺省为本节点在用的同一契约各版本 / the version that it replaces",
        ),
    ] = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """改用某版本会影响哪些使用方、哪些字段 / who loses what when this node's datasets move to a version."""
    query = {"successor": version, "instead_of": instead_of}
    found = ControlClient(home, person).get(f"{ROOM}/impact", query)
    if as_json:
        print_json(found)
        return
    if not found["impacts"]:
        say("本节点没有数据集使用该契约的其他版本", "no dataset of this node follows another version of it")
    for each in found["impacts"]:
        _tell_impact(each)


@app.command()
def deprecate(
    version: VersionName,
    successor: Annotated[
        str, typer.Option("--for", metavar="CONTRACT@VERSION", help="改用的版本 / the version to move to")
    ],
    why: Annotated[str, typer.Option(help="理由,随通知签署 / the reason, signed with the notice")],
    days: Annotated[int, typer.Option(min=30, max=1100, help="期限(天)/ how long it runs, in days")] = 90,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """通知订阅方:某契约版本将停用 / give notice that this node's datasets leave a version."""
    body = {"contract": version, "successor": successor, "days": days, "why": why}
    answer = ControlClient(home, person).post(f"{ROOM}/notices", body)
    _show_notice(answer, as_json=as_json)


@app.command()
def notices(home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出停用通知:本节点发出的和待本节点确认的 / notices that this node gave, or is asked to answer."""
    found = ControlClient(home, person).get(f"{ROOM}/notices")["notices"]
    if as_json:
        print_json(found)
        return
    rows = [_readable(each) | {"side": "发出 given" if each["own"] else "收到 received"} for each in found]
    columns = {"side": "方向 side", **{key: _NOTICE[key] for key in _NOTICE if key != "why"}}
    show_rows(rows, columns, as_json=False, title="停用通知 notices")


@app.command()
def acknowledge(
    deprecation: Annotated[
        str, typer.Argument(metavar="NOTICE", help="通知编号,可缩写 / its digest, or the beginning")
    ],
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """确认停用通知,允许提前改用 / agree that the provider may move before the notice has run out."""
    answer = ControlClient(home, person).post(f"{ROOM}/answers", {"deprecation": deprecation})
    _show_notice(answer, as_json=as_json)


def _tell_impact(impact: dict[str, Any]) -> None:
    old, new = impact["contract"], impact["successor"]
    say(
        f"{old['id']} {old['version']} → {new['id']} {new['version']}:{impact['verdict']},{impact['bump']}",
        f"{len(impact['datasets'])} datasets, {len(impact['users'])} subscriptions",
    )
    if impact["whole"]:
        say("另有不限于单个字段的减损,见 contract diff", "something is lost that is about no single field")
    show_rows(impact["users"], _USERS, as_json=False, title="受影响的使用方 users")


def _show_notice(notice: dict[str, Any], *, as_json: bool) -> None:
    show(notice if as_json else _readable(notice), as_json=as_json, title="停用通知 notice", labels=_NOTICE)


def _readable(notice: dict[str, Any]) -> dict[str, Any]:
    shown = {**notice, "ends": beijing(parse_rfc3339(notice["ends_at"]))}
    return {key: shown[key] for key in _NOTICE}
