"""Expire grants that nobody closed: one ``expire`` each, which says whether a provider's receipt exists.

Where it exists and the consumer's is missing, the subscription owes a receipt and the policy refuses its next
grant until that receipt comes (docs/explanation/transfer.md, step 8).
"""

from functools import partial

import structlog

from audit.log.entry import EntryKind
from audit.log.unit import Unit
from contracts.clock import epoch_ms
from contracts.messages import Receipt
from exchange.parts import Parts
from exchange.transfers import model, store
from exchange.transfers.chain import append_closing, chained_subscription
from exchange.transfers.model import State
from nodes.signed import peek_statement

log = structlog.get_logger(__name__)


async def expire_grants(parts: Parts) -> int:
    """Log ``expire`` for open grants past their time; give how many. A background task calls it."""
    with parts.database.read() as session:
        names = store.overdue(session, parts.clock.now())
    if not names:
        return 0
    committed = await parts.log.commit(partial(_expire_all, names))
    if committed.value:
        log.info("grants_expired", count=committed.value)
    return committed.value


def _expire_all(names: list[str], unit: Unit) -> int:
    return sum(_expire(name, unit) for name in names)


def _expire(name: str, unit: Unit) -> bool:
    row = store.find_transfer(unit.session, name)
    if row is None or row.state not in model.OPEN or epoch_ms(unit.now) < row.expires_at:
        return False  # it was closed in the meantime
    subscription = chained_subscription(unit, row.subscription)
    receipt = row.provider_receipt
    digest = None if receipt is None else peek_statement(receipt, Receipt).digest
    append_closing(unit, subscription, row, EntryKind.EXPIRE, {"pr": digest})
    row.state = State.EXPIRED.value
    store.save_transfer(unit.session, row)
    return True
