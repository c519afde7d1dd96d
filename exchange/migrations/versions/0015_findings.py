"""What quality rules found in releases, for the catalogue."""

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""
