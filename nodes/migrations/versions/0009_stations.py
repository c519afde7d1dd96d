"""HJ 212 stations, what they sent that was refused, and what has been taken once already."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_PLACE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables of the stations."""
    op.create_table(
        "station",
        sa.Column("mn", sa.String(24), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("source", sa.String(63), nullable=False, index=True),
        sa.Column("edition", sa.String(4), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("encrypts", sa.Boolean(), nullable=False),
        sa.Column("units", sa.Text(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger()),
        sa.Column("data_at", sa.BigInteger()),
        sa.Column("packets", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("repeated", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "station_refusal",
        sa.Column("id", _PLACE, primary_key=True),
        sa.Column("mn", sa.String(24), index=True),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "station_refusal_count",
        sa.Column("reason", sa.String(40), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "station_packet",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("segment", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False, index=True),
    )
    op.create_table(
        "station_part",
        sa.Column("id", _PLACE, primary_key=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("frame", sa.LargeBinary(), nullable=False),
    )
