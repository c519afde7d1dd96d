"""Subscription heads, and what nodes counted themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of the room ``completeness``, and let a transfer name its cut and its abort."""
    op.create_table(
        "heads_cut",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("origin", sa.String(200), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False, unique=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(71), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "node_count",
        sa.Column("cut", sa.Integer(), primary_key=True),
        sa.Column("participant", sa.String(14), primary_key=True),
        sa.Column("envelope", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(71), nullable=True),
        sa.Column("entry", sa.BigInteger(), nullable=True),
        sa.Column("agrees", sa.Boolean(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.add_column("transfer", sa.Column("cut", sa.Integer(), nullable=True))
    op.add_column("transfer", sa.Column("abort", sa.Text(), nullable=True))
    op.create_index("ix_transfer_cut", "transfer", ["cut"])
