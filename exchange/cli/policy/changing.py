"""Change the policy in force: propose, look, approve, go back; two people with two keys.

What is signed is signed here, with the person's own key, and only after the bundle's files were fetched and
its digest was computed on this side.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.clock import beijing, parse_rfc3339
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
from nodes.control import ControlClient

STANDING = "/operator/policy"
_REPLAY_SECONDS = 600.0
_REPLAYED = {
    "before": "现行 in force",
    "after": "新策略 new",
    "asked": "重答 asked",
    "same": "相同 same",
    "permitted": "由拒变准 would be permitted",
    "weakened": "隐藏变少 would hide less",
    "refused": "由准变拒 would be refused",
    "tightened": "隐藏变多 would hide more",
    "reasons": "仅理由不同 other reasons only",
    "widens": "放宽 widens",
    "unreadable": "无法重答 not readable",
}

Why = Annotated[str, typer.Option(help="理由,随提案签署 / the reason, signed with the proposal")]
Widens = Annotated[
    bool,
    typer.Option("--widens", help="确认放宽是本意 / more than before may be permitted, and that is meant"),
]
Digest = Annotated[str, typer.Argument(help="策略包摘要,可缩写 / the bundle's digest, or its beginning")]


@app.command("list")
def list_policies(
    home: ExchangeHome = EXCHANGE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """现行策略、待批提案、历次变更 / the policy in force, what waits, what was before."""
    _show(control(home, person, Role.OPERATOR).get(STANDING), as_json=as_json)


@app.command("show")
def show_policy(
    digest: Digest,
    to: Annotated[
        Path | None,
        typer.Option("--to", file_okay=False, help="写出全部文件 / write the files to this folder"),
    ] = None,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """查看策略包文件,批准前应先看 / a bundle's files; look at them before you approve."""
    client = control(home, person, Role.OPERATOR)
    whole = _resolve(client.get(STANDING), digest)
    files = _files(client, whole)
    if to is not None:
        for path, text in files.items():
            place = to / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        show({"policy": whole, "to": str(to), "files": len(files)}, as_json=as_json, title="策略包 bundle")
        return
    if as_json:
        print_json({"policy": whole, "files": files})
        return
    for path, text in files.items():
        say(f"── {path}", "")
        typer.echo(text)


@app.command()
def seal(
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="策略目录 / a bundle's folder")
    ],
    as_json: JsonFlag = False,
) -> None:
    """编辑策略后重写清单,给出摘要 / write the manifest that fits the files after an edit."""
    from policies.bundle import read_bundle  # noqa: PLC0415
    from policies.bundle import seal as write_manifest  # noqa: PLC0415

    write_manifest(folder)
    sealed = read_bundle(folder)
    show({"policy": sealed.digest, "files": len(sealed.sources)}, as_json=as_json, title="已封装 sealed")


@app.command()
def propose(
    bundle: Annotated[
        Path | None,
        typer.Argument(exists=True, help="策略目录或 .tar.gz / a folder or an archive"),
    ] = None,
    why: Why = "",
    widens: Widens = False,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="随软件附带的策略 / the one in the software")
    ] = False,
    public: Annotated[
        Path | None,
        typer.Option("--public", exists=True, dir_okay=False, help="作者的公钥 / the author's public key"),
    ] = None,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """提议新策略;须由另一人批准才生效 / propose another policy; it waits for a second person."""
    from policies.bundle import shipped_bundle  # noqa: PLC0415
    from policies.opa.signing import read_contributed  # noqa: PLC0415

    if (bundle is None) != shipped:
        raise Usage("name a bundle, or say --shipped")
    chosen = shipped_bundle() if bundle is None else read_contributed(bundle, public)
    sources = {path: raw.decode() for path, raw in chosen.sources.items()}
    tests = _tests(bundle) if bundle is not None and bundle.is_dir() else {}
    _propose(home, person, chosen.digest, why=why, widens=widens, files=(sources, tests), as_json=as_json)


