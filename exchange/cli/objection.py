"""``headwaters objection``: object to what was received, and answer what others object to (数据校核)."""

from datetime import timedelta
from typing import Annotated, Any

import orjson
import typer

from contracts.clock import beijing, parse_rfc3339
from contracts.errors import Usage
from contracts.messages import Fault, ObjectionState, Role
from exchange.cli.acting import control
from exchange.cli.output import (
    EXCHANGE_HOME,
    NODE_HOME,
    ExchangeHome,
    JsonFlag,
    NodeHome,
    Person,
    out,
    print_json,
    say,
    show,
    show_rows,
)
from nodes.control import ControlClient

app = typer.Typer(no_args_is_help=True)

_PATH = "/local/objections"

Id = Annotated[str, typer.Argument(help="异议编号 / the objection's id, o-…")]
Words = Annotated[
    str | None, typer.Option("--words", help="说明,密封给对方 / words, sealed for the other side")
]
_LABELS = {
    "objection": "编号 id",
    "state": "状态 state",
    "role": "本方 this node",
    "about": "数据集 #批次 dataset #release",
    "fault": "问题 fault",
    "records": "所涉记录 records",
    "objector": "异议方 objector",
    "provider": "提供方 provider",
    "raised_at": "提出时间 raised, UTC+8",
    "due_at": "法定期限,至当日终 due by the end of",
    "guessed_years": "无节假日安排的年份 years counted by weekends",
    "correction": "更正批次 corrected by",
    "closed_why": "办结原因 closed because",
    "sent": "已送达 sent",
    "words": "说明 words",
    "readable": "内容可读 readable",
}
_STATES = {
    "open": "待受理 open",
    "acknowledged": "已受理 acknowledged",
    "verified": "已核实 verified",
    "rejected": "已驳回 rejected",
    "corrected": "已更正 corrected",
    "withdrawn": "已撤回 withdrawn",
    "closed": "已办结 closed",
}
_STEPS = {
    "acknowledge": "受理 acknowledge",
    "verify": "核实 verify",
    "reject": "驳回 reject",
    "withdraw": "撤回 withdraw",
    "close": "办结 close",
}
_ROLES = {"provider": "提供方 provider", "consumer": "异议方 objector"}


