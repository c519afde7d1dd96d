"""What obligations need to be kept: quotas that are spent, marks that were given out, deadlines to delete."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the books of use, fetches and marks; forget old views, which kept the rows in their order."""
    op.create_table(
        "use",
        sa.Column("grant_id", sa.String(14), primary_key=True),
        sa.Column("dataset", sa.String(63), nullable=False),
        sa.Column("consumer", sa.String(14), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_use_consumer", "use", ["dataset", "consumer", "at"])
    op.create_table(
        "answered_fetch",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("grant_id", sa.String(14), nullable=False),
        sa.Column("dataset", sa.String(63), nullable=False),
        sa.Column("consumer", sa.String(14), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_answered_fetch_consumer", "answered_fetch", ["dataset", "consumer", "at"])
    op.create_table(
        "watermark",
        sa.Column("token", sa.String(64), primary_key=True),
        sa.Column("artifact", sa.String(71), nullable=False),
        sa.Column("obligations", sa.String(71), nullable=False),
        sa.Column("recipient", sa.String(14), nullable=False),
        sa.Column("dataset", sa.String(63), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.add_column("received", sa.Column("purpose", sa.String(63)))
    op.add_column("received", sa.Column("delete_after", sa.BigInteger()))
    op.add_column("received", sa.Column("purged_at", sa.BigInteger()))
    op.add_column("view", sa.Column("discharged", sa.Text(), nullable=False, server_default="[]"))
    op.execute(sa.delete(sa.table("view")))
