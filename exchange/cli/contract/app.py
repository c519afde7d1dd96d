"""The group ``headwaters contract``, to which the modules beside it add their commands."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

ContractName = Annotated[
    str, typer.Argument(metavar="CONTRACT", help="契约库编号或文件 / a library id or a file")
]
