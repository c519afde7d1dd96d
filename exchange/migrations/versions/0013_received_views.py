"""Which bytes each participant received, so that none of them is published onward."""

import base64
import json

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TRANSFERS = sa.table("transfer", sa.column("grant_id"), sa.column("consumer"), sa.column("provider_receipt"))


def upgrade() -> None:
    """Create ``received_view``, and fill it from the receipts that are on record."""
    views = op.create_table(
        "received_view",
        sa.Column("consumer", sa.String(14), primary_key=True),
        sa.Column("view", sa.String(71), primary_key=True),
        sa.Column("grant_id", sa.String(14), nullable=False),
    )
    known: dict[tuple[str, str], str] = {}
    for grant, consumer, receipt in op.get_bind().execute(
        sa.select(_TRANSFERS.c.grant_id, _TRANSFERS.c.consumer, _TRANSFERS.c.provider_receipt).where(
            _TRANSFERS.c.provider_receipt.is_not(None)
        )
    ):
        payload = json.loads(base64.b64decode(json.loads(receipt)["payload"]))
        known.setdefault((consumer, payload["view_sha256"]), grant)
    if known:
        op.bulk_insert(
            views,
            [{"consumer": who, "view": view, "grant_id": grant} for (who, view), grant in known.items()],
        )
