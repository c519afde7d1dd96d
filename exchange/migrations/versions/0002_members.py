"""Members, people, directories and revocations (``exchange.members.tables``)."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the four tables of ``exchange.members.tables``."""
    place = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "member",
        sa.Column("participant", sa.String(20), primary_key=True),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("witness", sa.Boolean(), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("invite_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("node_key", sa.String(80), unique=True),
        sa.Column("sealing_key", sa.String(80)),
        sa.Column("witness_vkey", sa.String(400), unique=True),
        sa.Column("address", sa.String(200)),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_member_status", "member", ["status"])
    op.create_table(
        "person",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("roles", sa.String(60), nullable=False),
        sa.Column("key", sa.String(80), nullable=False, unique=True),
        sa.Column("salt", sa.String(64), nullable=False),
    )
    op.create_table(
        "directory",
        sa.Column("number", place, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "revocation",
        sa.Column("number", place, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("lifted", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_revocation_name", "revocation", ["name"])
