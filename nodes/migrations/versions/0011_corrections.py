"""Objections to records and releases, as consumer and as provider; releases that were replaced."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of objections and of replaced releases."""
    op.create_table(
        "objection",
        sa.Column("objection", sa.String(14), primary_key=True),
        sa.Column("role", sa.String(12), nullable=False),
        sa.Column("dataset", sa.String(63), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("particulars", sa.Text(), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("sealed_to", sa.String(60), nullable=True),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("guessed_years", sa.String(80), nullable=False),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("correction", sa.Integer(), nullable=True),
        sa.Column("closed_why", sa.String(200), nullable=True),
        sa.Column("person", sa.String(200), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_objection_dataset", "objection", ["dataset"])
    op.create_index("ix_objection_sent", "objection", ["sent"])
    op.create_index("ix_objection_state", "objection", ["state"])
    op.create_table(
        "objection_step",
        sa.Column("objection", sa.String(14), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("person", sa.String(200), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_objection_step_sent", "objection_step", ["sent"])
    op.create_table(
        "replaced_release",
        sa.Column("dataset", sa.String(63), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.String(71), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
