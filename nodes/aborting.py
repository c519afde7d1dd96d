"""Give an open grant up in this node's name, so that the next one need not wait until it expires.

The exchange may be out of reach: then nothing is lost, because an open grant expires by itself.
"""

import structlog

from contracts.errors import HeadwatersError
from contracts.messages import Abort, LoggedGrant, ReceiptState, utc
from nodes.granted import peek_grant
from nodes.node import Node
from nodes.signed import sign_statement

log = structlog.get_logger(__name__)


def abort(node: Node, grant: str, grant_index: int, reason: str) -> ReceiptState:
    """Sign that this node gives a grant up, and hand it in; raise what the exchange answers."""
    statement = Abort(
        grant=grant,
        grant_index=grant_index,
        participant=node.participant,
        reason=reason,
        at=utc(node.clock.now()),
    )
    return node.broker.abort(grant, sign_statement(statement, node.node_key).text)


def give_up(node: Node, logged: LoggedGrant, error: HeadwatersError) -> None:
    """Abort a grant that can lead to nothing because of ``error``, as far as the exchange can be reached."""
    grant = peek_grant(logged).statement.grant
    try:
        state = abort(node, grant, logged.index, error.code)
    except HeadwatersError as refused:
        log.warning("abort_not_taken", grant=grant, code=refused.code)
    else:
        log.info("grant_given_up", grant=grant, reason=error.code, state=state.state)
