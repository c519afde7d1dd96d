"""The alliance about which these tests ask."""

from tests.exchange.trading import alliance, exchange_home, trade

__all__ = ["alliance", "exchange_home", "trade"]
