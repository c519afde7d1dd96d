"""Try policies: the tests they bring, and both engines against each other."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.errors import Unavailable
from exchange.cli.output import JsonFlag, print_json, progress_bar, say, show, show_rows
from exchange.cli.policy.app import BundlePath, app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.bundle import Bundle
    from policies.engine import EngineOptions
    from policies.trying.compare import Compared, Disagreement
    from policies.trying.golden import Golden

SHOWN = 20

_TESTED = {
    "policy": "策略包 policy",
    "tests": "自带测试 its tests",
    "golden": "基准用例 golden cases",
    "failed": "失败 failed",
}
_COMPARED = {
    "opa": "OPA 服务器 server",
    "seed": "种子 seed",
    "policy": "策略包 policy",
    "opa_policy": "OPA 的策略包 policy of OPA",
    "cases": "问题数 questions",
    "differences": "差异 differences",
    "permits": "准许 permits",
    "denials": "拒绝 denials",
}


class OpaSilent(Unavailable):
    """The OPA server gives no answer that names a policy bundle."""

    code = "opa-silent"
    title_zh = "OPA 服务器没有给出注明策略包的答复"
    next_zh = "确认地址、证书与令牌,并确认 OPA 只加载了一个由 headwaters policy bundle 写出的策略包。"
    next_en = (
        "Check URL, certificates, token, and that OPA runs one bundle, made by headwaters policy bundle."
    )


@app.command("test")
def policy_test(
    bundle: BundlePath = None,
    golden: Annotated[
        Path | None,
        typer.Option(
            "--golden", exists=True, file_okay=False, help="基准用例目录 / a folder of golden cases"
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """检查策略包并运行其测试与基准用例 / check a bundle, run its tests and the golden cases."""
    from policies.embedded import check_bundle, check_distribution  # noqa: PLC0415
    from policies.trying.rego_tests import read_tests, run  # noqa: PLC0415

    check_distribution()
    chosen, folder = _bundle(bundle)
    check_bundle(chosen)
    verdicts = run(chosen, read_tests(folder)) if folder.is_dir() else []
    cases = _golden(golden)
    flips = _judge(chosen, cases)
    failed = [
        *({"name": one.name, "why": one.error or "not true"} for one in verdicts if not one.passed),
        *({"name": one.name, "why": _answers(one)} for one in flips),
    ]
    facts = {"policy": chosen.digest, "tests": len(verdicts), "golden": len(cases), "failed": len(failed)}
    if as_json:
        print_json({**facts, "failures": failed})
    else:
        show(facts, as_json=False, title="策略测试 policy test", labels=_TESTED)
        columns = {"name": "测试 test", "why": "原因 why"}
        if failed:
            show_rows(failed[:SHOWN], columns, as_json=False, title="失败 failed")
    raise typer.Exit(1 if failed else 0)


@app.command()
def compare(
    opa: Annotated[str, typer.Option("--opa", help="OPA 服务器地址 / the OPA server's URL")],
    bundle: BundlePath = None,
    cases: Annotated[
        int, typer.Option("--cases", min=0, help="生成的问题数 / how many made-up questions")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="生成种子 / what they are made from")] = 1,
    ca: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="CA 证书 / PEM authorities of the server")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="客户端证书 / PEM chain to show")
    ] = None,
    client_key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="客户端私钥 / PEM key of it")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="令牌文件 / file with the bearer token")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """同样的问题交给内嵌引擎与 OPA,须完全一致 / ask both engines the same; exit 0 only at no difference."""
    from policies.engine import EngineOptions  # noqa: PLC0415

    chosen, _ = _bundle(bundle)
    options = EngineOptions(ca, certificate, client_key, token_file, deadline_seconds=10.0)
    with progress_bar("比较 compare", as_json=as_json) as advance:
        theirs, found = asyncio.run(_compare(chosen, opa, options, (cases, seed), advance))
    report = {"opa": opa, "seed": seed, "policy": chosen.digest, "opa_policy": theirs, **found.document()}
    _show_comparison(report, as_json=as_json)
    raise typer.Exit(1 if found.differences else 0)


async def _compare(
    chosen: "Bundle", url: str, options: "EngineOptions", made_up: tuple[int, int], told: Any
) -> tuple[str, "Compared"]:  # Any: a function of two numbers
    """Ask both engines; give the digest of the bundle that the server has, and what came of it.

    A server with another bundle is asked one question, whose refusal is the difference.
    """
    from policies.embedded import open_embedded  # noqa: PLC0415
    from policies.engine import PullingEngine, open_engine  # noqa: PLC0415
    from policies.trying.compare import all_cases, compare  # noqa: PLC0415
    from policies.trying.golden import shipped_cases  # noqa: PLC0415

    golden = shipped_cases()
    here, server = open_embedded("", chosen), open_engine(url, chosen, options)
    try:
        theirs = await server.serving() if isinstance(server, PullingEngine) else server.digest
        if theirs is None:
            raise OpaSilent(f"{url} was asked and named no bundle")
        count, seed = made_up
        of = len(golden) + count
        if theirs != chosen.digest:
            golden, count, of = golden[:1], 0, 1
        found = await compare(here, server, all_cases(golden, count, seed), lambda done: told(done, of))
    finally:
        server.close()
        here.close()
    return theirs, found


def _show_comparison(report: dict[str, Any], *, as_json: bool) -> None:  # Any: JSON
    if as_json:
        print_json(report)
        return
    first = report.pop("first_difference")
    show(report, as_json=False, title="引擎比较 engines compared", labels=_COMPARED)
    if report["policy"] != report["opa_policy"]:
        say("✗ OPA 使用的是另一个策略包,未作比较", "OPA serves another bundle; nothing was compared")
    elif first is None:
        say("✓ 全部一致", "every answer is the same")
    if first is not None:
        shown = {name: json.dumps(value, ensure_ascii=False) for name, value in first.items()}
        show(shown, as_json=False, title="第一处差异 first difference (left: embedded, right: OPA)")


def _bundle(path: Path | None) -> tuple["Bundle", Path]:
    """Read the bundle that is meant, and say where it lies."""
    from policies.bundle import read_bundle, shipped_bundle, shipped_folder  # noqa: PLC0415

    if path is None:
        return shipped_bundle(), shipped_folder()
    return read_bundle(path), path


def _golden(folder: Path | None) -> "list[Golden]":
    from policies.trying.golden import read_cases, shipped_cases  # noqa: PLC0415

    return shipped_cases() if folder is None else read_cases(folder)


def _judge(chosen: "Bundle", golden: "Sequence[Golden]") -> "list[Disagreement]":
    from policies.embedded import EmbeddedEngine  # noqa: PLC0415
    from policies.trying.compare import judge  # noqa: PLC0415

    engine = EmbeddedEngine(chosen)
    try:
        return list(judge(engine.decide_now, golden))
    finally:
        engine.close()


def _answers(flip: "Disagreement") -> str:
    return f"{_short(flip.right)} → {_short(flip.left)}"


def _short(answer: Any) -> str:  # Any: a decision's JSON
    """Say an answer in a few words: the outcome, its codes, and the kinds of its obligations."""
    codes = [reason["code"] for reason in answer["reasons"]]
    kinds = [duty["kind"] for duty in answer["obligations"]]
    return " ".join([answer["outcome"], *codes, *kinds])
