"""``headwaters contract reviews|approve|refuse``: a person at the exchange judges what no prover could."""

from typing import Annotated, Any

import typer

from contracts.clock import beijing, parse_rfc3339
from contracts.errors import NotFound
from contracts.messages import Role
from exchange.cli.acting import control
from exchange.cli.contract.app import app
from exchange.cli.output import EXCHANGE_HOME, ExchangeHome, JsonFlag, Person, print_json, show, show_rows
from nodes.control import ControlClient

ROOM = "/operator/contract-reviews"
Digest = Annotated[
    str, typer.Argument(help="契约摘要,可缩写 / the contract's digest, or the beginning of it")
]
Why = Annotated[str, typer.Option(help="理由,记入日志的承诺 / the reason, which the log commits to")]
_COLUMNS = {
    "digest": "契约摘要 digest",
    "contract": "契约 contract",
    "version": "版本 version",
    "provider": "提供方 provider",
    "state": "状态 state",
    "settled_by": "认可人 settled by",
    "time": "登记时间(北京时间)asked at, UTC+8",
}


class NoSuchReview(NotFound):
    """No version, or more than one, begins with this digest."""

    code = "no-such-review"
    title_zh = "没有唯一以此摘要开头的待认可版本"
    next_zh = "用 headwaters contract reviews 查看。"
    next_en = "headwaters contract reviews lists them."


@app.command()
def reviews(home: ExchangeHome = EXCHANGE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出无法判定兼容与否的版本 / versions that are neither proved compatible nor refuted."""
    found = control(home, person, Role.ADMINISTRATOR).get(ROOM)["reviews"]
    if as_json:
        print_json(found)
        return
    rows = [{**each, "time": beijing(parse_rfc3339(each["at"]))} for each in found]
    show_rows(rows, _COLUMNS, as_json=False, title="待认可的契约版本 reviews")


@app.command()
def approve(
    digest: Digest,
    why: Why,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """认可该版本兼容 / approve a version as compatible; its provider may then register it."""
    _settle(control(home, person, Role.ADMINISTRATOR), digest, approved=True, why=why, as_json=as_json)


@app.command()
def refuse(
    digest: Digest,
    why: Why,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """不认可该版本 / refuse a version; it needs another text or the next major number."""
    _settle(control(home, person, Role.ADMINISTRATOR), digest, approved=False, why=why, as_json=as_json)


def _settle(client: ControlClient, digest: str, *, approved: bool, why: str, as_json: bool) -> None:
    wanted = digest if digest.startswith("sha256:") else f"sha256:{digest}"
    found: list[dict[str, Any]] = client.get(ROOM)["reviews"]
    named = [each["digest"] for each in found if each["digest"].startswith(wanted)]
    if len(named) != 1:
        raise NoSuchReview(f"{len(named)} versions begin with {digest[:80]!r}")
    answer = client.post(ROOM, {"digest": named[0], "approved": approved, "why": why})
    shown = {key: answer[key] for key in ("digest", "contract", "version", "state", "settled_by", "why")}
    show(shown, as_json=as_json, title="已认可 approved" if approved else "未认可 refused")
