"""What goes wrong while the exchange decides: facts that change between the question and the commit."""

from collections.abc import Callable
from dataclasses import replace

from audit.log.entry import Entry
from exchange.parts import Parts
from exchange.policies.desk import Desk
from policies.decision import Decision, Question
from policies.engine import PolicyEngine


class Meddler:
    """A policy engine during whose decisions something else happens in the exchange."""

    def __init__(self, engine: PolicyEngine, meddle: Callable[[], None]) -> None:
        self._engine = engine
        self._meddle = meddle
        self.asked = 0

    @property
    def digest(self) -> str:
        """Name the bundle."""
        return self._engine.digest

    async def decide(self, question: Question) -> Decision:
        """Decide, while the facts change."""
        self.asked += 1
        decision = await self._engine.decide(question)
        self._meddle()
        return decision

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


def once(action: Callable[[], None]) -> Callable[[], None]:
    """Give a function that acts the first time it is called, and never again."""
    pending = [action]

    def act() -> None:
        if pending:
            pending.pop()()

    return act


def codes(entry: Entry) -> list[str]:
    """Give the reason codes of a deny entry."""
    why = entry.fields["why"]
    assert isinstance(why, list | tuple)
    return [str(code) for code in why]


def with_policy(parts: Parts, policy: PolicyEngine) -> Parts:
    """Give the parts with another policy engine at the desk."""
    return replace(parts, policy=Desk(parts.policy.bundle, lambda _bundle: policy))
