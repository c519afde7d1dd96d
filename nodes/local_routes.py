"""What the people of a province do at their node, over loopback, each act signed by the person (``/local``).

Reading needs any role, acting the role of operator. Long work answers as NDJSON: lines of progress, then one
line with the result or the problem. Rows of data appear nowhere but in the quarantine of the node that holds
them.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import structlog
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from contracts.clock import from_epoch_ms, rfc3339
from contracts.errors import HeadwatersError
from contracts.messages import (
    Application,
    ApplicationView,
    CatalogEntry,
    DatasetRecord,
    Sharing,
    Text,
    Wire,
)
from nodes import offers, outbox
from nodes.bodies import RawBody
from nodes.callers import AnyPerson, Operator, TheNode
from nodes.emergencies import heard_of
from nodes.node import Node
from nodes.problems import problem_of
from nodes.publishing import quarantine
from nodes.publishing.datasets import Declaration, declare_dataset, own_datasets, register_contract
from nodes.publishing.publish import Published, own_releases, publish
from nodes.receiving import apply as applying
from nodes.receiving.kept import count_due
from nodes.receiving.pull import Pulled, PullOptions, pull
from nodes.sharing_tables import HeldApplicationRow, OutboxState, SubscriptionRow
from nodes.signed import peek_statement
from nodes.trusting.trust import UnknownParticipant

log = structlog.get_logger(__name__)

NDJSON = "application/x-ndjson"
Fields = dict[str, Any]  # Any: the JSON that people and scripts read

router = APIRouter(prefix="/local")


class ContractText(Wire):
    """A contract to register: the name of a shipped one, or a document."""

    contract: str


class PublishRequest(Wire):
    """A file on this machine, and the dataset it is a release of."""

    path: str
    dataset: str


class SubscribeRequest(Wire):
    """The dataset to receive."""

    dataset: str


class PullRequest(Wire):
    """What to receive: after which release (default: the cursor), copied to which folder."""

    dataset: str
    since: int | None = None
    to: str | None = None


class RefusalReasons(Wire):
    """Why an application is refused."""

    reasons: list[Text]


@router.get("/status")
def get_status(node: TheNode, _person: AnyPerson) -> Fields:
    """Say how the node stands; calls nobody."""
    seen, witness = node.trust.last_checkpoint(), node.witness
    with node.database.read() as session:
        quarantined = quarantine.count_by_dataset(session)
    waiting = outbox.waiting(node)
    return {
        "participant": node.participant,
        "name": node.identity.profile.name.model_dump(),
        "exchange": node.identity.exchange_url,
        "address": node.identity.address,
        "directory": node.trust.directory_number(),
        "log_size": seen.size if seen else 0,
        "witness": witness.standing.value if witness else None,
        "witnessed_size": witness.size() if witness else None,
        "datasets": [record.dataset for record in own_datasets(node)],
        "quarantined": sum(quarantined.values()),
        "held_applications": sum(row.state == offers.HELD for row in offers.held_applications(node)),
        "subscriptions": len(applying.own_subscriptions(node)),
        "received_due": count_due(node),
        "outbox": len(waiting),
        "outbox_stuck": sum(row["state"] == OutboxState.STUCK for row in waiting),
        "emergencies": [one.emergency for one in heard_of(node)],
        "events": node.events.newest(),
        "alarms": node.alarms.newest(),
    }


@router.post("/contracts")
def post_contract(body: RawBody, node: TheNode, _person: Operator) -> Fields:
    """Register a contract."""
    return register_contract(node, ContractText.parse(body).contract).model_dump()


@router.post("/datasets")
def post_dataset(body: RawBody, node: TheNode, _person: Operator) -> Fields:
    """Declare a dataset, or its next record."""
    signed = declare_dataset(node, Declaration.parse(body))
    return {"digest": signed.digest, **signed.statement.model_dump(mode="json")}


@router.get("/datasets")
def get_datasets(node: TheNode, _person: AnyPerson) -> Fields:
    """List this node's datasets with their releases."""
    return {"datasets": [_own_dataset(node, record) for record in own_datasets(node)]}


@router.post("/publish")
def post_publish(body: RawBody, node: TheNode, _person: Operator) -> StreamingResponse:
    """Publish a file as the next release of a dataset."""
    asked = PublishRequest.parse(body)

    def work(tell: Callable[[int, int | None], None]) -> Fields:
        return _published(publish(node, Path(asked.path), asked.dataset, lambda rows: tell(rows, None)))

    return _ndjson(work)


