"""Ask the policy outside any transaction, then act only if the facts are still the same.

The facts are gathered twice by the same function: for the question, and again inside the unit that acts. A
revision or a policy that differs, or a decision that is no longer valid, asks again; after three times it
gives up. What a permit let happen is kept with its question, in the same unit.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeAlias, TypeVar

from sqlmodel import Session

from audit.log.unit import Committed, Unit
from contracts.clock import epoch_ms
from contracts.errors import Conflict
from exchange.agreements.facts import G, Gathered
from exchange.incidents.denials import Denial, refuse
from exchange.parts import Parts
from exchange.policies.flow import follow
from exchange.policies.ledger import keep
from exchange.policies.store import active_digest
from policies.decision import Decision, Question

ATTEMPTS = 3

T = TypeVar("T")
Gather: TypeAlias = Callable[[Session, datetime], Gathered[G]]
Act: TypeAlias = Callable[[Unit, Gathered[G], Decision], T]


class FactsChanged(Conflict):
    """The facts kept changing while the policy decided."""

    code = "facts-changed"
    title_zh = "作出决定期间事实不断变化"
    next_zh = "稍后重试。"
    next_en = "Try again in a moment."


class PolicyChanged(FactsChanged):
    """Another policy came into force while this one decided."""

    code = "policy-changed"
    title_zh = "作出决定期间访问策略已变更"


async def decide_and_act(parts: Parts, gather: Gather[G], act: Act[G, T]) -> Committed[T]:
    """Decide on the facts that ``gather`` reads and run ``act`` in a log unit if they still hold.

    ``act`` is given what was gathered in its unit, so that it reads nothing again.

    Raises Refused or TooManyDenials after the denial is durable, FactsChanged after three attempts, and
    whatever ``gather`` and ``act`` raise.
    """
    for _ in range(ATTEMPTS):
        with parts.database.read() as session:
            question = gather(session, parts.clock.now()).question
        decision = await parts.policy.decide(question)
        if not decision.allowed:
            await refuse(parts, Denial.of(question, decision))
        try:
            return await parts.log.commit(partial(_act_if_same, gather, act, question, decision))
        except FactsChanged as changed:
            if isinstance(changed, PolicyChanged):
                follow(parts)
    raise FactsChanged


def _act_if_same(gather: Gather[G], act: Act[G, T], question: Question, decision: Decision, unit: Unit) -> T:
    if epoch_ms(unit.now) >= decision.valid_until_ms:
        raise FactsChanged("the decision is too old")
    if active_digest(unit.session) not in {decision.policy_digest, None}:
        raise PolicyChanged("another policy is in force")
    gathered = gather(unit.session, unit.now)
    if gathered.question.revision != decision.revision:
        raise FactsChanged
    size = unit.size
    value = act(unit, gathered, decision)
    if unit.size > size:
        keep(unit, question, decision)
    return value
