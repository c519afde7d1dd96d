"""Rejected rows that are worked through: states, re-submissions, withdrawals."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give each quarantined row a state and what people made of it; those that wait are open."""
    op.add_column("quarantine", sa.Column("state", sa.String(12), nullable=False, server_default="open"))
    op.add_column("quarantine", sa.Column("mended", sa.Text()))
    op.add_column("quarantine", sa.Column("mended_digest", sa.String(71)))
    op.add_column("quarantine", sa.Column("batch", sa.String(71)))
    op.add_column("quarantine", sa.Column("release", sa.Integer()))
    op.add_column("quarantine", sa.Column("person", sa.String(63)))
    op.add_column("quarantine", sa.Column("why", sa.Text()))
    op.add_column("quarantine", sa.Column("changed_at", sa.BigInteger()))
    op.create_index("ix_quarantine_mended_digest", "quarantine", ["mended_digest"])
