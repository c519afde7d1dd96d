"""What people ask of the releases that this node received: what is held until when; and to delete it."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter

from contracts.clock import rfc3339
from contracts.messages import Wire
from nodes.bodies import RawBody
from nodes.callers import AnyPerson, Operator, TheNode
from nodes.correcting.replaced import replaced_by
from nodes.receiving.kept import Holding, holdings, purge

router = APIRouter(prefix="/local/received")


class PurgeRequest(Wire):
    """Whether to delete what is due, or only to say what it is."""

    dry_run: bool = False


@router.get("")
def get_received(node: TheNode, _person: AnyPerson, dataset: str | None = None) -> dict[str, Any]:
    """List the releases that this node received."""
    newer = replaced_by(node, dataset)
    return {
        "received": [
            {**_line(item), "replaced_by": newer.get((item.dataset, item.release))}
            for item in holdings(node, dataset)
        ]
    }


@router.post("/purge")
def post_purge(node: TheNode, _person: Operator, body: RawBody) -> dict[str, Any]:
    """Delete the files whose time is up."""
    asked = PurgeRequest.parse(body)
    purged = purge(node, dry_run=asked.dry_run)
    return {
        "grants": list(purged.grants),
        "files": _texts(purged.files),
        "left": _texts(purged.left),
        "dry_run": asked.dry_run,
    }


def _line(item: Holding) -> dict[str, Any]:
    return {
        "dataset": item.dataset,
        "release": item.release,
        "grant": item.grant,
        "purpose": item.purpose,
        "rows": item.rows,
        "path": str(item.path),
        "copy_path": None if item.copy_path is None else str(item.copy_path),
        "received_at": rfc3339(item.received_at),
        "delete_after": None if item.delete_after is None else rfc3339(item.delete_after),
        "purged_at": None if item.purged_at is None else rfc3339(item.purged_at),
        "due": item.due,
    }


def _texts(paths: tuple[Path, ...]) -> list[str]:
    return [str(path) for path in paths]
