"""Versions of contracts, verdicts on them, deprecations and acknowledgements."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``contract_review``, ``contract_deprecation`` and ``contract_acknowledgement``."""
    op.create_table(
        "contract_review",
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("contract", sa.String(63), nullable=False),
        sa.Column("version", sa.String(20), nullable=False),
        sa.Column("provider", sa.String(14), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("settled_by", sa.String(64), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_contract_review_provider", "contract_review", ["provider"])
    op.create_index("ix_contract_review_state", "contract_review", ["state"])
    op.create_table(
        "contract_deprecation",
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("provider", sa.String(14), nullable=False),
        sa.Column("before", sa.String(71), nullable=False),
        sa.Column("after", sa.String(71), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_contract_deprecation_step", "contract_deprecation", ["provider", "before", "after"])
    op.create_table(
        "contract_acknowledgement",
        sa.Column("deprecation", sa.String(71), primary_key=True),
        sa.Column("consumer", sa.String(14), primary_key=True),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
    )
