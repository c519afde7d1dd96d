"""``received`` and ``trace``: what a consumer holds and until when, and whose a file is that turned up."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import HeadwatersError
from exchange.cli.output import NODE_HOME, JsonFlag, NodeHome, Person, out, print_json, show, show_rows
from nodes.control import ControlClient

received_app = typer.Typer(no_args_is_help=True)

_EVIDENCE = {
    "mark": "水印 the mark in the file",
    "digest": "文件摘要 the digest of its bytes",
    "rows": "数据行 its rows",
}
_PURGED = {
    "grants": "授权 grants",
    "files": "文件 files",
    "left": "已被改动,未删 changed, so left",
    "dry_run": "仅试列 dry run",
}
_SAME = {
    "bytes": "与交付的文件逐字节相同 byte for byte as delivered",
    "rows": "文件被改写,数据行未变 written anew, with rows as delivered",
    "changed": "水印属实,数据行已不同 the mark is genuine, the rows are not those delivered",
}


@received_app.command("list")
def received_list(
    dataset: Annotated[str | None, typer.Option(help="只列该数据集 / of one dataset")] = None,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """列出收到的批次及保存期限 / list what was received, for what, and until when it may be kept."""
    query = {"dataset": dataset} if dataset else {}
    rows = ControlClient(home, person).get("/local/received", query)["received"]
    columns = {
        "dataset": "数据集 dataset",
        "release": "批次 release",
        "replaced_by": "已被更正为 replaced by",
        "purpose": "用途 purpose",
        "rows": "行数 rows",
        "delete_after": "最晚删除 delete after",
        "due": "到期 due",
        "purged_at": "已删除 deleted",
    }
    show_rows(rows, columns, as_json=as_json, title="已接收 received")


@received_app.command("purge")
def received_purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只列出,不删除 / only say what")] = False,
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """删除到期的数据 / delete what may no longer be kept; proofs stay."""
    answer = ControlClient(home, person).post("/local/received/purge", {"dry_run": dry_run})
    show(answer, as_json=as_json, title="到期数据 data whose time is up", labels=_PURGED)


def trace(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="外泄的文件 / a file that leaked")
    ],
    home: NodeHome = NODE_HOME,
    person: Person = None,
    as_json: JsonFlag = False,
) -> None:
    """追溯文件当初交给了谁 / find out to whom this node gave a file; exit 2 where nothing tells."""
    try:
        answer = ControlClient(home, person).post("/local/trace", {"path": str(file.resolve())})
    except HeadwatersError as error:
        from nodes.delivering.tracing import NotTraced  # noqa: PLC0415

        if error.code == NotTraced.code:
            raise NotTraced(error.detail) from error  # an answer over HTTP has lost that nothing is decided
        raise
    if as_json:
        print_json(answer)
        return
    out.print(f"依据 evidence: {_EVIDENCE[answer['by']]}; {_SAME[answer['same']]}")
    names = {item["participant"]: item["name"] for item in answer["recipients"]}
    for participant, name in names.items():
        known = f"{name['zh']} {name['en']}" if name else ""
        out.print(f"接收方 recipient: {participant} {known}", markup=False)
    if len(names) > 1:
        out.print("各方所收数据相同,文件不能区分 they received the same; the file does not tell which")
    columns = {
        "recipient": "接收方 recipient",
        "grant": "授权 grant",
        "dataset": "数据集 dataset",
        "release": "批次 release",
        "purpose": "用途 purpose",
        "at": "交付时间 delivered at",
    }
    show_rows(answer["deliveries"], columns, as_json=False, title="交付记录 deliveries")
