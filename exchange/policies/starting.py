"""Which bundle decides when the exchange starts: the one that the log named last, and never another.

The first one is adopted when the exchange is founded, or by a home that is older than the ledger of changes;
that is the founders' act. From then on only two people change it, and a newer bundle that comes with the
software is there to be proposed.
"""

from pathlib import Path

from sqlmodel import Session

from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json
from contracts.clock import epoch_ms
from exchange.log.store import active_policy, last_activation
from exchange.members.on_record import founders_digest, founding_digest
from exchange.members.store import list_people
from exchange.policies import store
from exchange.policies.store import PolicyLost
from exchange.policies.tables import ChangeRow
from policies.bundle import Bundle, read_bundle, shipped_bundle

_EMBEDDED = "embedded:"


def bundle_at_start(session: Session, policy_url: str) -> Bundle:
    """Give the bundle that decides; raise PolicyLost or BundleTampered where the log's is not at hand."""
    digest = digest_in_force(session)
    return founding_bundle(policy_url) if digest is None else known_bundle(session, digest)


def digest_in_force(session: Session) -> str | None:
    """Name the bundle that log and database both have in force; None before the first was adopted.

    Raises PolicyLost where they differ: rows that anybody could edit put no policy in force, and take none
    back to the founders' choice.
    """
    digest, last = store.active_digest(session), last_activation(session)
    if digest is None and (last is None or "by" not in last.fields):
        return None
    logged = None if last is None else last.fields["pol"]
    if logged != digest:
        raise PolicyLost(f"the log has {logged} in force, the database {digest}")
    return digest


def shadow_at_start(session: Session) -> Bundle | None:
    """Give the bundle that is asked beside the one in force, if there is one."""
    digest = store.shadow_digest(session)
    return None if digest is None else store.bundle_of(session, digest)


def known_bundle(session: Session, digest: str) -> Bundle:
    """Give the bundle in force; raise PolicyLost where its files are gone."""
    bundle = store.bundle_of(session, digest)
    if bundle is None:
        raise PolicyLost(f"the files of {digest} are gone")
    return bundle


def founding_bundle(policy_url: str) -> Bundle:
    """Give the bundle that a new exchange begins with: that of ``embedded:FOLDER``, else the shipped one."""
    folder = policy_url.removeprefix(_EMBEDDED) if policy_url.startswith(_EMBEDDED) else ""
    return read_bundle(Path(folder)) if folder else shipped_bundle()


def adopt(unit: Unit, bundle: Bundle) -> None:
    """Put the first bundle in force, with its entry where the log does not name it; later do nothing."""
    session = unit.session
    if store.active_digest(session) is not None:
        return
    store.keep_bundle(session, bundle, {}, unit.now)
    at = epoch_ms(unit.now)
    change = ChangeRow(number=0, bundle=bundle.digest, state=store.ACTIVE, widens=False, at=at, settled_at=at)
    store.add_change(session, change)
    if active_policy(session) != bundle.digest:
        fields: dict[str, Json] = {"pol": bundle.digest}
        if founding_digest(session) is None:
            fields["dig"] = founders_digest(list_people(session))
        unit.append(Entry(EntryKind.POLICY_ACTIVATE, unit.now, fields))
