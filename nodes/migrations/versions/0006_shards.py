"""Shards of the log that this node knows."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``known_shard``; until a second shard is known it is empty, and the invite's pin counts."""
    op.create_table(
        "known_shard",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("origin", sa.String(255), nullable=False, unique=True),
        sa.Column("vkey", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger()),
        sa.Column("closing", sa.Text()),
    )