@app.command("open")
def open_one(
    dataset: Annotated[str, typer.Argument(help="数据集编号 / dataset id")],
    release: Annotated[int, typer.Option(min=1, help="批次编号 / the received release")],
    fault: Annotated[Fault, typer.Option(help="问题类别 / what kind of fault")],
    words: Annotated[str, typer.Option(help="说明,密封给提供方 / what is wrong, sealed for the provider")],
    record: Annotated[
        list[str] | None,
        typer.Option(
            help="行[:/字段[=期望值]],可重复;缺省为整个批次 / ROW[:/FIELD[=EXPECTED]], repeatable; "
            "without any, the whole release"
        ),
    ] = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """对收到的数据提出异议 / object to what was received."""
    body = {
        "dataset": dataset,
        "release": release,
        "fault": fault.value,
        "words": words,
        "records": [_record(text) for text in record or []],
    }
    answer = ControlClient(home, person).post(_PATH, body)
    _tell(answer, as_json=as_json, title="异议已提出 objection raised")


@app.command("list")
def list_all(
    state: Annotated[ObjectionState | None, typer.Option(help="只列该状态 / only in this state")] = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """列出提出与收到的异议 / list objections, made and received, with their legal terms."""
    query = {} if state is None else {"state": state.value}
    answer = ControlClient(home, person).get(_PATH, query)
    rows = answer["objections"]
    if as_json:
        print_json(rows)
        return
    columns = {
        "objection": "编号 id",
        "state": "状态 state",
        "role": "本方 side",
        "about": "数据集 dataset",
        "fault": "问题 fault",
        "due_at": "期限 due",
        "correction": "更正 by",
    }
    show_rows([_narrow(row) for row in rows], columns, as_json=False, title="数据异议 objections")
    _say_guessed(rows)
    if not answer["fresh"]:
        say(
            "交换中心没有应答,以上为本节点已知的状态",
            "the exchange does not answer; this is what is known here",
        )


@app.command("show")
def show_one(
    objection: Id, home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """查看异议、每一步与更正送达情况 / show one: what is disputed, each step, whom a correction reached."""
    answer: dict[str, Any] = ControlClient(home, person).get(f"{_PATH}/{objection}")
    if as_json:
        print_json(answer)
        return
    disputed, steps, recipients = answer.pop("disputed"), answer.pop("steps"), answer.pop("recipients")
    _tell(answer, as_json=False, title="数据异议 objection")
    if disputed:
        columns = {
            "row": "行 row",
            "pointer": "字段 field",
            "found": "所收到的值 as received",
            "expected": "应为 expected",
            "as_delivered": "与交付一致 as delivered",
        }
        show_rows(disputed, columns, as_json=False, title="所涉记录 disputed records")
    columns = {
        "number": "步 no.",
        "step": "步骤 step",
        "by": "由 by",
        "at": "时间 UTC+8",
        "words": "说明 words",
    }
    named = [{**step, "step": _STEPS[step["step"]], "at": _moment(step["at"])} for step in steps]
    show_rows(named, columns, as_json=False, title="办理过程 steps")
    if recipients is not None:
        _show_recipients(recipients)


@app.command()
def acknowledge(
    objection: Id,
    words: Words = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """受理异议(提供方) / acknowledge an objection, as its provider."""
    answer = ControlClient(home, person).post(f"{_PATH}/{objection}/acknowledge", {"words": words})
    _tell(answer, as_json=as_json, title="已受理 acknowledged")


@app.command()
def verify(
    objection: Id,
    words: Words = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """核实问题属实,随后发布更正(提供方) / say that the fault is real; then publish the correction."""
    answer = ControlClient(home, person).post(f"{_PATH}/{objection}/verify", {"words": words})
    _tell(answer, as_json=as_json, title="已核实 verified")
    if not as_json:
        again = f"headwaters publish FILE --dataset {answer['dataset']} --corrects {answer['release']}"
        out.print(f"[dim]→ {again} --objection {objection}[/dim]")


@app.command()
def reject(
    objection: Id,
    words: Annotated[str, typer.Option(help="驳回理由,密封给异议方 / the reasons, sealed for the objector")],
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """驳回异议并说明理由(提供方) / reject an objection with reasons, as its provider."""
    answer = ControlClient(home, person).post(f"{_PATH}/{objection}/reject", {"words": words})
    _tell(answer, as_json=as_json, title="已驳回 rejected")


@app.command()
def withdraw(
    objection: Id,
    words: Words = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """撤回异议,限核实之前(异议方) / withdraw an objection before it is verified, as its objector."""
    answer = ControlClient(home, person).post(f"{_PATH}/{objection}/withdraw", {"words": words})
    _tell(answer, as_json=as_json, title="已撤回 withdrawn")


@app.command()
def close(
    objection: Id,
    words: Words = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """认可答复,办结异议(异议方) / say that the answer settles the objection, as its objector."""
    answer = ControlClient(home, person).post(f"{_PATH}/{objection}/close", {"words": words})
    _tell(answer, as_json=as_json, title="已办结 closed")


@app.command()
def reach(
    dataset: Annotated[str, typer.Argument(help="数据集编号 / dataset id")],
    release: Annotated[int, typer.Option(min=1, help="更正批次编号 / the correcting release")],
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """查看更正送达了哪些先前接收方 / list the earlier recipients that a correction has reached, or not."""
    path = f"/local/datasets/{dataset}/releases/{release}/recipients"
    recipients = ControlClient(home, person).get(path)["recipients"]
    if as_json:
        print_json(recipients)
        return
    _show_recipients(recipients)


def overview(home: ExchangeHome = EXCHANGE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出全联盟异议的法定期限 / list objections and their legal terms; nothing of the data is shown."""
    rows = control(home, person, Role.OPERATOR).get("/operator/objections")["objections"]
    if as_json:
        print_json(rows)
        return
    columns = {
        "objection": "编号 id",
        "state": "状态 state",
        "objector": "异议方 objector",
        "provider": "提供方 provider",
        "due_at": "期限 due",
        "answered_at": "答复 answered, UTC+8",
    }
    named = [
        {
            **row,
            "state": _STATES[row["state"]],
            "due_at": _due(row),
            "answered_at": row["answered_at"] and _moment(row["answered_at"]),
        }
        for row in rows
    ]
    show_rows(named, columns, as_json=False, title="数据异议 objections")
    _say_guessed(rows)


def _show_recipients(recipients: list[dict[str, Any]]) -> None:
    columns = {
        "participant": "接收方 recipient",
        "release": "曾收批次 had release",
        "told_at": "已告知 told at, UTC+8",
        "received": "已收更正 holds the correction",
    }
    named = [{**one, "told_at": one["told_at"] and _moment(one["told_at"])} for one in recipients]
    show_rows(named, columns, as_json=False, title="更正送达 reached")
    waiting = sum(not one["received"] for one in recipients)
    if waiting:
        say(
            f"{waiting} 个先前接收方尚未收到更正",
            f"{waiting} earlier recipients do not hold the correction yet",
        )


def _tell(answer: dict[str, Any], *, as_json: bool, title: str) -> None:
    if as_json:
        print_json(answer)
        return
    named = _named(answer)
    labels = {field: words for field, words in _LABELS.items() if named.get(field) not in (None, [])}
    show({field: named[field] for field in labels}, as_json=False, title=title, labels=labels)
    _say_guessed([answer])


def _named(row: dict[str, Any]) -> dict[str, Any]:
    whole = row["records"] == 0
    return {
        **row,
        "state": _STATES[row["state"]],
        "role": _ROLES[row["role"]],
        "records": "整个批次 the whole release" if whole else row["records"],
        "about": f"{row['dataset']} #{row['release']}",
        "raised_at": _moment(row["raised_at"]),
        "due_at": _due(row),
    }


def _narrow(row: dict[str, Any]) -> dict[str, Any]:
    """Name a row with Chinese above English, so that an id is never broken on a narrow terminal."""
    named = _named(row)
    return {**named, **{field: named[field].replace(" ", "\n", 1) for field in ("state", "role", "about")}}


def _moment(text: str) -> str:
    return beijing(parse_rfc3339(text))


def _due(row: dict[str, Any]) -> str | None:
    """Show the last day of the term in UTC+8, and whether it has passed without an answer."""
    if row["due_at"] is None:
        return None
    last = beijing(parse_rfc3339(row["due_at"]) - timedelta(milliseconds=1))[:10]
    return f"{last} 逾期 overdue" if row["overdue"] else last


def _say_guessed(rows: list[dict[str, Any]]) -> None:
    years = sorted({year for row in rows for year in row["guessed_years"]})
    if years:
        named = ", ".join(map(str, years))
        say(
            f"交换中心没有 {named} 年的节假日安排,期限仅按周末推算",
            f"the exchange has no arrangement of holidays for {named}: terms are counted by weekends alone",
        )


def _record(text: str) -> dict[str, Any]:
    """Read ROW[:/FIELD[=EXPECTED]]; what is expected is JSON, or text."""
    row, _, rest = text.partition(":")
    pointer, given, expected = rest.partition("=")
    if not row.isascii() or not row.isdigit() or int(row) < 1:
        raise Usage(f"{text[:80]!r} is not ROW[:/FIELD[=EXPECTED]]")
    record: dict[str, Any] = {"row": int(row), "pointer": pointer}
    if given:
        record["expected"] = _json_text(expected)
    return record


def _json_text(text: str) -> str:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.dumps(text).decode()
    return text
