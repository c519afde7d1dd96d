"""No onward sharing at the exchange: what a participant received is not taken as a release of its own."""

from importlib import import_module
from typing import Any

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from audit.log.entry import EntryKind
from contracts.canonical import sha256_hex
from contracts.messages import Distribution, ReceiptRole, SourceNote
from exchange.catalog import flow as catalog
from exchange.transfers.store import received_under
from nodes.publishing.onward import OnwardSharing
from nodes.signed import sign_statement
from tests.exchange.signers import Participant
from tests.exchange.trading import Trade, grant_of

VIEW = sha256_hex(b"view")
OWN = "own-air"
AS_SOURCE = {"source": SourceNote(file_name="a.parquet", sha256=VIEW, place="Chengdu", synthetic=False)}
AS_RELEASE = {
    "distribution": Distribution(
        media_type="application/vnd.apache.parquet",
        sha256=VIEW,
        chunk_root=sha256_hex(b"\x00view"),
        size_bytes=4,
    )
}


def delivered(trade: Trade) -> str:
    """Have the provider's receipt on record; give the grant."""
    logged = trade.alliance.request(trade.consumer, trade.subscription)
    trade.alliance.deliver(
        trade.provider, logged, trade.alliance.receipt(trade.provider, ReceiptRole.PROVIDER, logged)
    )
    return grant_of(logged).grant


def publish(trade: Trade, node: Participant, **changes: Any) -> None:
    trade.alliance.declare(node, OWN)
    manifest = trade.alliance.manifest(node, OWN, **changes)
    envelope = sign_statement(manifest, node.key).text
    trade.alliance.run(catalog.publish_release(trade.alliance.parts, node.caller, OWN, envelope))


@pytest.mark.parametrize("changes", [AS_SOURCE, AS_RELEASE])
def test_received_bytes_are_not_taken_as_a_release(trade: Trade, changes: dict[str, Any]) -> None:
    """Neither as the source of a release nor as the release itself; nothing of it is logged."""
    delivered(trade)
    before = len(trade.alliance.entries(EntryKind.RELEASE_PUBLISH))

    with pytest.raises(OnwardSharing):
        publish(trade, trade.consumer, **changes)

    assert len(trade.alliance.entries(EntryKind.RELEASE_PUBLISH)) == before


@pytest.mark.parametrize("changes", [AS_SOURCE, AS_RELEASE])
def test_the_provider_is_not_bound_by_what_it_gave(trade: Trade, changes: dict[str, Any]) -> None:
    """Its own view may become a dataset of its own."""
    delivered(trade)

    publish(trade, trade.provider, **changes)

    assert catalog.dataset_entry(trade.alliance.parts, OWN).latest_release == 1


def test_what_was_only_granted_binds_nobody(trade: Trade) -> None:
    """Without the provider's receipt no bytes are known to have left."""
    trade.alliance.request(trade.consumer, trade.subscription)

    publish(trade, trade.consumer, **AS_SOURCE)

    assert catalog.dataset_entry(trade.alliance.parts, OWN).latest_release == 1


def test_receipts_from_before_the_rule_bind_too(trade: Trade) -> None:
    """The migration reads what was received out of the receipts on record."""
    grant = delivered(trade)
    database = trade.alliance.parts.database
    revision = import_module("exchange.migrations.versions.0013_received_views")
    with database.write_connection() as connection:
        connection.execute(text("DROP TABLE received_view"))
        with Operations.context(MigrationContext.configure(connection)):
            revision.upgrade()

    with database.read() as session:
        assert received_under(session, trade.consumer.id, VIEW) == grant
        assert received_under(session, trade.provider.id, VIEW) is None
