"""The alliance that these tests play with, and the people who change its policy."""

import pytest

from tests.exchange.policies.office import Office
from tests.exchange.trading import Alliance, alliance, exchange_home, trade

__all__ = ["alliance", "exchange_home", "trade"]


@pytest.fixture
def office(alliance: Alliance) -> Office:
    """Give the people of the alliance's exchange."""
    return Office(alliance)