@router.get("/quarantine")
def get_quarantine(
    node: TheNode,
    _person: AnyPerson,
    dataset: str | None = None,
    limit: Annotated[int, Query(ge=1, le=quarantine.MAX_PAGE)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Fields:
    """List rejected rows."""
    total, rows = quarantine.list_rows(node, dataset, limit, offset)
    return {"total": total, "rows": rows}


@router.get("/quarantine/{row_id}")
def get_quarantined(node: TheNode, _person: AnyPerson, row_id: int) -> Fields:
    """Show one rejected row with every reason."""
    return quarantine.show_row(node, row_id)


@router.get("/catalog")
def get_catalog(node: TheNode, _person: AnyPerson, q: str = "", sharing: Sharing | None = None) -> Fields:
    """Find datasets of the alliance."""
    found = node.broker.catalog(q, sharing).datasets
    return {"datasets": [_catalog_line(node, entry) for entry in found]}


@router.get("/catalog/{dataset}")
def get_catalog_entry(node: TheNode, _person: AnyPerson, dataset: str) -> Fields:
    """Show one dataset's record, verified under its provider's key."""
    entry = node.broker.dataset(dataset)
    record = peek_statement(entry.record_envelope, DatasetRecord).statement
    node.trust.participant_statement(entry.record_envelope, DatasetRecord, record.provider)
    return {**_catalog_line(node, entry), "record": record.model_dump(mode="json")}


@router.post("/applications")
def post_application(body: RawBody, node: TheNode, _person: Operator) -> Fields:
    """Apply to use a dataset."""
    return _application(node, applying.apply_for(node, applying.Request.parse(body)))


@router.get("/applications")
def get_applications(node: TheNode, _person: AnyPerson) -> Fields:
    """List the applications that this node made or received, as the exchange has them."""
    held = {row.application: row for row in offers.held_applications(node)}
    views = node.broker.applications()
    return {"applications": [_application(node, view, held.get(view.application)) for view in views]}


@router.post("/applications/{application}/approve")
def approve_application(node: TheNode, person: Operator, application: str) -> Fields:
    """Sign a held application."""
    return _application(node, offers.approve(node, application, person.name))


@router.post("/applications/{application}/refuse")
def refuse_application(body: RawBody, node: TheNode, person: Operator, application: str) -> Fields:
    """Refuse a held application with reasons."""
    reasons = RefusalReasons.parse(body).reasons
    return _application(node, offers.refuse(node, application, reasons, person.name))


@router.get("/agreements")
def get_agreements(node: TheNode, _person: AnyPerson) -> Fields:
    """List the agreements that this node signed."""
    return {"agreements": offers.own_agreements(node)}


@router.post("/subscriptions")
def post_subscription(body: RawBody, node: TheNode, _person: Operator) -> Fields:
    """Subscribe to a dataset under its agreement."""
    return applying.subscribe(node, SubscribeRequest.parse(body).dataset).model_dump()


@router.get("/subscriptions")
def get_subscriptions(node: TheNode, _person: AnyPerson) -> Fields:
    """List this node's subscriptions and their cursors."""
    return {"subscriptions": [_subscription(row) for row in applying.own_subscriptions(node)]}


@router.post("/pull")
def post_pull(body: RawBody, node: TheNode, _person: Operator) -> StreamingResponse:
    """Receive the releases after the cursor."""
    asked = PullRequest.parse(body)

    def work(tell: Callable[[int, int | None], None]) -> Fields:
        to = None if asked.to is None else Path(asked.to)
        return _pulled(pull(node, asked.dataset, PullOptions(since=asked.since, to=to, progress=tell)))

    return _ndjson(work)


@router.get("/events")
def get_events(node: TheNode, _person: AnyPerson, since: Annotated[int, Query(ge=0)] = 0) -> Fields:
    """List the verified security events after a number, and every alarm of this node's own."""
    alarms = [
        {**asdict(one), "title": one.title.model_dump(), "at": rfc3339(one.at)} for one in node.alarms.after()
    ]
    return {
        "events": [event.model_dump(mode="json") for event in node.events.after(since)],
        "alarms": alarms,
    }


@router.get("/outbox")
def get_outbox(node: TheNode, _person: AnyPerson) -> Fields:
    """List the receipts that are not yet witnessed."""
    return {"rows": outbox.waiting(node)}


def _ndjson(work: Callable[[Callable[[int, int | None], None]], Fields]) -> StreamingResponse:
    return StreamingResponse(_lines(work), media_type=NDJSON, headers={"cache-control": "no-store"})


def _lines(work: Callable[[Callable[[int, int | None], None]], Fields]) -> Iterator[bytes]:
    """Run ``work`` beside the answer and write a line for whatever it tells; the last line ends it."""
    lines: queue.SimpleQueue[tuple[bool, Fields]] = queue.SimpleQueue()

    def tell(rows: int, of: int | None) -> None:
        lines.put((False, {"progress": {"rows": rows, "of": of}}))

    def run() -> None:
        try:
            last = {"result": work(tell)}
        except HeadwatersError as error:
            last = {"problem": problem_of(error)}
        except Exception as error:  # noqa: BLE001  # the answer has begun: its last line must come
            log.error("unexpected_error", error=type(error).__name__)  # noqa: TRY400  # no stack in the log
            last = {"problem": problem_of(HeadwatersError())}
        lines.put((True, last))

    threading.Thread(target=run, name="local-work", daemon=True).start()
    ended = False
    while not ended:
        ended, line = lines.get()
        yield orjson.dumps(line) + b"\n"


def _own_dataset(node: Node, record: DatasetRecord) -> Fields:
    releases = own_releases(node, record.dataset)
    return {
        "dataset": record.dataset,
        "title": record.title.model_dump(),
        "sharing": record.sharing.value,
        "number": record.number,
        "releases": len(releases),
        "rows_published": sum(manifest.counts.published for manifest in releases),
        "rows_quarantined": sum(manifest.counts.quarantined for manifest in releases),
    }


def _published(done: Published) -> Fields:
    manifest = done.manifest.statement
    return {
        "dataset": manifest.dataset,
        "release": manifest.number,
        "manifest": done.manifest.digest,
        "artifact": manifest.distribution.sha256,
        "size_bytes": manifest.distribution.size_bytes,
        **manifest.counts.model_dump(),
        "source": manifest.source.model_dump(),
        "log_index": done.log_index,
        "repeated": done.repeated,
    }


def _catalog_line(node: Node, entry: CatalogEntry) -> Fields:
    record = peek_statement(entry.record_envelope, DatasetRecord).statement
    try:
        name: Fields | None = node.trust.member(record.provider).profile.name.model_dump()
    except UnknownParticipant:
        name = None
    return {
        "dataset": record.dataset,
        "title": record.title.model_dump(),
        "provider": record.provider,
        "provider_name": name,
        "sharing": record.sharing.value,
        "theme": record.theme,
        "place": record.place,
        "purposes": record.purposes,
        "synthetic": record.synthetic,
        "releases": entry.latest_release,
        "rows_published": entry.rows_published,
        "rows_quarantined": entry.rows_quarantined,
    }


def _application(node: Node, view: ApplicationView, held: HeldApplicationRow | None = None) -> Fields:
    asked = peek_statement(view.application_envelope, Application).statement
    state = view.state.value
    return {
        "application": view.application,
        "state": offers.HELD if held is not None and held.state == offers.HELD else state,
        "dataset": asked.dataset,
        "purpose": asked.purpose,
        "basis": asked.basis,
        "scenario": asked.scenario,
        "scope": asked.scope,
        "until": rfc3339(asked.until),
        "role": "consumer" if asked.consumer == node.participant else "provider",
        "consumer": asked.consumer,
        "agreement": view.agreement,
        "reasons": [reason.model_dump() for reason in view.reasons],
    }


def _subscription(row: SubscriptionRow) -> Fields:
    return {
        "subscription": row.subscription,
        "agreement": row.agreement,
        "dataset": row.dataset,
        "provider": row.provider,
        "cursor": row.cursor,
        "since": rfc3339(from_epoch_ms(row.at)),
    }


def _pulled(done: Pulled) -> Fields:
    files = [
        {
            "path": str(file.path),
            "proof_path": str(file.proof_path) if file.proof_path is not None else None,
            "release": file.release,
            "rows": file.rows,
            "redacted": list(file.redacted),
            "grant": file.grant,
        }
        for file in done.files
    ]
    return {"files": files, "cursor": done.cursor}
