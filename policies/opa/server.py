"""An OPA server as the policy engine: any trouble on the way is an indeterminate answer, which refuses.

One deadline holds over connecting, asking, asking again and reading. An answer counts only when its
provenance names exactly one bundle, with a revision that the exchange expects; OPA pulls that bundle from the
exchange or has it from a file, and nothing is ever uploaded to it.

An attacker who owns the server, or the way to it, sees every question (who asks for which dataset, for which
purpose), can answer as he likes under an expected revision, and can refuse or delay everything. He cannot
answer for a bundle that two people did not approve, make an answer that contradicts itself or the question
count, hold a request longer than the deadline, or read more than questions. What he permits falsely is logged
under the bundle's digest, where anyone can replay the question against it, and the provider still recomputes
from the record that it signed what this consumer may see.
"""

import asyncio
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import orjson
import structlog

from contracts.clock import monotonic_seconds
from policies.bundle import Bundle, shipped_bundle
from policies.decision import Decision, Question
from policies.engine import EngineOptions
from policies.guard import Seal, Undecided, ask, incoming, indeterminate
from policies.opa.address import Address
from policies.opa.breaker import Breaker
from policies.opa.session import Session, Sessions
from policies.opa.tls import client_tls

log = structlog.get_logger(__name__)

_ABSENT = frozenset({"pdp:unavailable", "pdp:timeout", "pdp:untrusted", "pdp:refused"})
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,39}")
_NOTHING = b"{}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said: the decision document as JSON, under which revision, and by which version."""

    result: bytes
    revision: str
    version: str


class ServerEngine:
    """A PullingEngine on an OPA server; see policies.engine for the promises."""

    def __init__(self, url: str, digest: str, options: EngineOptions) -> None:
        """Take the server's URL and the digest of the bundle that is to decide; nothing is asked yet."""
        address = Address.read(url)
        tls = client_tls(address, options)
        self._expected: tuple[str, ...] = (digest,)
        self._deadline_seconds = options.deadline_seconds
        self._sessions = Sessions(lambda: Session(address, options, tls))
        self._breaker = Breaker()
        self._closed = threading.Event()

    @property
    def digest(self) -> str:
        """Name the bundle that is to decide."""
        return self._expected[0]

    def expect(self, first: str, *others: str) -> None:
        """Accept answers from these bundles and from no other; ``digest`` is the first."""
        self._expected = (first, *others)

    async def decide(self, question: Question) -> Decision:
        """Answer one question; see PolicyEngine.decide."""
        seal = Seal(self.digest, "opa")
        try:
            asked = ask(question)
            answer = await self._ask(asked.raw)
            seal = Seal(answer.revision, f"opa/{answer.version}")
            self._check_revision(answer)
            return incoming(answer.result, question, seal, asked.revision)
        except Undecided as fault:
            log.warning("policy_undecided", reason=fault.reason, policy=seal.policy_digest)
            return indeterminate(fault.reason, question, Seal(self.digest, seal.engine))

    async def serving(self) -> str | None:
        """Ask which bundle the server decides with now; None when it cannot be asked."""
        try:
            answer = await self._ask(_NOTHING)
        except Undecided:
            return None
        return answer.revision

    def close(self) -> None:
        """Refuse from now on; each event loop that asked closes its own connections."""
        self._closed.set()
        self._sessions.close()

    def _check_revision(self, answer: Answer) -> None:
        if answer.revision not in self._expected:
            raise Undecided("pdp:wrong-bundle")

    async def _ask(self, document: bytes) -> Answer:
        if self._closed.is_set():
            raise Undecided("pdp:closed")
        if not self._breaker.admit(monotonic_seconds()):
            raise Undecided("pdp:resting")
        try:
            async with asyncio.timeout(self._deadline_seconds):
                session = await self._sessions.current()
                body = await session.ask(document)
        except (Undecided, TimeoutError) as error:
            reason = error.reason if isinstance(error, Undecided) else "pdp:timeout"
            if reason in _ABSENT:
                self._breaker.fail(monotonic_seconds())
            raise Undecided("pdp:closed" if self._closed.is_set() else reason) from error
        self._breaker.succeed()
        return _answer(body)


def open_server(url: str, bundle: Bundle | None, options: EngineOptions) -> ServerEngine:
    """Open a server that is to decide with ``bundle``, or with the shipped one.

    Raises BadPolicyUrl, and PolicyFileExposed or PolicyFileUnreadable for the files that the options name.
    """
    return ServerEngine(url, (bundle or shipped_bundle()).digest, options)


def _answer(body: Mapping[str, object]) -> Answer:
    """Take the body apart; raise Undecided unless it names one bundle and holds an answer."""
    provenance = body.get("provenance")
    if not isinstance(provenance, dict):
        raise Undecided("pdp:wrong-bundle")
    revision = _revision(provenance.get("bundles"))
    if "result" not in body:
        raise Undecided("pdp:undefined")
    try:
        result = orjson.dumps(body["result"])
    except TypeError as error:  # a number beyond 64 bits, or too deep
        raise Undecided("pdp:bad-answer") from error
    version = provenance.get("version")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        version = "unknown"
    return Answer(result, revision, version)


def _revision(bundles: object) -> str:
    """Give the revision of the one bundle that is loaded; two, or none, are not the one that is expected."""
    if not isinstance(bundles, dict) or len(bundles) != 1:
        raise Undecided("pdp:wrong-bundle")
    [named] = bundles.values()
    revision = named.get("revision") if isinstance(named, dict) else None
    if not isinstance(revision, str) or not revision:
        raise Undecided("pdp:wrong-bundle")
    return revision
