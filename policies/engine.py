"""The policy engine as a part: one protocol, and a table from URL scheme to builder.

``embedded:`` evaluates Rego inside this process; builders are imported only when their scheme is asked for.
"""

from importlib import import_module
from typing import Protocol

from contracts.errors import Usage
from policies.decision import Decision, Question

_BUILDERS = {"embedded": "policies.embedded:open_embedded"}


class PolicyEngine(Protocol):
    """Answers questions from one bundle of Rego.

    Durability: none; a decision is kept only by whoever logs it. Ordering: none; answers do not depend on
    earlier questions. Idempotence: the same question gives the same answer under a fresh ``decision_id``.
    An attacker who owns the engine can permit what should be refused and drop obligations, but only under
    the digest he claims: the decision is logged, any third party can replay the question against the bundle
    of that digest, and a provider still checks each grant against the agreement and record it signed itself.
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


class UnknownScheme(Usage):
    """There is no policy engine under this URL scheme."""

    code = "policy-engine-unknown"
    title_zh = "没有这种策略引擎"
    next_zh = "使用 embedded:(进程内引擎)。"
    next_en = "Use embedded: (the engine inside this process)."


def open_engine(url: str) -> PolicyEngine:
    """Open ``embedded:`` (the shipped bundle) or ``embedded:FOLDER``; raise UnknownScheme for others."""
    scheme, colon, rest = url.partition(":")
    if not colon or scheme not in _BUILDERS:
        raise UnknownScheme(f"no policy engine for {scheme[:40]!r}; known: {', '.join(_BUILDERS)}:")
    module, _, name = _BUILDERS[scheme].partition(":")
    engine: PolicyEngine = getattr(import_module(module), name)(rest)
    return engine
