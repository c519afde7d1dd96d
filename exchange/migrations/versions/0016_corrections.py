"""Objections and their legal clock, corrections, and whom they have to reach."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of objections and corrections."""
    op.create_table(
        "objection",
        sa.Column("objection", sa.String(14), primary_key=True),
        sa.Column("objector", sa.String(14), nullable=False),
        sa.Column("provider", sa.String(14), nullable=False),
        sa.Column("dataset", sa.String(63), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(71), nullable=False, unique=True),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("last", sa.String(71), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("correction", sa.Integer(), nullable=True),
        sa.Column("closed_why", sa.String(40), nullable=True),
        sa.Column("reminded", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_objection_objector", "objection", ["objector"])
    op.create_index("ix_objection_provider", "objection", ["provider"])
    op.create_index("ix_objection_state", "objection", ["state"])
    op.create_index("ix_objection_release", "objection", ["dataset", "release"])
    op.create_table(
        "objection_step",
        sa.Column("objection", sa.String(14), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "correction",
        sa.Column("dataset", sa.String(63), primary_key=True),
        sa.Column("replaces", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "correction_told",
        sa.Column("dataset", sa.String(63), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("participant", sa.String(14), primary_key=True),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_correction_told_told_at", "correction_told", ["told_at"])
    op.create_table(
        "objection_news",
        sa.Column("participant", sa.String(14), primary_key=True),
        sa.Column("objection", sa.String(14), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
    )
