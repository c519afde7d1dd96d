"""``headwaters station``: register HJ 212 stations, see how they do, and let a made-up one report."""

from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.errors import Usage
from exchange.cli.output import NODE_HOME, JsonFlag, NodeHome, Person, out, print_json, say, show, show_rows
from nodes.control import ControlClient

app = typer.Typer(no_args_is_help=True)

_PATH = "/local/stations"
_LABELS = {
    "mn": "设备唯一标识 MN",
    "name": "名称 name",
    "source": "数据来源 source",
    "edition": "协议版本 edition",
    "encrypts": "SM4 加密 encrypts",
    "units": "设备单位 units sent",
    "state": "状态 state",
    "synthetic": "合成数据 synthetic",
    "packets": "报文 packets",
    "records": "记录 records",
    "repeated": "重复 repeated",
    "refused": "拒收 refused",
    "seen_at": "最近通讯 last heard",
    "data_at": "最近数据 last data",
    "registered_at": "登记时间 registered",
}
_COUNTED = {
    "segments": "日志段 segments",
    "records": "记录 records",
    "refused": "拒收 refused",
    "sources": "数据来源 sources",
}

Mn = Annotated[str, typer.Argument(metavar="MN", help="设备唯一标识 / the device's MN")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", exists=True, dir_okay=False, help="存有 PW 的文件 / file with the PW"),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--sm4-key-file",
        exists=True,
        dir_okay=False,
        help="存有 SM4 密钥的文件,32 位十六进制 / file with the key, 32 hex digits",
    ),
]
UnitOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--unit", metavar="FACTOR=UNIT", help="设备实发单位,如 a34004=ug/m3 / unit the device sends"
    ),
]


@app.command()
def add(
    mn: Mn,
    name: Annotated[str, typer.Option(help="站点名称 / name of the station")],
    source: Annotated[str, typer.Option(help="接收记录的数据来源 / source that takes its records")],
    edition: Annotated[str, typer.Option(help="2005 | 2017 | 2025")] = "2017",
    password_file: PasswordFile = None,
    sm4_key_file: KeyFile = None,
    unit: UnitOptions = None,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="数据为合成 / its data are made up")] = False,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """登记站点:MN、密码、密钥、单位 / register a station; without --password-file it asks for the PW."""
    body = {
        "mn": mn,
        "name": name,
        "source": source,
        "edition": edition,
        "password": _secret(password_file) or typer.prompt("PW", hide_input=True, err=True),
        "sm4_key": _secret(sm4_key_file),
        "units": _units(unit) or {},
        "synthetic": synthetic,
    }
    _show_station(ControlClient(home, person).post(_PATH, body), "已登记 registered", as_json=as_json)


