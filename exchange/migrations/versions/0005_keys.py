"""Keys that were replaced or revoked, the root keys, and where signed statements stand in the log."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_PLACE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create ``past_key`` and ``logged_statement``, and give members a root key."""
    op.create_table(
        "past_key",
        sa.Column("number", _PLACE, primary_key=True, autoincrement=False),
        sa.Column("participant", sa.String(20)),
        sa.Column("role", sa.String(12), nullable=False),
        sa.Column("key", sa.String(400), nullable=False),
        sa.Column("origin", sa.String(255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(12), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_past_key_participant", "past_key", ["participant"])
    op.create_index("ix_past_key_key", "past_key", ["key"])
    op.create_table(
        "logged_statement",
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("origin", sa.String(255), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
    )
    op.add_column("member", sa.Column("root_key", sa.String(80)))
