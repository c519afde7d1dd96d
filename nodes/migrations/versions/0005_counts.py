"""A node's own books: the transfers it signed for, and the cuts of the heads that it judged."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of ``nodes.counting.book_tables``."""
    op.create_table(
        "book",
        sa.Column("grant_id", sa.String(14), primary_key=True),
        sa.Column("role", sa.String(12), primary_key=True),
        sa.Column("subscription", sa.String(14), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(255), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("receipt", sa.String(71), nullable=False),
        sa.Column("own_receipt", sa.String(71), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("cut", sa.Integer(), nullable=True),
    )
    op.create_index("ix_book_subscription", "book", ["subscription"])
    op.create_table(
        "judged_cut",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("view", sa.Text(), nullable=False),
        sa.Column("findings", sa.Integer(), nullable=False),
        sa.Column("count", sa.Text(), nullable=True),
        sa.Column("entry", sa.BigInteger(), nullable=True),
        sa.Column("proved", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
