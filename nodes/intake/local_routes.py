"""What the people of a node do with its sources, over loopback (``/local/sources``)."""

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from contracts.messages import Wire
from nodes.bodies import RawBody
from nodes.callers import AnyPerson, Operator, TheNode
from nodes.intake.flow import Run, run
from nodes.intake.model import NewSource
from nodes.intake.sources import (
    Added,
    add_source,
    list_sources,
    remove_source,
    renew_token,
    show_source,
)
from nodes.long_work import Fields, Tell, stream_work

router = APIRouter(prefix="/local/sources")


class RunRequest(Wire):
    """Whether refused pieces are tried again."""

    again: bool = False


class RemoveRequest(Wire):
    """Whether rows that wait are let go."""

    discard: bool = False


@router.post("")
def post_source(body: RawBody, node: TheNode, _person: Operator) -> Fields:
    """Add a source; the answer holds a push source's token, this once."""
    return _added(add_source(node, NewSource.parse(body)))


@router.get("")
def get_sources(node: TheNode, _person: AnyPerson) -> Fields:
    """List the sources."""
    return {"sources": list_sources(node)}


@router.get("/{name}")
def get_source(node: TheNode, _person: AnyPerson, name: str) -> Fields:
    """Show one source."""
    return show_source(node, name)


@router.post("/{name}/run")
def post_run(body: RawBody, node: TheNode, _person: Operator, name: str) -> StreamingResponse:
    """Read the source now and publish its releases."""
    again = RunRequest.parse(body).again

    def work(tell: Tell) -> Fields:
        return {"source": name, **_ran(run(node, name, lambda rows: tell(rows, None), again=again))}

    return stream_work(work)


@router.post("/{name}/token")
def post_token(node: TheNode, _person: Operator, name: str) -> Fields:
    """Give a push source another token; the old one counts no more."""
    return _added(renew_token(node, name))


@router.post("/{name}/remove")
def post_remove(body: RawBody, node: TheNode, _person: Operator, name: str) -> Fields:
    """Take a source away."""
    return remove_source(node, name, discard=RemoveRequest.parse(body).discard)


def _added(added: Added) -> Fields:
    return {"source": added.name, **({} if added.token is None else {"token": added.token})}


def _ran(done: Run) -> Fields:
    return {
        "landed": done.landed,
        "refused": done.refused,
        "rows": sum(lot.rows_read for lot in done.lots),
        "quarantined": sum(lot.rows_quarantined for lot in done.lots),
        "releases": [lot.release for lot in done.lots if lot.release is not None],
        "note": done.note,
    }
