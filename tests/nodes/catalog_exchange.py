"""The simulated exchange with a catalogue: contracts, datasets, releases, applications, subscriptions."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from audit.httpsig import verify_request
from audit.keys.signing import PublicKey
from contracts.errors import Conflict, NotFound
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    Agreement,
    AgreementAnswer,
    AgreementOffer,
    Application,
    ApplicationState,
    ApplicationView,
    Catalog,
    CatalogEntry,
    ContractRegistration,
    DatasetRecord,
    Manifest,
    ReleaseEntry,
    ReleaseList,
    SubscriptionRequest,
    SubscriptionView,
    Wire,
)
from nodes.signed import Signed, peek_statement
from tests.nodes.simulated_exchange import SimulatedExchange


@dataclass
class CatalogExchange(SimulatedExchange):
    """Takes what both sides sign and lists it; tests reach into it to misbehave."""

    contracts: dict[tuple[str, str], str] = field(default_factory=dict)
    records: dict[str, Signed[DatasetRecord]] = field(default_factory=dict)
    feeds: dict[str, list[ReleaseEntry]] = field(default_factory=dict)
    applications: dict[str, ApplicationView] = field(default_factory=dict)
    answers_given: dict[str, AgreementAnswer] = field(default_factory=dict)
    offer: Callable[[str, AgreementOffer], AgreementAnswer] | None = None
    subscriptions: dict[str, SubscriptionView] = field(default_factory=dict)

    def caller(self, request: httpx.Request) -> str:
        """Give who signed a request."""
        return verify_request(
            request.method,
            str(request.url),
            list(request.headers.items()),
            request.content,
            resolve=lambda keyid: PublicKey.from_text(self.members[keyid].node_key),
            clock=self.clock,
        ).keyid

    # --- HTTP -------------------------------------------------------------------------------------

    def _answer(self, request: httpx.Request, path: str) -> httpx.Response:
        match (request.method, *path.strip("/").split("/")):
            case ("GET", "contracts", name, version):
                return httpx.Response(200, text=self.contracts[name, version])
            case _:
                return super()._answer(request, path)

    # One table of routes reads best in one piece.
    def _signed(self, request: httpx.Request, path: str) -> httpx.Response:  # noqa: PLR0911
        self.caller(request)
        body, since = request.content, int(request.url.params.get("since", "0"))
        match (request.method, *path.strip("/").split("/")):
            case ("POST", "contracts"):
                ref = peek_statement(body.decode(), ContractRegistration).statement.contract
                self.contracts[ref.id, ref.version] = body.decode()
                return httpx.Response(201)
            case ("POST", "datasets"):
                return self._declare(body)
            case ("GET", "datasets", dataset):
                return wire(self._entry(dataset))
            case ("GET", "catalog"):
                return wire(Catalog(datasets=[self._entry(name) for name in self.records]))
            case ("POST", "datasets", dataset, "releases"):
                return wire(self._publish(dataset, body))
            case ("GET", "datasets", dataset, "releases"):
                return wire(self._feed(dataset, since))
            case ("POST", "applications"):
                return wire(self._apply(body.decode()))
            case ("GET", "applications"):
                views = [view.model_dump(mode="json") for view in self.applications.values()]
                return httpx.Response(200, json={"applications": views})
            case ("POST", "applications", name, "answer"):
                self.answers_given[name] = AgreementAnswer.parse(body)
                return wire(self._advance(name))
            case ("POST", "subscriptions"):
                return wire(self._subscribe(SubscriptionRequest.parse(body)))
            case ("GET", "subscriptions", name, "releases"):
                return wire(self._feed(self.subscriptions[name].dataset, since))
            case _:
                return super()._signed(request, path)

    # --- catalog ----------------------------------------------------------------------------------

    def _declare(self, body: bytes) -> httpx.Response:
        signed = peek_statement(body.decode(), DatasetRecord)
        record = signed.statement
        before = self.records.get(record.dataset)
        if before is not None and before.digest == signed.digest:
            return wire(self._entry(record.dataset))
        if record.number != (before.statement.number + 1 if before else 1):
            raise Conflict("another number is next")
        self.records[record.dataset] = signed
        return wire(self._entry(record.dataset))

    def _entry(self, dataset: str) -> CatalogEntry:
        if dataset not in self.records:
            raise NotFound(dataset)
        feed = [
            peek_statement(one.manifest_envelope, Manifest).statement for one in self.feeds.get(dataset, [])
        ]
        return CatalogEntry(
            record_envelope=self.records[dataset].text,
            latest_release=len(feed),
            rows_published=sum(one.counts.published for one in feed),
            rows_quarantined=sum(one.counts.quarantined for one in feed),
        )

    def _publish(self, dataset: str, body: bytes) -> ReleaseEntry:
        feed = self.feeds.setdefault(dataset, [])
        signed = peek_statement(body.decode(), Manifest)
        for one in feed:
            if one.manifest_envelope == body.decode():
                return one
        if signed.statement.number != len(feed) + 1:
            raise Conflict("another number is next")
        self.grow(1)
        entry = ReleaseEntry(
            number=len(feed) + 1, index=len(self.leaves) - 1, manifest_envelope=body.decode()
        )
        feed.append(entry)
        return entry

    def _feed(self, dataset: str, since: int) -> ReleaseList:
        if dataset not in self.records:
            raise NotFound(dataset)
        return ReleaseList(releases=[one for one in self.feeds.get(dataset, []) if one.number > since])

    # --- agreements -------------------------------------------------------------------------------

    def terms(self, application: Signed[Application], /, **changes: Any) -> Agreement:
        asked = application.statement
        record = self.records[asked.dataset]
        return Agreement(
            agreement=new_id(Kind.AGREEMENT),
            application=application.digest,
            provider=record.statement.provider,
            consumer=asked.consumer,
            dataset=asked.dataset,
            record=record.digest,
            sharing=record.statement.sharing,
            purpose=asked.purpose,
            not_before=self.clock.now(),
            expires_at=asked.until,
        ).model_copy(update=changes)

    def _apply(self, envelope: str) -> ApplicationView:
        signed = peek_statement(envelope, Application)
        self.applications[signed.statement.application] = ApplicationView(
            application=signed.statement.application,
            state=ApplicationState.WAITING,
            application_envelope=envelope,
            agreement=None,
            agreement_envelope=None,
            agreement_payload=self.terms(signed).canonical().decode(),
            reasons=[],
        )
        return self._advance(signed.statement.application)

    def _advance(self, name: str) -> ApplicationView:
        """Ask the provider, unless it has answered, then the consumer, and join the signatures."""
        view = self.applications[name]
        if self.offer is None:
            return view
        offer = AgreementOffer(
            application_envelope=view.application_envelope, agreement_payload=view.agreement_payload or ""
        )
        terms = Agreement.parse(offer.agreement_payload.encode())
        first = self.answers_given.get(name) or self.offer(terms.provider, offer)
        if first.outcome == "signed":
            second = self.offer(terms.consumer, offer)
            assert first.envelope is not None
            assert second.envelope is not None
            envelope = join(first.envelope, second.envelope)
            view = view.model_copy(
                update={
                    "state": ApplicationState.AGREED,
                    "agreement": terms.agreement,
                    "agreement_envelope": envelope,
                }
            )
        if first.outcome == "refused":
            view = view.model_copy(update={"state": ApplicationState.REFUSED, "reasons": first.reasons})
        self.applications[name] = view
        return view

    def _subscribe(self, asked: SubscriptionRequest) -> SubscriptionView:
        for view in self.subscriptions.values():
            if view.agreement == asked.agreement:
                return view
        terms = Agreement.parse(self._agreed(asked.agreement).envelope.payload)
        view = SubscriptionView(
            subscription=new_id(Kind.SUBSCRIPTION),
            agreement=asked.agreement,
            dataset=terms.dataset,
            provider=terms.provider,
            consumer=terms.consumer,
            next_seq=1,
            cursor=0,
        )
        self.subscriptions[view.subscription] = view
        return view

    def _agreed(self, agreement: str) -> Signed[Agreement]:
        for view in self.applications.values():
            if view.agreement == agreement and view.agreement_envelope is not None:
                return peek_statement(view.agreement_envelope, Agreement)
        raise NotFound(agreement)


def join(provider: str, consumer: str) -> str:
    """Put both parties' signatures into one envelope."""
    first, second = orjson.loads(provider), orjson.loads(consumer)
    first["signatures"] += second["signatures"]
    return orjson.dumps(first, option=orjson.OPT_SORT_KEYS).decode()


def wire(message: Wire) -> httpx.Response:
    """Answer with a message."""
    return httpx.Response(200, content=message.canonical())
