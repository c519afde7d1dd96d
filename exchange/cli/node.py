"""``headwaters node``: a province joins with one command and runs with another."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.output import NODE_HOME, JsonFlag, NodeHome, Person, err, show
from nodes.control import ControlClient

app = typer.Typer(no_args_is_help=True)


@app.command()
def join(
    invite: Annotated[
        str, typer.Argument(help="邀请文本或存有它的文件 / the invite, or a file that holds it")
    ],
    home: NodeHome = NODE_HOME,
    person: Annotated[
        str, typer.Option("--person", help="操作员姓名代号 / short name of the person")
    ] = "operator",
    address: Annotated[str | None, typer.Option(help="可选的入站地址 / optional inbound address")] = None,
    wait_seconds: Annotated[int, typer.Option(help="等待批准的秒数 / seconds to wait for approval")] = 3600,
    as_json: JsonFlag = False,
) -> None:
    """加入联盟:生成密钥、登记、等待批准、探测 / join: keys, registration, approval, signed probe."""
    from nodes.registration import join as run_join  # noqa: PLC0415

    text = Path(invite).read_text() if not invite.startswith("hw-invite-") else invite

    def pending(fingerprint: str) -> None:
        err.print(f"本节点指纹 fingerprint: [bold]{fingerprint}[/bold]")
        err.print(
            "请通过电话等可信渠道告知交换中心管理员,等待批准… "
            "[dim]tell it to the exchange's administrator on a trusted way; waiting for approval[/dim]"
        )

    joined = run_join(
        text.strip(),
        home,
        person_name=person,
        address=address,
        wait_seconds=wait_seconds,
        on_pending=pending,
    )
    show(joined, as_json=as_json, title="已加入联盟 joined")


@app.command()
def serve(
    home: NodeHome = NODE_HOME,
    listen: Annotated[str, typer.Option(help="监听地址 / host:port")] = "127.0.0.1:0",
    gossip_seconds: Annotated[
        float,
        typer.Option(min=1, max=3600, help="向其他见证方询问的间隔秒数 / seconds between gossip rounds"),
    ] = 300,
    stations: Annotated[
        str | None,
        typer.Option(
            envvar="HEADWATERS_STATIONS",
            help="接收 HJ 212 站点的地址,默认不接收 / host:port to hear HJ 212 stations on; off by default",
        ),
    ] = None,
) -> None:
    """运行节点:服务、见证、镜像、收发回执 / run the node: serve, witness, mirror, deliver receipts."""
    from nodes.serve import run  # noqa: PLC0415

    run(home, listen, gossip_seconds=gossip_seconds, stations=stations)


@app.command()
def status(home: NodeHome = NODE_HOME, person: Person = None, as_json: JsonFlag = False) -> None:
    """节点状态 / how the node stands."""
    show(ControlClient(home, person).get("/local/status"), as_json=as_json, title="节点 node")


@app.command()
def simulate(
    to: Annotated[Path, typer.Option("--to", dir_okay=False, help="报文存入此文件 / where the frames go")],
    stations: Annotated[int, typer.Option(min=1, max=200, help="站点数 / stations")] = 4,
    hours: Annotated[int, typer.Option(min=1, max=24 * 31, help="小时数 / hours")] = 24,
    seed: Annotated[int, typer.Option(help="随机种子 / seed; the same seed gives the same values")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """让模拟站点用 HJ 212 上报(合成数据)/ let simulated stations report in HJ 212; synthetic data."""
    from nodes.simulation import record  # noqa: PLC0415

    show(record(to, stations=stations, hours=hours, seed=seed), as_json=as_json, title="模拟完成 simulated")
