"""``headwaters demo``: the whole alliance on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.output import JsonFlag


def demo(
    once: Annotated[bool, typer.Option("--once", help="演完即退出 / play the story and exit")] = False,
    data: Annotated[
        Path | None,
        typer.Option("--data", exists=True, file_okay=False, help="真实数据目录 / folder with real data"),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option("--home", file_okay=False, help="状态目录 / where state is kept; must be empty"),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """在本机启动整个联盟并演示 / start the whole alliance on this machine and play the story."""
    from exchange.demo.story import play  # noqa: PLC0415

    raise typer.Exit(play(data=data, home=home, once=once, as_json=as_json))
