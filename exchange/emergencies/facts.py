"""The fact of an emergency, as a question carries it; read in the session of all other facts."""

from datetime import datetime

from sqlmodel import Session

from contracts.clock import epoch_ms
from contracts.messages import EMERGENCY_PURPOSE
from exchange.emergencies import store
from policies.facts import DatasetFacts, EmergencyFacts


def emergency_facts(
    session: Session, now: datetime, *, dataset: DatasetFacts, theme: str, purpose: str
) -> EmergencyFacts | None:
    """Give the emergency in force that covers a dataset, of several the one that lasts longest.

    It is a fact for what is done in its name only: under any other purpose there is none, so that nothing
    else is ever made easier by it.
    """
    if purpose != EMERGENCY_PURPOSE:
        return None
    covering = [
        (one.over_at, one.statement.emergency)
        for one in store.in_force(session, now)
        if one.statement.scope.covers(
            dataset=dataset.dataset, theme=theme, territory=dataset.provider_territory
        )
    ]
    if not covering:
        return None
    over_at, name = max(covering)
    return EmergencyFacts(name, epoch_ms(over_at))
