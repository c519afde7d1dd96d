"""Trust roots and the provinces that signed them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``trust_root``."""
    op.create_table(
        "trust_root",
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("by", sa.String(20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger()),
    )
    op.create_index("ix_trust_root_number", "trust_root", ["number"])
