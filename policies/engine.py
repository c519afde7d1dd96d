"""The policy engine as a part: one protocol, and a table from URL scheme to builder.

``embedded:`` evaluates Rego inside this process, ``http:`` (on this machine only) and ``https:`` ask an OPA
server; builders are imported only when their scheme is asked for.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, runtime_checkable

from contracts.errors import Usage
from policies.bundle import Bundle
from policies.decision import Decision, Question

_BUILDERS = {
    "embedded": "policies.embedded:build_embedded",
    "http": "policies.opa.server:open_server",
    "https": "policies.opa.server:open_server",
}
DEADLINE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How to reach a policy server; an engine inside this process needs none of it.

    ``ca`` is a PEM file of the authorities to trust instead of the system's; ``certificate`` (a PEM chain)
    and ``client_key`` say who we are; ``token_file`` holds a bearer token, read anew for each question. All
    the time that one decision may take is ``deadline_seconds``.
    """

    ca: Path | None = None
    certificate: Path | None = None
    client_key: Path | None = None
    token_file: Path | None = None
    deadline_seconds: float = DEADLINE_SECONDS


class PolicyEngine(Protocol):
    """Answers questions from one bundle of Rego.

    Durability: none; a decision is kept only by whoever logs it. Ordering: none; answers do not depend on
    earlier questions. Idempotence: the same question gives the same answer under a fresh ``decision_id``.
    An attacker who owns the engine can permit what should be refused and drop obligations, but only under
    the digest he claims: the decision is logged, any third party can replay the question against the bundle
    of that digest, and a provider still checks each grant against the agreement and record it signed itself.
    Of an engine on another machine he sees every question, and can refuse or delay all of them.
    """

    @property
    def digest(self) -> str:
        """Name the bundle that decides."""
        ...

    async def decide(self, question: Question) -> Decision:
        """Answer; never raise for odd facts or a failing engine: that is an ``indeterminate`` refusal."""
        ...

    def close(self) -> None:
        """Let go of what is held; later questions are refused."""
        ...


@runtime_checkable
class PullingEngine(PolicyEngine, Protocol):
    """A PolicyEngine that fetches its bundle by itself, so it changes bundles at a moment of its own.

    Each decision names the bundle that made it. While a change is under way two bundles are expected; an
    answer from a bundle that is not expected is an indeterminate refusal.
    """

    def expect(self, first: str, *others: str) -> None:
        """Accept answers from the bundles of these digests and from no other; ``digest`` is the first."""
        ...

    async def serving(self) -> str | None:
        """Ask for the digest of the bundle that decides there now; None when it cannot be asked."""
        ...


class UnknownScheme(Usage):
    """There is no policy engine under this URL scheme."""

    code = "policy-engine-unknown"
    title_zh = "没有这种策略引擎"
    next_zh = "使用 embedded:(进程内引擎),或 OPA 服务器的 https:// 地址(本机可用 http://)。"
    next_en = "Use embedded: (the engine inside this process), or the https:// URL of an OPA server."


def open_engine(url: str, bundle: Bundle | None = None, options: EngineOptions | None = None) -> PolicyEngine:
    """Open ``embedded:``, ``embedded:FOLDER``, or an OPA server by its URL.

    ``bundle`` is what is to decide; without it, it is the one in FOLDER or the shipped one. Raises
    UnknownScheme for other schemes, and what the builder raises for a bundle or options that do not fit.
    """
    scheme, colon, _ = url.partition(":")
    if not colon or scheme not in _BUILDERS:
        raise UnknownScheme(f"no policy engine for {scheme[:40]!r}; known: {', '.join(_BUILDERS)}:")
    module, _, name = _BUILDERS[scheme].partition(":")
    engine: PolicyEngine = getattr(import_module(module), name)(url, bundle, options or EngineOptions())
    return engine
