"""The group ``headwaters policy``, to which the modules beside it add their commands."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

BundlePath = Annotated[
    Path | None,
    typer.Option("--bundle", exists=True, help="策略包目录或归档,缺省为随附的策略包 / a folder or archive"),
]
