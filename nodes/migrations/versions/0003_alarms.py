"""What a node itself finds wrong: alarms, forked logs, what peers said (``witnessing.network_tables``)."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of ``nodes.witnessing.network_tables``."""
    op.create_table(
        "alarm",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(71), nullable=False, unique=True),
        sa.Column("event_class", sa.String(64), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("title_zh", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "log_fork",
        sa.Column("origin", sa.String(255), primary_key=True),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
    )
    op.create_table(
        "gossip_peer",
        sa.Column("participant", sa.String(14), primary_key=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("silent_since", sa.BigInteger(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("trouble", sa.String(64), nullable=True),
    )
    op.create_table(
        "gossip_claim",
        sa.Column("origin", sa.String(255), primary_key=True),
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("participant", sa.String(14), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "log_replay",
        sa.Column("origin", sa.String(255), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("heads", sa.LargeBinary(), nullable=False),
    )
