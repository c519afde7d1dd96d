"""What the people of a province do at their node, over loopback, each act signed by the person (``/local``).

Reading needs any role, acting the role of operator. Long work answers as NDJSON: lines of progress, then one
line with the result or the problem. Rows of data appear nowhere but in the quarantine of the node that holds
them.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from contracts.clock import from_epoch_ms, rfc3339
from contracts.errors import Invalid
from contracts.messages import (
    Application,
    ApplicationView,
    CatalogEntry,
    DatasetRecord,
    ObjectionId,
    Sharing,
    Text,
    Wire,
)
from nodes import offers, outbox
from nodes.bodies import RawBody
from nodes.callers import AnyPerson, Operator, TheNode
from nodes.correcting.linking import Correction
from nodes.emergencies import heard_of
from nodes.long_work import Fields, Tell, stream_work
from nodes.node import Node
from nodes.publishing.datasets import Declaration, declare_dataset, own_datasets, register_contract
from nodes.publishing.publish import Published, own_releases, publish
from nodes.quarantine.rows import count_waiting
from nodes.receiving import apply as applying
from nodes.receiving.kept import count_due
from nodes.receiving.pull import Pulled, PullOptions, pull
from nodes.sharing_tables import HeldApplicationRow, OutboxState, SubscriptionRow
from nodes.signed import peek_statement
from nodes.trusting.trust import UnknownParticipant

router = APIRouter(prefix="/local")


class ContractText(Wire):
    """A contract to register: the name of a shipped one, or a document."""

    contract: str


class PublishRequest(Wire):
    """A file on this machine, the dataset it is a release of, and the earlier release that it corrects."""

    path: str
    dataset: str
    corrects: int | None = None
    objections: list[ObjectionId] = Field(default=[])

    def correction(self) -> Correction | None:
        """Give what is corrected; raise Invalid for objections without a release."""
        if self.corrects is None and self.objections:
            raise Invalid("an objection is settled by a release that corrects another: name it")
        return None if self.corrects is None else Correction(self.corrects, tuple(self.objections))


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
        quarantined = count_waiting(session)
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
        "quarantined": quarantined,
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
    corrects = asked.correction()

    def work(tell: Tell) -> Fields:
        path = Path(asked.path)
        return _published(
            publish(node, path, asked.dataset, lambda rows: tell(rows, None), corrects=corrects)
        )

    return stream_work(work)


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

    def work(tell: Tell) -> Fields:
        to = None if asked.to is None else Path(asked.to)
        return _pulled(pull(node, asked.dataset, PullOptions(since=asked.since, to=to, progress=tell)))

    return stream_work(work)


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
        "corrects": None if manifest.corrects is None else manifest.corrects.number,
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
        "quality": None if entry.quality is None else entry.quality.model_dump(mode="json"),
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
