"""What obligations need to be kept: quotas that are spent, watermarks that were given out."""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