@app.command()
def change(
    mn: Mn,
    name: Annotated[str | None, typer.Option(help="站点名称 / name")] = None,
    source: Annotated[str | None, typer.Option(help="数据来源 / source")] = None,
    edition: Annotated[str | None, typer.Option(help="2005 | 2017 | 2025")] = None,
    password_file: PasswordFile = None,
    sm4_key_file: KeyFile = None,
    unit: UnitOptions = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """修改登记,停用的站点随之恢复 / change a registration; a retired station is heard again."""
    body = {
        "name": name,
        "source": source,
        "edition": edition,
        "password": _secret(password_file),
        "sm4_key": _secret(sm4_key_file),
        "units": _units(unit),
    }
    answer = ControlClient(home, person).post(f"{_PATH}/{mn}/change", body)
    _show_station(answer, "已修改 changed", as_json=as_json)


@app.command("list")
def list_stations(home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """列出站点与收到的报文 / list the stations and what came from them."""
    answer = ControlClient(home, person).get(_PATH)
    if as_json:
        print_json(answer)
        return
    if answer["listening"] is None:
        say(
            "本节点未接收站点:用 node serve --stations 主机:端口 打开", "not listening: node serve --stations"
        )
    else:
        say(f"接收地址 {answer['listening']}", "listening")
    columns = ("mn", "name", "source", "edition", "state", "packets", "records", "refused", "seen_at")
    show_rows(
        answer["stations"], {name: _LABELS[name] for name in columns}, as_json=False, title="站点 stations"
    )


@app.command("show")
def show_station(
    mn: Mn, home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False
) -> None:
    """查看一个站点及最近拒收的报文 / show one station and its newest refused frames."""
    answer = ControlClient(home, person).get(f"{_PATH}/{mn}")
    if as_json:
        print_json(answer)
        return
    frames = answer.pop("refusals")
    _show_station(answer, "站点 station", as_json=False)
    if frames:
        _show_frames(frames)


@app.command()
def refused(
    mn: Annotated[str | None, typer.Option(help="只看一个站点 / of one station")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """列出拒收的报文及理由 / list the frames that were not taken, with the reasons."""
    query = {"limit": limit} | ({"mn": mn} if mn else {})
    answer = ControlClient(home, person).get(f"{_PATH}/refusals", query)
    if as_json:
        print_json(answer)
        return
    counts = [{"reason": reason, "count": count} for reason, count in sorted(answer["counts"].items())]
    columns = {"reason": "理由代码 reason", "count": "次数 count"}
    show_rows(counts, columns, as_json=False, title="累计 totals")
    _show_frames(answer["frames"])


@app.command()
def retire(mn: Mn, home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """停用站点:不再接收,已收数据保留 / hear a station no more; what it sent stays."""
    answer = ControlClient(home, person).post(f"{_PATH}/{mn}/retire")
    _show_station(answer, "已停用 retired", as_json=as_json)


@app.command()
def collect(home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """立即把收到的报文交给数据来源 / hand what came to the sources now (else once a minute)."""
    answer = ControlClient(home, person).post(f"{_PATH}/collect")
    show(answer, as_json=as_json, title="已交付 collected", labels=_COUNTED)


@app.command()
def simulate(
    to: Annotated[str, typer.Option("--to", metavar="HOST:PORT", help="接收地址 / where stations are heard")],
    mn: Annotated[str, typer.Option(help="设备唯一标识 / the MN to report under")],
    st: Annotated[str, typer.Option(help="22 空气 air | 32 废水 waste water")] = "32",
    edition: Annotated[str, typer.Option(help="2017 | 2025")] = "2017",
    password_file: PasswordFile = None,
    sm4_key_file: KeyFile = None,
    hours: Annotated[int, typer.Option(min=1, max=24 * 31, help="小时数 / hours")] = 24,
    seed: Annotated[int, typer.Option(help="随机种子 / seed")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """模拟一个站点上报(合成数据)/ let a made-up station report; its values are synthetic."""
    from nodes.simulation import report  # noqa: PLC0415

    password = _secret(password_file) or typer.prompt("PW", hide_input=True, err=True)
    done = report(
        to,
        mn=mn,
        st=st,
        edition=edition,
        password=password,
        sm4_key=_secret(sm4_key_file),
        hours=hours,
        seed=seed,
    )
    show(done, as_json=as_json, title="模拟完成 simulated")


def _show_station(station: dict[str, Any], title: str, *, as_json: bool) -> None:  # Any: JSON of the node
    units = [f"{factor}={unit}" for factor, unit in station["units"].items()]
    show(station if as_json else station | {"units": units}, as_json=as_json, title=title, labels=_LABELS)


def _show_frames(frames: list[dict[str, Any]]) -> None:  # Any: the JSON that the node answered
    columns = {
        "at": "时间 at",
        "address": "来自 from",
        "title": "理由 reason",
        "detail": "说明 detail",
        "frame": "报文 frame",
    }
    shown = [{**one, "frame": one["frame"].strip()} for one in frames]
    show_rows(shown, columns, as_json=False, title="拒收的报文 refused frames")
    if not frames:
        out.print("没有拒收的报文 none was refused")


def _secret(file: Path | None) -> str | None:
    """Read a secret from a file: never from the command line, which everybody on the machine can see."""
    return None if file is None else file.read_text().strip()


def _units(options: list[str] | None) -> dict[str, str] | None:
    if options is None:
        return None
    units = {}
    for option in options:
        factor, equals, unit = option.partition("=")
        if not equals:
            raise Usage("--unit is FACTOR=UNIT, as a34004=ug/m3")
        units[factor] = unit
    return units
