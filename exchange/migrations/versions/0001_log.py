"""The transparency log and the nonces (``audit.log.tables``)."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the five tables of ``audit.log.tables``."""
    place = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "log_entry",
        sa.Column("idx", place, primary_key=True, autoincrement=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_log_entry_kind", "log_entry", ["kind"])
    op.create_table(
        "log_tile",
        sa.Column("level", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("n", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
    )
    for name in ("log_checkpoint", "log_cosigned"):
        op.create_table(
            name,
            sa.Column("size", place, primary_key=True, autoincrement=False),
            sa.Column("note", sa.Text(), nullable=False),
            sa.Column("at", sa.BigInteger(), nullable=False),
        )
    op.create_table(
        "nonce",
        sa.Column("keyid", sa.String(200), primary_key=True),
        sa.Column("nonce", sa.String(200), primary_key=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_nonce_expires_at", "nonce", ["expires_at"])
