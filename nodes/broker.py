"""The exchange as a node sees it: one method for each call, typed with ``contracts.messages``.

Every call but the open ones is signed (RFC 9421) with the node's key; a refusal comes back as the error
that the exchange raised. Nothing is retried here: a write that failed is the caller's, or the outbox's, to
send again. DSSE envelopes travel as JSON text; ``nodes.trusting.trust`` says whether they hold.
"""

from collections.abc import Mapping
from contextlib import closing
from typing import Self

import httpx

from audit.httpsig import RequestSigner
from audit.keys.signing import Signer
from audit.keys.trust_file import RootList, SignedRoot
from contracts.clock import Clock
from contracts.errors import Unavailable
from contracts.messages import (
    AgreementAnswer,
    ApplicationList,
    ApplicationView,
    BadMessage,
    Catalog,
    CatalogEntry,
    Consistency,
    CountState,
    DeprecationList,
    DeprecationView,
    EventList,
    ForkAnswer,
    ForkReport,
    HeadsCut,
    HeadsCutList,
    ImpactList,
    Inclusion,
    JoinAnswer,
    LoggedGrant,
    MailboxAnswer,
    MemberState,
    MemberStatus,
    ObjectionFiling,
    ObjectionList,
    ObjectionView,
    OwnHeads,
    Probe,
    ProbeAnswer,
    ReceiptDelivery,
    ReceiptState,
    RecipientList,
    RelayRequest,
    ReleaseEntry,
    ReleaseList,
    ShardList,
    Sharing,
    StepFiling,
    SubscriptionList,
    SubscriptionRequest,
    SubscriptionView,
    TransferRequest,
)
from contracts.problem import error_from
from contracts.spelling import NotBase64, from_base64
from nodes.addresses import checked_base, is_loopback_url, tls_context
from nodes.answers import PLAIN, read_answer

TIMEOUT_SECONDS = 20.0
RELAY_TIMEOUT_SECONDS = 60.0


class ExchangeSilent(Unavailable):
    """The exchange does not answer."""

    code = "exchange-silent"
    title_zh = "交换中心没有应答"
    next_zh = "检查网络与交换中心地址;节点会自动重连,稍后再试。"
    next_en = (
        "Check the network and the exchange's address; the node reconnects by itself, so try again later."
    )


