"""The desk: the policy engine that the exchange asks, whichever bundle is in force behind it.

A change of policy prepares the next engine first, so that nothing can fail once the log has it, and swaps it
in between two questions; questions under way end with the engine they began with. An engine that fetches its
bundle by itself (an OPA server) is a moment late: until it names the new revision, the very same bundle is
asked in this process, so that nobody waits and nothing is decided under a policy that is over. A shadow is a
bundle that is asked after every answer, and whose answers are only counted and logged.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

from contracts.canonical import Json
from contracts.clock import monotonic_seconds
from policies.bundle import Bundle
from policies.decision import Decision, Question
from policies.embedded import EmbeddedEngine, check_bundle
from policies.engine import PolicyEngine, PullingEngine
from policies.trying.replay import Difference, difference_between

BRIDGE_SECONDS = 300.0
SHADOW_SECONDS = 5.0
"""A shadow that takes longer over one answer holds up every request beside it, and is dropped."""

_STALE = "pdp:wrong-bundle"

log = structlog.get_logger(__name__)

Opener: TypeAlias = Callable[[Bundle], PolicyEngine]


@dataclass(slots=True)
class Shadowed:
    """What a shadow answered so far, since it was set or since the process started."""

    digest: str
    asked: int = 0
    same: int = 0
    counts: dict[Difference, int] = field(default_factory=dict)


class _Generation:
    """One engine in force, and how many questions it is answering."""

    def __init__(self, bundle: Bundle, engine: PolicyEngine) -> None:
        self.bundle = bundle
        self.engine = engine
        self.under_way = 0
        self.over = False

    async def decide(self, question: Question) -> Decision:
        self.under_way += 1
        try:
            return await self.engine.decide(question)
        finally:
            self.under_way -= 1
            self.close_if_idle()

    def end(self) -> None:
        self.over = True
        self.close_if_idle()

    def close_if_idle(self) -> None:
        if self.over and not self.under_way:
            self.engine.close()


class _Bridge:
    """The new bundle in this process, while the server does not have it yet."""

    def __init__(self, bundle: Bundle, until_seconds: float) -> None:
        self.engine = EmbeddedEngine(bundle)
        self.until_seconds = until_seconds


class Desk:
    """A PolicyEngine over the bundle in force; see policies.engine for the promises."""

    def __init__(self, bundle: Bundle, open_with: Opener) -> None:
        """Open an engine for ``bundle``; raises what ``open_with`` raises."""
        self._open_with = open_with
        self._prepared: dict[str, PolicyEngine] = {}
        self._now = _Generation(bundle, open_with(bundle))
        self._bridge: _Bridge | None = None
        self._shadow: EmbeddedEngine | None = None
        self.shadowed: Shadowed | None = None

    @property
    def digest(self) -> str:
        """Name the bundle that decides."""
        return self._now.bundle.digest

    @property
    def bundle(self) -> Bundle:
        """Give the bundle that decides."""
        return self._now.bundle

    @property
    def is_bridged(self) -> bool:
        """Say whether the server has yet to take the bundle in force."""
        return self._bridge is not None

    async def decide(self, question: Question) -> Decision:
        """Answer one question; see PolicyEngine.decide."""
        decision = await self._now.decide(question)
        # Read now: a question that was under way when the policy changed has to be bridged as well.
        bridge = self._bridge
        if bridge is not None:
            decision = await self._bridged(bridge, question, decision)
        if self._shadow is not None:
            asyncio.get_running_loop().call_soon(self._ask_shadow, question, decision)
        return decision

    def close(self) -> None:
        """Let go of every engine; later questions are refused."""
        self.shadow(None)
        for engine in self._prepared.values():
            engine.close()
        self._prepared.clear()
        self._drop_bridge()
        self._now.engine.close()

    def prepare(self, bundle: Bundle) -> None:
        """Open the engine of a bundle that is about to come into force; raise OutsideProfile and its like."""
        check_bundle(bundle)
        if bundle.digest in self._prepared or isinstance(self._now.engine, PullingEngine):
            return
        self._prepared[bundle.digest] = self._open_with(bundle)

    def drop(self, digest: str) -> None:
        """Let go of an engine that was prepared and is not needed."""
        engine = self._prepared.pop(digest, None)
        if engine is not None:
            engine.close()

    def take(self, bundle: Bundle) -> None:
        """Decide by ``bundle`` from the next question on, which the log has in force already."""
        if bundle.digest == self.digest:
            return
        before, engine = self._now, self._now.engine
        if isinstance(engine, PullingEngine):
            engine.expect(bundle.digest)
            before.bundle = bundle
            self._drop_bridge()
            self._bridge = _Bridge(bundle, monotonic_seconds() + BRIDGE_SECONDS)
        else:
            following = self._prepared.pop(bundle.digest, None)
            self._now = _Generation(bundle, following or self._open_with(bundle))
            before.end()
        log.info("policy_taken", policy=bundle.digest)

    async def look_for_server(self) -> None:
        """Ask a server that was late whether it has the bundle in force by now; end the bridge then."""
        engine, bridge = self._now.engine, self._bridge
        if bridge is None or not isinstance(engine, PullingEngine):
            return
        if await engine.serving() == self.digest or monotonic_seconds() >= bridge.until_seconds:
            self._drop_bridge()

    async def server(self) -> dict[str, Json] | None:
        """Say which bundle a server decides with now, null where it does not answer; None without one."""
        engine = self._now.engine
        return {"policy": await engine.serving()} if isinstance(engine, PullingEngine) else None

    def shadow(self, bundle: Bundle | None) -> None:
        """Ask a bundle that was vetted beside the one in force from now on, or none."""
        if self._shadow is not None:
            self._shadow.close()
        self._shadow = None if bundle is None else EmbeddedEngine(bundle)
        self.shadowed = None if bundle is None else Shadowed(bundle.digest)

    async def _bridged(self, bridge: _Bridge, question: Question, decision: Decision) -> Decision:
        if decision.codes != [_STALE]:
            if decision.outcome != "indeterminate" and bridge is self._bridge:
                self._drop_bridge()  # it named the new revision
            return decision
        if monotonic_seconds() >= bridge.until_seconds:
            return decision
        return await bridge.engine.decide(question)

    def _drop_bridge(self) -> None:
        if self._bridge is not None:
            self._bridge.engine.close()
            self._bridge = None

    def _ask_shadow(self, question: Question, decision: Decision) -> None:
        if self._shadow is None or self.shadowed is None:
            return
        began = monotonic_seconds()
        answer = self._shadow.decide_now(question)
        if monotonic_seconds() - began > SHADOW_SECONDS:
            log.warning("policy_shadow_dropped", shadow=self.shadowed.digest)
            self.shadow(None)
            return
        self.shadowed.asked += 1
        difference = difference_between(decision, answer)
        if difference is None:
            self.shadowed.same += 1
            return
        self.shadowed.counts[difference] = self.shadowed.counts.get(difference, 0) + 1
        log.info(
            "policy_shadow_differs",
            decision=decision.decision_id,
            difference=difference,
            shadow=self.shadowed.digest,
            codes=answer.codes,
        )
