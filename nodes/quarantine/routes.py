"""The quarantine over loopback: look at rejected rows, mend them, take them back, publish what was mended."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field, JsonValue

from contracts.clock import rfc3339
from contracts.messages import DatasetId, Long, Wire
from nodes.bodies import RawBody
from nodes.callers import AnyPerson, Operator, TheNode
from nodes.long_work import Fields, Tell, stream_work
from nodes.quarantine import files, mending
from nodes.quarantine.model import RowState, Standing
from nodes.quarantine.releasing import release_mended
from nodes.quarantine.rows import MAX_PAGE, list_rows, show_row, standings

router = APIRouter(prefix="/local/quarantine")


class Offer(Wire):
    """What stands in the place of a rejected row: a whole record, or some fields changed."""

    record: dict[str, JsonValue] | None = None
    changes: Annotated[dict[str, JsonValue], Field(max_length=400)] = Field(default={})


class Withdrawal(Wire):
    """Why a row is taken back."""

    why: Long


class MendingFile(Wire):
    """A file on this machine, and the dataset whose open rows it holds."""

    dataset: DatasetId
    path: str


class MendedRelease(Wire):
    """The dataset whose mended rows are published."""

    dataset: DatasetId


@router.get("")
def get_quarantine(
    node: TheNode,
    _person: AnyPerson,
    dataset: str | None = None,
    state: RowState | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Fields:
    """List rejected rows."""
    mending.expire_due(node)
    total, rows = list_rows(node, dataset, limit, offset, state)
    return {"total": total, "rows": rows}


@router.get("/standing")
def get_standing(node: TheNode, _person: AnyPerson, dataset: str | None = None) -> Fields:
    """Count the rows of each dataset by state."""
    mending.expire_due(node)
    with node.database.read() as session:
        return {"datasets": [_standing(one) for one in standings(session, dataset)]}


@router.post("/files")
def post_file(body: RawBody, node: TheNode, person: Operator) -> StreamingResponse:
    """Offer every row of a mended file."""
    asked = MendingFile.parse(body)

    def work(tell: Tell) -> Fields:
        path = Path(asked.path)
        outcome = files.resubmit_file(node, asked.dataset, path, person.name, lambda rows: tell(rows, None))
        return {
            "mended": outcome.mended,
            "repeated": outcome.repeated,
            "refused": outcome.refused,
            "refusals": [_refusal(one) for one in outcome.refusals],
        }

    return stream_work(work)


@router.post("/exports")
def post_export(body: RawBody, node: TheNode, _person: Operator) -> Fields:
    """Write the open rows of a dataset into a file to be mended."""
    asked = MendingFile.parse(body)
    rows = files.write_open(node, asked.dataset, Path(asked.path))
    return {"dataset": asked.dataset, "path": asked.path, "rows": rows}


@router.post("/releases")
def post_release(body: RawBody, node: TheNode, _person: Operator) -> StreamingResponse:
    """Publish the mended rows of a dataset as its next release."""
    asked = MendedRelease.parse(body)

    def work(tell: Tell) -> Fields:
        done = release_mended(node, asked.dataset, lambda rows: tell(rows, None))
        manifest = done.manifest.statement
        return {
            "dataset": manifest.dataset,
            "release": manifest.number,
            "accepted": manifest.resubmitted,
            "manifest": done.manifest.digest,
            "log_index": done.log_index,
        }

    return stream_work(work)


@router.get("/{row_id}")
def get_row(node: TheNode, _person: AnyPerson, row_id: int) -> Fields:
    """Show one rejected row with every reason."""
    return show_row(node, row_id)


@router.post("/{row_id}/resubmission")
def post_resubmission(node: TheNode, person: Operator, row_id: int, body: RawBody) -> Fields:
    """Offer a record in the place of a rejected row."""
    offer = Offer.parse(body)
    if offer.record is not None and not offer.changes:
        done = mending.resubmit(node, row_id, offer.record, person.name)
    else:
        done = mending.change_fields(node, row_id, offer.changes, person.name)
    return {
        "row": done.row,
        "state": RowState.RESUBMITTED.value,
        "record_digest": done.record_digest,
        "repeated": done.repeated,
    }


@router.post("/{row_id}/withdrawal")
def post_withdrawal(node: TheNode, person: Operator, row_id: int, body: RawBody) -> Fields:
    """Take a row back."""
    mending.withdraw(node, row_id, person.name, Withdrawal.parse(body).why)
    return {"row": row_id, "state": RowState.WITHDRAWN.value}


def _standing(one: Standing) -> dict[str, Any]:
    since = one.oldest_open_at
    return {
        "dataset": one.dataset,
        **{state.value: one.count(state) for state in RowState},
        "oldest_open_at": None if since is None else rfc3339(since),
    }


def _refusal(one: files.Refusal) -> dict[str, Any]:
    error = one.error
    reasons = error.facts.get("reasons")
    return {
        "line": one.line,
        "id": one.row,
        "code": error.code,
        "title": {"zh": error.title_zh, "en": error.title_en()},
        "detail": error.detail,
        "reasons": reasons if isinstance(reasons, list) else [],
    }
