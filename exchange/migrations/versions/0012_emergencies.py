"""Declared emergencies, and what may be done under them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``emergency`` and ``emergency_use``."""
    op.create_table(
        "emergency",
        sa.Column("emergency", sa.String(14), primary_key=True),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("declared_by", sa.String(64), nullable=False),
        sa.Column("declared_at", sa.BigInteger(), nullable=False),
        sa.Column("over_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_why", sa.String(40), nullable=True),
        sa.Column("reviewed_by", sa.String(64), nullable=True),
        sa.Column("reviewed_at", sa.BigInteger(), nullable=True),
        sa.Column("finding", sa.String(20), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("reminded", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_emergency_over_at", "emergency", ["over_at"])
    op.create_table(
        "emergency_use",
        sa.Column("grant_id", sa.String(14), primary_key=True),
        sa.Column("emergency", sa.String(14), nullable=False),
        sa.Column("provider", sa.String(14), nullable=False),
        sa.Column("consumer", sa.String(14), nullable=False),
        sa.Column("dataset", sa.String(63), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_emergency_use_emergency", "emergency_use", ["emergency"])
