"""``headwaters policy explain``, ``who-can`` and ``decisions``: why, who could, and what was decided.

They ask the running exchange, as an auditor or an administrator; ``explain --question`` needs none.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
import typer

from contracts.clock import beijing, epoch_ms, parse_rfc3339
from contracts.errors import Usage
from contracts.messages import Role
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
from exchange.cli.policy.app import app
from exchange.cli.policy.telling import tell_explanation
from nodes.control import ControlClient

_OUTCOMES: Final = {"permit": "✓ 可以 yes", "deny": "✗ 不可 no", "indeterminate": "! 未决 undecided"}
_MAX_QUESTION_BYTES: Final = 4 * 1024 * 1024

# What the exchange answered: JSON whose shape its route fixes.
Row = dict[str, Any]


@app.command()
def explain(
    decision: Annotated[str | None, typer.Argument(help="决定编号 / the decision's id, c-…")] = None,
    question: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="问题文件,在本机解答 / a question to ask here"),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--bundle", exists=True, help="与 --question 同用的策略包 / the bundle for --question"),
    ] = None,
    depth: Annotated[int, typer.Option(min=0, max=50, help="展开规则的层数 / how deep to follow rules")] = 2,
    lines: Annotated[bool, typer.Option("--lines", help="逐行显示执行情况 / show which lines ran")] = False,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """说明一项决定的理由、事实与执行的策略行 / why: the rules, the facts, and the lines that ran."""
    if (decision is None) == (question is None):
        raise Usage("name a decision, or a file with --question")
    if source is not None and question is None:
        raise Usage("--bundle goes with --question; a decision is explained by the bundle that made it")
    if question is not None:
        told = _explained_here(question, source)
    else:
        told = control(home, person, Role.AUDITOR).get(f"/operator/policy/decisions/{decision}")
    if as_json:
        print_json(told)
        return
    if (recorded := told.get("recorded")) is not None:
        show(_shown(recorded), as_json=False, title="决定 decision")
    if not told["agrees"]:
        say("! 同一策略现在对同一问题的答复与记录不同", "the same policy answers otherwise than is recorded")
    tell_explanation(told["explanation"], depth=depth, with_lines=lines)


@app.command("who-can")
def who_can(
    dataset: Annotated[str, typer.Argument(help="数据集 / dataset")],
    purpose: Annotated[str | None, typer.Option(help="用途,缺省为全部 / one purpose; default: all")] = None,
    at: Annotated[str | None, typer.Option(help="假设的时间(UTC+8)/ suppose this moment")] = None,
    address: Annotated[str | None, typer.Option(help="假设的来源地址 / suppose this IP address")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="也列出不可者 / those who cannot, too")] = False,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """谁可以申请、谁现在可以接收,理由及隐藏内容 / who could use a dataset, why, what is hidden."""
    from exchange.reports.days import parse_since  # noqa: PLC0415

    supposed = {"dataset": dataset, "purpose": purpose, "address": address}
    if at is not None:
        supposed["at"] = str(epoch_ms(parse_since(at)))
    client = control(home, person, Role.AUDITOR)
    receive = _review(client, {**supposed, "action": "transfer"})
    apply = _review(client, {**supposed, "action": "apply"})
    if as_json:
        print_json({**_head(receive), "can_receive": receive["rows"], "could_apply": apply["rows"]})
        return
    show(_head(receive), as_json=False, title="数据集 dataset")
    _show_review(receive, everyone, "依现有协议现在可接收 can receive now, under an agreement")
    _show_review(apply, everyone, "可以提出申请 could apply")


@app.command()
def decisions(
    participant: Annotated[str | None, typer.Option(help="参与方编号 / participant's id")] = None,
    dataset: Annotated[str | None, typer.Option(help="数据集 / dataset")] = None,
    outcome: Annotated[
        Literal["permit", "deny", "indeterminate"] | None, typer.Option(help="结论 / outcome")
    ] = None,
    since: Annotated[str | None, typer.Option(help="起:日期或时间(UTC+8)/ a day or time in UTC+8")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="最多条数 / at most")] = 50,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """列出保存的决定,新的在前 / list the decisions that are kept, newest first."""
    from exchange.reports.days import parse_since  # noqa: PLC0415

    query = {
        "participant": participant,
        "dataset": dataset,
        "outcome": outcome,
        "since": None if since is None else epoch_ms(parse_since(since)),
        "limit": limit,
    }
    found = control(home, person, Role.AUDITOR).get("/operator/policy/decisions", query)["decisions"]
    if as_json:
        print_json(found)
        return
    columns = {
        "decision": "决定 decision",
        "at": "时间 UTC+8",
        "who": "参与方 who",
        "what": "事项 what",
        "outcome": "结论 outcome",
        "codes": "理由 reasons",
    }
    rows = [
        _shown(row)
        | {
            "what": f"{row['action']} {row['dataset']} ({row['purpose']})",
            "codes": [reason["code"] for reason in row["reasons"]],
        }
        for row in found
    ]
    show_rows(rows, columns, as_json=False, title="决定 decisions")


def _explained_here(file: Path, source: Path | None) -> Row:
    """Explain a question from a file, or the one inside what ``explain --json`` wrote."""
    from policies.bundle import read_bundle, shipped_bundle  # noqa: PLC0415
    from policies.decision import Question  # noqa: PLC0415
    from policies.embedded import check_bundle  # noqa: PLC0415
    from policies.explain import explain_decision  # noqa: PLC0415

    if file.stat().st_size > _MAX_QUESTION_BYTES:
        raise Usage(f"{file.name} is larger than any question")
    try:
        document = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise Usage(f"{file.name} is not JSON") from error
    if isinstance(document, dict) and "question" in document:
        document = document["question"]
    if not isinstance(document, dict):
        raise Usage(f"{file.name} holds no question")
    asked = Question.read(document)
    bundle = shipped_bundle() if source is None else read_bundle(source)
    check_bundle(bundle)
    return {"agrees": True, "explanation": explain_decision(bundle, asked).document(), "question": document}


def _review(client: ControlClient, query: dict[str, str | None]) -> Row:
    """Fetch every page of a review."""
    page: Row = client.get("/operator/policy/who-can", query)
    rows: list[Row] = page["rows"]
    while page["next"]:
        page = client.get("/operator/policy/who-can", {**query, "page": page["next"]})
        rows += page["rows"]
    return {**page, "rows": rows}


def _head(review: Row) -> Row:
    return {key: review[key] for key in ("dataset", "provider", "record", "policy")}


def _show_review(review: Row, everyone: bool, title: str) -> None:
    columns = {
        "who": "参与方 participant",
        "purpose": "用途 purpose",
        "agreement": "协议 agreement",
        "answer": "结论 answer",
        "why": "理由 why",
        "hides": "限制 limits (--json: in full)",
    }
    rows = [
        {
            **row,
            "who": f"{row['name']['zh']} {row['participant']}",
            "answer": _OUTCOMES[row["outcome"]],
            "why": row["reasons"],
            "hides": _brief(row),
        }
        for row in review["rows"]
    ]
    permitted = [row for row in rows if row["outcome"] == "permit"]
    show_rows(rows if everyone else permitted, columns, as_json=False, title=title)
    others = [row for row in rows if row["outcome"] != "permit"]
    if others and not everyone:
        counted = Counter(reason["code"] for row in others for reason in row["reasons"])
        said = ", ".join(f"{code} ×{count}" for code, count in counted.most_common())
        say(f"另有 {len(others)} 种情形不可:{said}", "others cannot; --all lists them")


def _shown(recorded: Row) -> Row:
    """Show a decision's time as people read it, and who it is about."""
    name = recorded.get("name")
    who = recorded["participant"] if name is None else f"{name['zh']} {recorded['participant']}"
    shown = {key: value for key, value in recorded.items() if key not in {"name", "obligations"}}
    return shown | {
        "who": who,
        "at": beijing(parse_rfc3339(recorded["at"])),
        "outcome": _OUTCOMES[recorded["outcome"]],
    }


def _brief(row: Row) -> str:
    """Say in a line what a permit limits; the fields by their number, as a record has many."""
    hidden, found = row["hidden"], []
    if hidden["redacted"]:
        found.append(f"隐去 {len(hidden['redacted'])} 字段 fields gone")
    if hidden["masked"]:
        found.append(f"脱敏 {len(hidden['masked'])} masked")
    if hidden["rows"]:
        found.append(f"仅限 rows: {hidden['rows']}")
    told = {"redact", "mask", "row-filter", "purpose-binding"}
    found += [duty["kind"] for duty in row["obligations"] if duty["kind"] not in told]
    return "\n".join(found)
