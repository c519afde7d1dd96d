"""Indexes for an auditor's questions, which name a dataset, a participant or a time, and for erasure."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index what ``exchange.reports`` and ``exchange.retention`` ask for."""
    op.create_index("ix_log_entry_at", "log_entry", ["at"])
    op.create_index("ix_log_entry_kind_at", "log_entry", ["kind", "at"])
    op.drop_index("ix_log_entry_kind", "log_entry")  # the one above serves its questions too
    op.create_index("ix_evidence_at", "evidence", ["at"])
    op.create_index("ix_agreement_dataset", "agreement", ["dataset"])
    op.create_index("ix_subscription_dataset", "subscription", ["dataset"])
    op.create_index("ix_transfer_subscription_entry", "transfer", ["subscription", "entry"])
    op.create_index("ix_transfer_subscription_closed_entry", "transfer", ["subscription", "closed_entry"])
    op.create_index("ix_denial_dataset_at", "denial", ["dataset", "at"])
