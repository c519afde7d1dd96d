"""Give an open grant up: one side signs why, the log says so, and the next grant need not wait for expiry.

An abort closes a grant as an expiry does: it owes nobody a receipt, and both receipts may still close it.
"""

from functools import partial

import structlog

from audit.log.entry import EntryKind
from audit.log.unit import Unit
from contracts.messages import Abort, ReceiptState
from exchange.evidence import check_speaker
from exchange.identity import Caller
from exchange.parts import Parts
from exchange.transfers import model, store
from exchange.transfers.chain import append_closing, chained_subscription, place_of_grant
from exchange.transfers.flow import own_transfer, state_of
from exchange.transfers.model import State
from nodes.signed import Signed, read_statement

log = structlog.get_logger(__name__)


async def abort_transfer(parts: Parts, caller: Caller, grant: str, envelope: str) -> ReceiptState:
    """Log that the caller gives an open grant up, and give the transfer's state.

    A grant that is closed already stays as it is, and its state says so. Raises GrantUnknown,
    SignatureInvalid, OtherSigner or AbortForeign.
    """
    with parts.database.read() as session:
        row = own_transfer(store.find_transfer(session, grant), caller.participant, grant)
    signed = read_statement(envelope, Abort, caller.key)
    check_speaker(signed.statement.participant, caller.participant)
    said = (signed.statement.grant, signed.statement.grant_index)
    if said != (grant, place_of_grant(parts, row)[1]):
        raise model.AbortForeign(f"the abort is not about {grant}", grant=grant)
    committed = await parts.log.commit(partial(_abort, signed))
    log.info("transfer_aborted", grant=grant, state=committed.value.state, reason=signed.statement.reason)
    return committed.value


def _abort(signed: Signed[Abort], unit: Unit) -> ReceiptState:
    abort = signed.statement
    row = store.find_transfer(unit.session, abort.grant)
    if row is None:
        raise model.GrantUnknown(f"{abort.grant} is not on record")
    if row.state not in model.OPEN:
        return state_of(row, unit.located)
    fields = {"by": abort.participant, "why": abort.reason, "dig": signed.digest}
    append_closing(unit, chained_subscription(unit, row.subscription), row, EntryKind.ABORT, fields)
    row.abort = signed.text
    row.state = State.ABORTED.value
    store.save_transfer(unit.session, row)
    return state_of(row, unit.located)