@app.command()
def rollback(
    digest: Annotated[str | None, typer.Argument(help="缺省为上一个策略 / default: the one before")] = None,
    why: Why = "",
    widens: Widens = False,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """提议恢复先前的策略(最近十个);同样须另一人批准 / propose one of the last ten that were in force."""
    standing = control(home, person, Role.ADMINISTRATOR).get(STANDING)
    former = standing["rollback"]
    if not former:
        raise Usage("no other policy was ever in force here")
    whole = former[0] if digest is None else _one_of(former, digest)
    _propose(home, person, whole, why=why, widens=widens, files=None, as_json=as_json)


@app.command()
def approve(
    digest: Digest,
    widens: Widens = False,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """第二人批准提案,策略即刻生效 / approve another person's proposal; it decides from then on."""
    from contracts.messages import PolicyApproval  # noqa: PLC0415

    client = control(home, person, Role.OPERATOR)
    standing = client.get(STANDING)
    waiting = {one["policy"]: one for one in standing["open"]}
    whole = _one_of(list(waiting), digest)
    _files(client, whole)
    statement = {
        **_head(standing, person or Role.OPERATOR.value, widens=widens),
        "proposal": waiting[whole]["proposal"],
        "bundle": whole,
    }
    envelope = _signed(home, person or Role.OPERATOR.value, PolicyApproval, statement)
    answer = client.post(f"{STANDING}/proposals/{whole}/approval", {"envelope": envelope})
    _show(answer, as_json=as_json)


@app.command()
def reject(
    digest: Digest, home: ExchangeHome = EXCHANGE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """拒绝或撤回提案 / close a proposal without effect, one's own too."""
    client = control(home, person, Role.OPERATOR)
    whole = _one_of([one["policy"] for one in client.get(STANDING)["open"]], digest)
    _show(client.post(f"{STANDING}/proposals/{whole}/rejection"), as_json=as_json)


@app.command()
def shadow(
    digest: Annotated[str | None, typer.Argument(help="策略包摘要 / the bundle's digest")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="停止影子运行 / stop")] = False,
    home: ExchangeHome = EXCHANGE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """候选策略并行试答,只计数不生效 / ask a candidate beside the one in force; only counted."""
    if (digest is None) != stop:
        raise Usage("name a bundle, or say --stop")
    client = control(home, person, Role.OPERATOR)
    whole = None if digest is None else _resolve(client.get(STANDING), digest)
    _show(client.post(f"{STANDING}/shadow", {"policy": whole}), as_json=as_json)


@app.command()
def replay(
    bundle: Annotated[Path, typer.Option("--bundle", exists=True, help="新策略 / the new bundle")],
    last: Annotated[int, typer.Option(min=1, max=1_000_000, help="最近多少次决定 / how many")] = 1000,
    home: ExchangeHome = EXCHANGE_HOME,
    as_json: JsonFlag = False,
) -> None:
    """用新策略重答最近的决定;有放宽则退出码 1 / what the last decisions would be; exit 1 when it widens."""
    from exchange.log.home import open_home  # noqa: PLC0415
    from exchange.policies.flow import asked_last  # noqa: PLC0415
    from exchange.policies.starting import bundle_at_start  # noqa: PLC0415
    from policies.bundle import read_bundle  # noqa: PLC0415
    from policies.trying.vetting import replay_apart  # noqa: PLC0415

    after = read_bundle(bundle)
    with open_home(home) as (settings, database), database.read() as session:
        before = bundle_at_start(session, settings.policy_url)
        asked = asked_last(session, last)
    report = replay_apart(before, after, asked, _REPLAY_SECONDS)
    found = {"before": before.digest, "after": after.digest, **report}
    samples = found.pop("samples")
    if as_json:
        print_json({**found, "samples": samples})
    else:
        show(found, as_json=False, title="策略回放 replay", labels=_REPLAYED)
        columns = {
            "decision": "决定 decision",
            "difference": "变化 difference",
            "dataset": "数据集 dataset",
            "purpose": "用途 purpose",
            "before": "原 before",
            "after": "新 after",
        }
        show_rows(samples, columns, as_json=False, title="样例 samples")
    if report["widens"]:
        raise typer.Exit(1)


def _propose(
    home: Path,
    person: str | None,
    digest: str,
    *,
    why: str,
    widens: bool,
    files: tuple[dict[str, str], dict[str, str]] | None,
    as_json: bool,
) -> None:
    from contracts.messages import PolicyProposal  # noqa: PLC0415

    if not why:
        raise Usage("say why: --why")
    name = person or Role.ADMINISTRATOR.value
    client = control(home, person, Role.ADMINISTRATOR)
    statement = {
        **_head(client.get(STANDING), name, widens=widens),
        "bundle": digest,
        "why": why,
    }
    sources, tests = files or (None, {})
    body = {
        "envelope": _signed(home, name, PolicyProposal, statement),
        "sources": sources,
        "tests": tests,
    }
    _show(client.post(f"{STANDING}/proposals", body), as_json=as_json)


def _head(standing: dict[str, Any], name: str, *, widens: bool) -> dict[str, Any]:
    from audit.commitment import new_salt  # noqa: PLC0415
    from contracts.clock import SystemClock  # noqa: PLC0415

    return {
        "origin": standing["origin"],
        "previous": standing["policy"],
        "widens": widens,
        "person": name,
        "salt": new_salt().hex(),
        "at": SystemClock().now(),
    }


def _signed(home: Path, name: str, kind: Any, fields: dict[str, Any]) -> str:
    """Sign a statement with a person's key; Any: either statement, made of whatever fits it."""
    from audit.keys.signing import load_key  # noqa: PLC0415
    from contracts.identifiers import parse_name  # noqa: PLC0415
    from nodes.signed import sign_statement  # noqa: PLC0415

    key = load_key(home / "people" / f"{parse_name(name)}.key")
    return sign_statement(kind.model_validate(fields), key).text


def _files(client: ControlClient, digest: str) -> dict[str, str]:
    """Fetch a bundle's files and compute its digest here; raise BundleTampered where it is another."""
    from policies.bundle import Bundle, BundleTampered  # noqa: PLC0415

    files: dict[str, str] = client.get(f"{STANDING}/bundles/{digest}")["sources"]
    if Bundle({path: text.encode() for path, text in files.items()}).digest != digest:
        raise BundleTampered("the exchange shows other files than those of this digest")
    return files


def _tests(folder: Path) -> dict[str, str]:
    from policies.trying.rego_tests import read_tests  # noqa: PLC0415

    return {name: raw.decode() for name, raw in read_tests(folder).items()}


def _resolve(standing: dict[str, Any], digest: str) -> str:
    known = [standing["policy"], *(one["policy"] for one in [*standing["open"], *standing["changes"]])]
    return _one_of(list(dict.fromkeys(known)), digest)


def _one_of(known: list[str], beginning: str) -> str:
    """Find the one digest that begins so, with or without ``sha256:``; raise Usage."""
    wanted = "sha256:" + beginning.removeprefix("sha256:")
    found = [one for one in known if one.startswith(wanted)]
    if len(found) != 1:
        raise Usage(f"{len(found)} bundles here begin with {beginning}", known=known)
    return found[0]


def _show(standing: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(standing)
        return
    shadowed = standing["shadow"]
    told = {
        "现行 in force": standing["policy"],
        "OPA 尚未取得 late server": standing["bridged"],
        "软件附带的新策略 new in the software": standing["shipped_is_new"],
        "可恢复 former": [_short(digest) for digest in standing["rollback"]],
        "影子 shadow": shadowed
        and f"{_short(shadowed['policy'])}: {shadowed['asked']} asked, differences {shadowed['differences']}",
    }
    show(told, as_json=False, title="访问策略 policy")
    columns = {
        "state": "状态 state",
        "policy": "策略 policy",
        "proposed_by": "提议人 proposed by",
        "settled_by": "第二人 second person",
        "widens": "放宽 widens",
        "at": "时间 UTC+8",
        "why": "理由 why",
    }
    rows = [
        {
            **one,
            "policy": _short(one["policy"]),
            "at": beijing(parse_rfc3339(one["settled_at"] or one["at"])),
        }
        for one in [*standing["open"], *standing["changes"]]
    ]
    show_rows(rows, columns, as_json=False, title="变更 changes")


def _short(digest: str) -> str:
    """Give as much of a digest as a person needs to name it."""
    return digest.removeprefix("sha256:")[:12]
