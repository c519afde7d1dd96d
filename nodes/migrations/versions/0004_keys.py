"""Keys that were replaced, and trust roots."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``trust_root`` and ``statement_place``; pin sealing and root keys too."""
    # A node of before has pinned neither: the directory shows them, and is read again after the upgrade.
    with op.batch_alter_table("pinned_key") as table:
        table.add_column(sa.Column("sealing_key", sa.String(80), nullable=False, server_default=""))
        table.add_column(sa.Column("root_key", sa.String(80), nullable=True))
    op.create_table(
        "statement_place",
        sa.Column("digest", sa.String(80), primary_key=True),
        sa.Column("origin", sa.String(255), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "trust_root",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
    )
