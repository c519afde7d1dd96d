"""What quality rules found in releases, for the catalogue."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create ``catalog_quality``."""
    op.create_table(
        "catalog_quality",
        sa.Column("dataset", sa.String(63), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("rules", sa.Integer(), nullable=False),
    )
