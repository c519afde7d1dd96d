"""A subscription's chain in the log: each of its entries names the one before it.

A transfer's entries share its number ``seq``; numbers have no gaps, and ``prev`` runs through grants,
closings and expiries alike, so leaving one out shows.
"""

from collections.abc import Mapping

from audit.log.chains import ChainBroken
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json
from exchange.parts import Parts
from exchange.subscriptions.store import find_subscription
from exchange.subscriptions.tables import SubscriptionRow
from exchange.transfers.tables import TransferRow


def chained_subscription(unit: Unit, name: str) -> SubscriptionRow:
    """Give the subscription of a transfer inside its unit; raise ChainBroken when it is gone."""
    subscription = find_subscription(unit.session, name)
    if subscription is None:
        raise ChainBroken(f"{name} has transfers and no row")
    return subscription


def place_of_grant(parts: Parts, row: TransferRow) -> tuple[str, int]:
    """Give the shard and the index of a transfer's grant."""
    located = parts.log.located(row.entry)
    return located.origin, located.index


def append_linked(unit: Unit, subscription: SubscriptionRow, entry: Entry) -> int:
    """Append ``entry``, make it the subscription's newest, and give its index; raise ChainBroken."""
    if entry.fields["prev"] != subscription.last_leaf:
        raise ChainBroken(f"an entry of {subscription.subscription} was made for another place")
    index = unit.append(entry)
    subscription.last_leaf = unit.leaf_hash(index)
    unit.session.add(subscription)
    return index


def append_closing(
    unit: Unit, subscription: SubscriptionRow, row: TransferRow, kind: EntryKind, said: Mapping[str, Json]
) -> None:
    """Append the entry that closes a transfer and note its place in ``row``; raise ChainBroken."""
    grant = unit.located(row.entry)
    fields: dict[str, Json] = {
        "gid": row.grant_id,
        "gidx": grant.index,
        "sub": row.subscription,
        "seq": row.seq,
        "prev": subscription.last_leaf,
        **({} if grant.origin == unit.origin else {"gsh": grant.origin}),
        **said,
    }
    entry = Entry(kind, unit.now, fields)
    row.closed_entry = append_linked(unit, subscription, entry)
    row.closed_leaf = entry.encode()