class Broker:
    """A client of the exchange; safe to share between threads; ``close`` it."""

    def __init__(
        self,
        base_url: str,
        *,
        participant: str,
        key: Signer,
        clock: Clock,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Hold a client; raise PlainHttpRefused for plain HTTP off loopback. Opens no connection yet."""
        self._base = checked_base(base_url)
        self._auth = RequestSigner(key, participant, clock)
        self._client = httpx.Client(
            base_url=self._base,
            transport=transport,
            timeout=TIMEOUT_SECONDS,
            headers=PLAIN,
            trust_env=not is_loopback_url(self._base),
            verify=tls_context(),
        )

    # --- membership -------------------------------------------------------------------------------

    def join(self, registration: str) -> JoinAnswer:
        """Hand in a signed registration (POST /join)."""
        return JoinAnswer.parse(self._send("POST", "/join", registration.encode(), signed=False))

    def member_status(self, participant: str) -> MemberStatus:
        """Ask where a participant stands (GET /members/{p}/status)."""
        return MemberState.parse(self._send("GET", f"/members/{participant}/status", signed=False)).status

    def directory(self) -> str:
        """Fetch the newest directory's envelope, not yet verified (GET /directory)."""
        return _text(self._send("GET", "/directory", signed=False))

    def rotate_key(self, rotation: str) -> MemberState:
        """Hand in a signed KeyRotation, again and again if need be (POST /keys/rotations)."""
        return MemberState.parse(self._send("POST", "/keys/rotations", rotation.encode(), signed=False))

    def revoke_key(self, revocation: str) -> MemberState:
        """Hand in a signed KeyRevocation (POST /keys/revocations)."""
        return MemberState.parse(self._send("POST", "/keys/revocations", revocation.encode(), signed=False))

    def revocations(self) -> str:
        """Fetch a fresh revocation list's envelope, not yet verified (GET /revocations)."""
        return _text(self._send("GET", "/revocations", signed=False))

    def probe(self, nonce: str) -> ProbeAnswer:
        """Prove that signed calls work in both directions (POST /probe)."""
        return ProbeAnswer.parse(self._send("POST", "/probe", Probe(nonce=nonce).canonical()))

    def relay(self, provider: str, request: RelayRequest) -> MailboxAnswer:
        """Carry a signed request to a provider without an inbound port (POST /relay/{provider})."""
        raw = self._send(
            "POST", f"/relay/{provider}", request.canonical(), timeout_seconds=RELAY_TIMEOUT_SECONDS
        )
        return MailboxAnswer.parse(raw)

    # --- catalog ----------------------------------------------------------------------------------

    def register_contract(self, registration: str) -> None:
        """Register a signed ContractRegistration (POST /contracts)."""
        self._send("POST", "/contracts", registration.encode())

    def contract(self, contract_id: str, version: str) -> str:
        """Fetch the ContractRegistration envelope of one version (GET /contracts/{id}/{version})."""
        return _text(self._send("GET", f"/contracts/{contract_id}/{version}", signed=False))

    def register_dataset(self, record: str) -> None:
        """Register a signed DatasetRecord (POST /datasets)."""
        self._send("POST", "/datasets", record.encode())

    def dataset(self, dataset: str) -> CatalogEntry:
        """Read one dataset's catalog entry (GET /datasets/{id})."""
        return CatalogEntry.parse(self._send("GET", f"/datasets/{dataset}"))

    def catalog(self, text: str = "", sharing: Sharing | None = None) -> Catalog:
        """Search the catalog (GET /catalog)."""
        query = {"q": text, **({} if sharing is None else {"sharing": sharing.value})}
        return Catalog.parse(self._send("GET", "/catalog", query=query))

    def publish_release(self, dataset: str, manifest: str) -> ReleaseEntry:
        """Announce a signed Manifest (POST /datasets/{id}/releases)."""
        return ReleaseEntry.parse(self._send("POST", f"/datasets/{dataset}/releases", manifest.encode()))

    def releases(self, dataset: str, since: int = 0) -> ReleaseList:
        """List a feed's releases with a number above ``since`` (GET /datasets/{id}/releases)."""
        return ReleaseList.parse(
            self._send("GET", f"/datasets/{dataset}/releases", query={"since": str(since)})
        )

    # --- versions of contracts --------------------------------------------------------------------

    def impact(self, contract: str, version: str, instead_of: str | None) -> ImpactList:
        """Ask who of this node's subscribers loses what (GET /contracts/{id}/{version}/impact)."""
        query = {} if instead_of is None else {"instead_of": instead_of}
        return ImpactList.parse(self._send("GET", f"/contracts/{contract}/{version}/impact", query=query))

    def deprecate(self, notice: str) -> DeprecationView:
        """Hand in a signed Deprecation (POST /deprecations)."""
        return DeprecationView.parse(self._send("POST", "/deprecations", notice.encode()))

    def deprecations(self) -> DeprecationList:
        """List the notices that concern this node (GET /deprecations)."""
        return DeprecationList.parse(self._send("GET", "/deprecations"))

    def acknowledge_deprecation(self, answer: str) -> DeprecationView:
        """Hand in a signed Acknowledgement (POST /deprecations/acknowledgements)."""
        return DeprecationView.parse(self._send("POST", "/deprecations/acknowledgements", answer.encode()))

    # --- applications and agreements --------------------------------------------------------------

    def apply(self, application: str) -> ApplicationView:
        """Hand in a signed Application (POST /applications); Refused carries the policy's reasons."""
        return ApplicationView.parse(self._send("POST", "/applications", application.encode()))

    def applications(self) -> list[ApplicationView]:
        """List the applications in which this participant is consumer or provider (GET /applications)."""
        return ApplicationList.parse(self._send("GET", "/applications")).applications

    def answer_application(self, application: str, answer: AgreementAnswer) -> ApplicationView:
        """Sign, hold or refuse as the provider, after a person decided (POST /applications/{id}/answer)."""
        raw = self._send("POST", f"/applications/{application}/answer", answer.canonical())
        return ApplicationView.parse(raw)

    # --- subscriptions and transfers --------------------------------------------------------------

    def subscribe(self, agreement: str) -> SubscriptionView:
        """Open, or find again, the subscription under an agreement (POST /subscriptions)."""
        raw = self._send("POST", "/subscriptions", SubscriptionRequest(agreement=agreement).canonical())
        return SubscriptionView.parse(raw)

    def subscriptions(self) -> list[SubscriptionView]:
        """List this participant's subscriptions (GET /subscriptions)."""
        return SubscriptionList.parse(self._send("GET", "/subscriptions")).subscriptions

    def subscription_releases(self, subscription: str, since: int) -> ReleaseList:
        """List a subscription's releases after a cursor (GET /subscriptions/{id}/releases)."""
        path = f"/subscriptions/{subscription}/releases"
        return ReleaseList.parse(self._send("GET", path, query={"since": str(since)}))

    def request_transfer(self, request: TransferRequest) -> LoggedGrant:
        """Ask for one release (POST /transfers); Refused carries the reasons, after they were logged."""
        return LoggedGrant.parse(self._send("POST", "/transfers", request.canonical()))

    def deliver_receipts(self, delivery: ReceiptDelivery) -> ReceiptState:
        """Hand in receipts, again and again if need be (POST /transfers/{grant}/receipts)."""
        raw = self._send("POST", f"/transfers/{delivery.grant}/receipts", delivery.canonical())
        return ReceiptState.parse(raw)

    def receipt_state(self, grant: str) -> ReceiptState:
        """Ask how far a grant's evidence has come (GET /transfers/{grant})."""
        return ReceiptState.parse(self._send("GET", f"/transfers/{grant}"))

    def abort(self, grant: str, abort: str) -> ReceiptState:
        """Give an open grant up with a signed Abort (POST /transfers/{grant}/abort)."""
        return ReceiptState.parse(self._send("POST", f"/transfers/{grant}/abort", abort.encode()))

    # --- objections and corrections ---------------------------------------------------------------

    def raise_objection(self, filing: ObjectionFiling) -> ObjectionView:
        """Hand in an objection, again and again if need be (POST /objections)."""
        return ObjectionView.parse(self._send("POST", "/objections", filing.canonical()))

    def objection_step(self, objection: str, filing: StepFiling) -> ObjectionView:
        """Hand in a step about an objection (POST /objections/{id}/steps)."""
        return ObjectionView.parse(self._send("POST", f"/objections/{objection}/steps", filing.canonical()))

    def objections(self) -> ObjectionList:
        """List this participant's objections, raised and received (GET /objections)."""
        return ObjectionList.parse(self._send("GET", "/objections"))

    def objection(self, objection: str) -> ObjectionView:
        """Read how one objection stands, not yet verified (GET /objections/{id})."""
        return ObjectionView.parse(self._send("GET", f"/objections/{objection}"))

    def recipients(self, dataset: str, number: int) -> RecipientList:
        """List whom an own correction has to reach (GET /datasets/{id}/releases/{n}/recipients)."""
        return RecipientList.parse(self._send("GET", f"/datasets/{dataset}/releases/{number}/recipients"))

    # --- completeness -----------------------------------------------------------------------------

    def heads_cuts(self, since: int) -> list[HeadsCut]:
        """List the cuts of the subscription heads after a number, a page of them (GET /heads)."""
        return HeadsCutList.parse(self._send("GET", "/heads", query={"since": str(since)})).cuts

    def own_heads(self, number: int) -> OwnHeads:
        """Read what a cut says of this participant's subscriptions (GET /heads/{number}).

        Raises:
            Conflict: with code ``not-yet-witnessed`` while no quorum-cosigned checkpoint covers the cut.
        """
        return OwnHeads.parse(self._send("GET", f"/heads/{number}"))

    def hand_in_count(self, count: str) -> CountState:
        """Hand in a signed TransferCount, again and again if need be (POST /counts)."""
        return CountState.parse(self._send("POST", "/counts", count.encode()))

    def silence(self, subscription: str, since_ms: int, until_ms: int) -> bytes:
        """Fetch a proof that nothing was sent, not yet verified (GET /subscriptions/{id}/silence)."""
        query = {"since": str(since_ms), "until": str(until_ms)}
        return self._send("GET", f"/subscriptions/{subscription}/silence", query=query)

    # --- log and events ---------------------------------------------------------------------------

    def shards(self) -> ShardList:
        """List the log's shards with the proofs of their ends, not yet verified (GET /log/shards)."""
        return ShardList.parse(self._send("GET", "/log/shards", signed=False))

    def checkpoint(self, shard: int | None = None) -> bytes:
        """Fetch a shard's newest published checkpoint, not yet verified (GET /log/checkpoint)."""
        return self._send("GET", f"{_log(shard)}/checkpoint", signed=False)

    def inclusion(self, index: int, shard: int | None = None) -> Inclusion:
        """Fetch an inclusion proof under the newest quorum-cosigned checkpoint (GET /log/proof/{index}).

        Raises:
            Conflict: with code ``not-yet-witnessed`` while no such checkpoint covers the entry.
        """
        return Inclusion.parse(self._send("GET", f"{_log(shard)}/proof/{index}"))

    def logged_statement(self, digest: str) -> Inclusion:
        """Fetch the proof of where a signed statement was logged, not verified (/log/statements/{digest})."""
        return Inclusion.parse(self._send("GET", f"/log/statements/{digest}"))

    def consistency(self, old: int, new: int, shard: int | None = None) -> list[bytes]:
        """Fetch a consistency path between two sizes (GET /log/consistency/{old}/{new})."""
        raw = self._send("GET", f"{_log(shard)}/consistency/{old}/{new}", signed=False)
        try:
            return [from_base64(text) for text in Consistency.parse(raw).path]
        except NotBase64 as error:
            raise BadMessage("a consistency hash is not base64") from error

    def report_fork(self, fork: str) -> ForkAnswer:
        """Hand in the base64 of a proof that a log signed two histories (POST /log/forks)."""
        return ForkAnswer.parse(self._send("POST", "/log/forks", ForkReport(fork=fork).canonical()))

    def log_file(self, path: str, shard: int | None = None) -> bytes:
        """Fetch a tile, a bundle of entries or ``heads``, not verified; all but hash tiles is for members."""
        return self._send("GET", f"{_log(shard)}/{path}", signed=path.startswith(("tile/entries/", "heads")))

    # --- trust roots ------------------------------------------------------------------------------

    def trust_roots(self, since: int = 0) -> RootList:
        """Fetch the signed roots after a number, and the proposals; not yet verified (GET /trust/roots)."""
        return RootList.parse(self._send("GET", "/trust/roots", query={"since": str(since)}, signed=False))

    def hand_in_root(self, root: SignedRoot) -> RootList:
        """Hand in a proposal, or more signatures for one (POST /trust/roots)."""
        return RootList.parse(self._send("POST", "/trust/roots", root.canonical()))

    # --- security events --------------------------------------------------------------------------

    def events(self, since: int) -> EventList:
        """List the signed security events after a number (GET /events)."""
        return EventList.parse(self._send("GET", "/events", query={"since": str(since)}))

    # --- the wire ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: Mapping[str, str] | None = None,
        signed: bool = True,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> bytes:
        request = self._client.build_request(
            method,
            path,
            params=query,
            content=body,
            headers={"content-type": "application/json"} if body else {},
            timeout=timeout_seconds,
        )
        try:
            response = self._client.send(request, auth=self._auth if signed else None, stream=True)
            with closing(response):
                answer = read_answer(response)
        except httpx.TransportError as error:
            raise ExchangeSilent(f"{self._base} does not answer: {type(error).__name__}") from error
        if response.is_success:
            return answer
        raise error_from(response.status_code, answer)


def _log(shard: int | None) -> str:
    """Give the prefix of a shard's files, the newest one's by default."""
    return "/log" if shard is None else f"/log/shards/{shard}"


def _text(raw: bytes) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise BadMessage("an envelope is ASCII text") from error
