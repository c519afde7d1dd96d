"""The group ``headwaters policy``, to which the modules beside it add their commands."""

import typer

app = typer.Typer(no_args_is_help=True)
