"""What every node keeps about itself (``nodes.tables``), and the nonces (``audit.log.tables``)."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of ``nodes.tables`` and the nonces."""
    op.create_table(
        "person",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("roles", sa.String(80), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "directory",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
    )
    op.create_table(
        "pinned_key",
        sa.Column("participant", sa.String(14), primary_key=True),
        sa.Column("node_key", sa.String(80), nullable=False),
        sa.Column("witness_vkey", sa.Text(), nullable=True),
    )
    _create_log_tables()
    op.create_table(
        "event",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("event", sa.String(40), nullable=False, unique=True),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "nonce",
        sa.Column("keyid", sa.String(200), primary_key=True),
        sa.Column("nonce", sa.String(200), primary_key=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_nonce_expires_at", "nonce", ["expires_at"])


def _create_log_tables() -> None:
    op.create_table(
        "log_state",
        sa.Column("origin", sa.String(255), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "high_water",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "witness_state",
        sa.Column("origin", sa.String(255), primary_key=True),
        sa.Column("origin_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
