"""Files that these commands write, whole or not at all, and what is said of a contract that was written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.errors import Unavailable
from exchange.cli.output import print_json, say

if TYPE_CHECKING:
    from contracts.schema import Contract

To = Annotated[Path, typer.Option("--to", dir_okay=False, help="写入的文件 / the file to write")]


class Unwritable(Unavailable):
    """The file cannot be written."""

    code = "unwritable"
    title_zh = "文件无法写入"
    next_zh = "检查目录是否存在、是否有写权限、磁盘是否已满。"
    next_en = "Check that the folder exists, may be written, and has room."


def write_file(path: Path, raw: bytes) -> None:
    """Write a file whole or not at all; raise Unwritable."""
    draft = path.with_name(f".{path.name}.draft")
    with writing(path):
        draft.write_bytes(raw)
        draft.replace(path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise Unwritable where the disk does not take a file."""
    try:
        yield
    except OSError as error:
        raise Unwritable(f"{path.name[:200]}: {error.strerror or type(error).__name__}") from error


def report(contract: "Contract", notes: Sequence[str], to: Path, *, as_json: bool) -> None:
    """Say which contract was written, and what a person should look at."""
    if as_json:
        told = {"contract": contract.id, "version": contract.version, "digest": contract.digest}
        print_json(told | {"file": str(to), "fields": len(contract.fields), "notes": list(notes)})
        return
    say(
        f"契约 {contract.id} {contract.version} 已写入 {to},{len(contract.fields)} 个字段",
        f"written, {len(contract.fields)} fields",
    )
    if notes:
        say(f"请核对以下 {len(notes)} 处:", f"look at these {len(notes)} places:")
    for note in notes:
        say(f"  · {note}", "")
