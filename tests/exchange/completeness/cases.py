"""What the tests of completeness share: transfers that close, counts, and a log walked as a reader does."""

from audit.completeness.counts import CountedTransfer, count_lines, totals
from audit.formats.merkle import leaf_hash
from audit.log.chains import Chains
from audit.log.entry import parse_entry
from contracts.messages import (
    CountLine,
    CountState,
    Grant,
    HeadsCut,
    LoggedGrant,
    Receipt,
    ReceiptRole,
    SubscriptionHead,
    TransferCount,
)
from exchange.completeness import counting, cutting
from nodes.signed import peek_statement, sign_statement
from tests.exchange.signers import Participant
from tests.exchange.trading import Trade, grant_of

PROVIDER, CONSUMER = ReceiptRole.PROVIDER, ReceiptRole.CONSUMER


def complete(trade: Trade, release: int = 1) -> tuple[Grant, Receipt]:
    """Let one release move, with both receipts; give the grant and the provider's receipt."""
    alliance = trade.alliance
    logged = alliance.request(trade.consumer, trade.subscription, release)
    ours = alliance.receipt(trade.provider, PROVIDER, logged)
    alliance.deliver(trade.consumer, logged, ours, alliance.receipt(trade.consumer, CONSUMER, logged))
    return grant_of(logged), peek_statement(ours, Receipt).statement


def half(trade: Trade, release: int = 1) -> LoggedGrant:
    """Let the provider hand in its receipt and nobody else."""
    alliance = trade.alliance
    logged = alliance.request(trade.consumer, trade.subscription, release)
    alliance.deliver(trade.provider, logged, alliance.receipt(trade.provider, PROVIDER, logged))
    return logged


def cut(trade: Trade) -> HeadsCut:
    """Cut the heads now."""
    return trade.alliance.run(cutting.cut_heads(trade.alliance.parts))


def lines_of(role: str, *moved: tuple[Grant, Receipt]) -> list[CountLine]:
    """Count transfers as one side does, from its own books."""
    return count_lines(counted(role, grant, receipt) for grant, receipt in moved)


def counted(role: str, grant: Grant, receipt: Receipt) -> CountedTransfer:
    """Give one transfer as a side has it in its books."""
    return CountedTransfer(
        subscription=grant.subscription,
        role="provider" if role == "provider" else "consumer",
        seq=grant.seq,
        grant=grant.grant,
        size_bytes=receipt.view_size_bytes,
        receipt=receipt.content_digest(),
    )


def count(trade: Trade, node: Participant, at: HeadsCut, lines: list[CountLine]) -> CountState:
    """Sign and hand in a count."""
    sent, received = totals(lines)
    statement = TransferCount(
        participant=node.id,
        cut=at,
        sent=sent,
        received=received,
        lines=lines,
        at=trade.alliance.clock.now(),
    )
    return hand_in(trade, node, statement)


def hand_in(trade: Trade, node: Participant, statement: TransferCount) -> CountState:
    """Sign and hand in a count as it is."""
    envelope = sign_statement(statement, node.key).text
    return trade.alliance.run(counting.take_count(trade.alliance.parts, node.caller, envelope))


def walked_heads(trade: Trade, end: int) -> list[SubscriptionHead]:
    """Compute the heads from the log's entries alone, up to ``end``."""
    chains = Chains()
    for index, leaf in enumerate(trade.alliance.parts.log.entries(0, end)):
        chains.follow(index, parse_entry(leaf), leaf_hash(leaf))
    return chains.heads()
