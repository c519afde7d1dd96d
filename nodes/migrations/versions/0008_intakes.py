"""Sources that are read again and again: what landed, how far each was read, and what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_PLACE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables of the intake."""
    _sources()
    _pieces()
    _lots()
    _seen()


def _sources() -> None:
    op.create_table(
        "source",
        sa.Column("id", _PLACE, primary_key=True),
        sa.Column("name", sa.String(63), nullable=False, index=True),
        sa.Column("dataset", sa.String(63), nullable=False, index=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("every_seconds", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(71)),
        sa.Column("cursor", sa.Text()),
        sa.Column("note", sa.Text()),
        sa.Column("trouble", sa.Text()),
        sa.Column("trouble_at", sa.BigInteger()),
        sa.Column("run_at", sa.BigInteger()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger()),
    )


def _pieces() -> None:
    op.create_table(
        "source_piece",
        sa.Column("id", _PLACE, primary_key=True),
        sa.Column("source", sa.BigInteger(), nullable=False),
        sa.Column("dataset", sa.String(63), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(71), nullable=False, index=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger()),
        sa.Column("name", sa.Text()),
        sa.Column("file", sa.String(40)),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("lot", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("source", "key"),
    )
    op.create_index("ix_source_piece_state", "source_piece", ["source", "state"])


def _lots() -> None:
    op.create_table(
        "source_lot",
        sa.Column("id", _PLACE, primary_key=True),
        sa.Column("source", sa.BigInteger(), nullable=False, index=True),
        sa.Column("dataset", sa.String(63), nullable=False),
        sa.Column("digest", sa.String(71), nullable=False, index=True),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("release", sa.Integer()),
        sa.Column("rows_read", sa.BigInteger()),
        sa.Column("rows_quarantined", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger()),
    )


def _seen() -> None:
    op.create_table(
        "source_file",
        sa.Column("source", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(1000), primary_key=True),
        sa.Column("stamp", sa.String(120), nullable=False),
        sa.Column("sha256", sa.String(71), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "source_record",
        sa.Column("source", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("record", sa.String(40), primary_key=True),
    )
