"""The alliance that these tests play with."""

from tests.exchange.trading import alliance, exchange_home, trade

__all__ = ["alliance", "exchange_home", "trade"]
