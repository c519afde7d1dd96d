"""Notices of contracts that end, and what this node acknowledged."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``version_statement``."""
    op.create_table(
        "version_statement",
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("about", sa.String(71), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_version_statement_about", "version_statement", ["about"])
    op.create_index("ix_version_statement_state", "version_statement", ["state"])
