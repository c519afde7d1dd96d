"""What the terminal shows: tables and sentences for people, one JSON value for scripts.

Chinese comes first and English beside it. Results go to standard output, everything else to standard error,
so that ``--json`` output can be piped.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from contracts.errors import HeadwatersError
from contracts.problem import document

SHORT_CELLS = 16
"""Columns of cells no wider than this are never folded."""

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

# C0 without tab and line feed, DEL, C1, and the signs that turn the direction of writing.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

JsonFlag = Annotated[bool, typer.Option("--json", help="机器可读 JSON / one JSON value for scripts")]
NodeHome = Annotated[
    Path,
    typer.Option("--home", envvar="HEADWATERS_HOME", help="节点目录 / the node's folder", file_okay=False),
]
ExchangeHome = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="HEADWATERS_EXCHANGE_HOME",
        help="交换中心目录 / the exchange's folder",
        file_okay=False,
    ),
]
Person = Annotated[
    str | None, typer.Option("--as", help="以谁的身份 / the person who acts (a key in people/)")
]
NODE_HOME = Path("headwaters-node")
EXCHANGE_HOME = Path("headwaters-exchange")


def print_json(value: object) -> None:
    """Write one JSON value and a line feed to standard output."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def show(
    value: Mapping[str, Any], *, as_json: bool, title: str, labels: Mapping[str, str] | None = None
) -> None:
    """Show one thing: its fields below each other, under ``labels`` (field → words), or as JSON."""
    if as_json:
        print_json(value)
        return
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    table.add_column()
    table.add_column(overflow="fold")
    for key, item in value.items():
        label = key if labels is None else labels.get(key, key)
        table.add_row(f"[dim]{escape(harmless(label))}[/dim]", escape(_cell(item)))
    out.print(table)


def show_rows(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, title: str
) -> None:
    """Show many things: a table of ``columns`` (field → heading), or all fields as JSON."""
    if as_json:
        print_json(list(rows))
        return
    table = Table(title=f"{title} ({len(rows)})", title_justify="left")
    cells = {field: [_cell(row.get(field)) for row in rows] for field in columns}
    for field, heading in columns.items():
        # Short words and numbers stay whole; what is long gives way.
        short = max(map(cell_len, cells[field]), default=0) <= SHORT_CELLS
        table.add_column(heading.replace(" ", "\n", 1) if short else heading, overflow="fold", no_wrap=short)
    for row in zip(*cells.values(), strict=True):
        table.add_row(*map(escape, row))
    out.print(table)


def say(zh: str, en: str) -> None:
    """Tell a person one thing, in Chinese and English."""
    out.print(f"{escape(zh)}  [dim]{escape(en)}[/dim]")


def fail(error: HeadwatersError, *, as_json: bool) -> int:
    """Report an error on standard error and give the exit code."""
    if as_json:
        sys.stderr.write(orjson.dumps(document(error, "cli"), default=str).decode() + "\n")
        return error.exit_code
    err.print(f"[bold red]✗ {escape(harmless(error.title_zh))}[/bold red]  {escape(error.title_en())}")
    err.print(f"  {escape(harmless(error.detail))}")
    reasons = error.facts.get("reasons") or error.facts.get("faults")
    for reason in reasons if isinstance(reasons, list) else []:
        err.print(f"  · {escape(harmless(str(reason)))}")
    steps = harmless(f"{error.next_zh}  {error.next_en}")
    err.print(f"  [dim]→ {escape(steps)}[/dim]")
    return error.exit_code


def follow(lines: Iterable[dict[str, Any]], what: str, *, as_json: bool) -> dict[str, Any]:
    """Draw a progress bar from a stream of progress lines and give the result line."""
    result: dict[str, Any] = {}
    with progress_bar(what, as_json=as_json) as advance:
        for line in lines:
            if "progress" in line:
                advance(line["progress"]["rows"], line["progress"].get("of"))
            result = line.get("result", result)
    return result


@contextmanager
def progress_bar(what: str, *, as_json: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Draw a bar on a terminal; the function takes how much is done, and of how much."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=as_json or not err.is_terminal,
    ) as bar:
        task = bar.add_task(escape(what), total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _cell(value: object) -> str:
    if isinstance(value, Mapping) and {"zh", "en"} <= set(value):
        return harmless(f"{value['zh']} {value['en']}")
    if isinstance(value, list | tuple):
        separator = "\n" if any(isinstance(item, Mapping) for item in value) else ", "
        return separator.join(_cell(item) for item in value)
    if isinstance(value, bool):
        return "是 yes" if value else "否 no"
    return "–" if value is None else harmless(str(value))


def harmless(text: str) -> str:
    """Show control characters as signs: titles and reasons come from others, and a terminal obeys them."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
