"""Where every subscription stands now, read from the rows that commit with the log's entries.

The same heads follow from the entries alone (``audit.log.chains``); whoever holds a copy of the log
computes them again and compares.
"""

from itertools import groupby

from sqlmodel import Session

from audit.log.shards import Located, locate
from contracts.messages import OpenGrant, SubscriptionHead, SubscriptionHeads
from exchange.agreements.store import find_agreement
from exchange.parts import Parts
from exchange.subscriptions.store import started_subscriptions
from exchange.subscriptions.tables import SubscriptionRow
from exchange.transfers.model import OPEN
from exchange.transfers.store import transfers_not_done
from exchange.transfers.tables import TransferRow


def heads_bytes(parts: Parts, session: Session) -> bytes:
    """Give the canonical bytes of all subscription heads, as the log stands in this session."""
    return SubscriptionHeads(heads=subscription_heads(parts, session)).canonical()


def subscription_heads(parts: Parts, session: Session) -> list[SubscriptionHead]:
    """Give the head of every subscription that had a transfer, by subscription."""
    shards = parts.log.shards()
    waiting = {
        name: [_open_grant(locate(shards, row.entry), row) for row in rows]
        for name, rows in groupby(transfers_not_done(session), key=lambda row: row.subscription)
    }
    heads = [_head(session, row, waiting.get(row.subscription, [])) for row in started_subscriptions(session)]
    # In Python, because a database sorts text by its own collation.
    return sorted(heads, key=lambda head: head.subscription)


def _head(session: Session, row: SubscriptionRow, grants: list[OpenGrant]) -> SubscriptionHead:
    agreement = find_agreement(session, row.agreement)
    return SubscriptionHead.model_validate(
        {
            "subscription": row.subscription,
            "provider": row.provider,
            "consumer": row.consumer,
            # Both rows are the exchange's own: without agreement or entry there is no started subscription.
            "agreement": agreement and agreement.digest,
            "seq": row.next_seq - 1,
            "last_leaf": row.last_leaf,
            "open_grants": grants,
        }
    )


def _open_grant(grant: Located, row: TransferRow) -> OpenGrant:
    return OpenGrant.model_validate(
        {
            "grant": row.grant_id,
            "seq": row.seq,
            "origin": grant.origin,
            "index": grant.index,
            "state": "open" if row.state in OPEN else row.state,
        }
    )
