"""The alliance that these tests play with."""

from tests.exchange.trading import alliance, exchange_home, trade
from tests.postgresql import postgresql_server, postgresql_url

__all__ = ["alliance", "exchange_home", "postgresql_server", "postgresql_url", "trade"]
