"""Two provinces, and an exchange that takes objections."""

import copy

import pytest

from contracts.clock import FrozenClock
from tests.nodes.correcting.corrections_exchange import CorrectionsExchange
from tests.nodes.sharing import Joined, joined, world

__all__ = ["joined", "world"]


@pytest.fixture
def exchange(joined: Joined, clock: FrozenClock) -> CorrectionsExchange:
    """Give a copy of the exchange that both have joined, with room for objections."""
    clock.advance((joined.at - clock.now()).total_seconds())
    fresh = object.__new__(CorrectionsExchange)
    for name, value in vars(joined.exchange).items():
        setattr(fresh, name, copy.copy(value) if isinstance(value, dict | list) else value)
    fresh.revoked = {kind: [] for kind in fresh.revoked}
    fresh.clock = clock
    fresh.begin()
    return fresh
