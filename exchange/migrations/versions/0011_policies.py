"""Policy bundles, their changes by two people, the decisions that were made, and people who wait."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_DIGEST = sa.String(71)


def upgrade() -> None:
    """Create the tables of ``exchange.policies.tables``, and ``person_proposal``."""
    place = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "policy_bundle",
        sa.Column("digest", _DIGEST, primary_key=True),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("tests", sa.Text(), nullable=False),
        sa.Column("shadow", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "policy_change",
        sa.Column("number", place, primary_key=True, autoincrement=False),
        sa.Column("bundle", _DIGEST, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("widens", sa.Boolean(), nullable=False),
        sa.Column("statement", _DIGEST, unique=True),
        sa.Column("proposal", sa.Text()),
        sa.Column("proposed_by", sa.String(64)),
        sa.Column("approval", sa.Text()),
        sa.Column("settled_by", sa.String(64)),
        sa.Column("why", sa.Text()),
        sa.Column("replayed", sa.Text()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger()),
    )
    op.create_index("ix_policy_change_bundle", "policy_change", ["bundle"])
    op.create_table(
        "policy_decision",
        sa.Column("decision", sa.String(14), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("participant", sa.String(14), nullable=False),
        sa.Column("dataset", sa.String(63), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("purpose", sa.String(63), nullable=False),
        sa.Column("outcome", sa.String(14), nullable=False),
        sa.Column("policy", _DIGEST, nullable=False),
        sa.Column("engine", sa.String(80), nullable=False),
        sa.Column("revision", _DIGEST, nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(255), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_policy_decision_at", "policy_decision", ["at"])
    op.create_index("ix_policy_decision_dataset_at", "policy_decision", ["dataset", "at"])
    op.create_table(
        "person_proposal",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("roles", sa.String(60), nullable=False),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
