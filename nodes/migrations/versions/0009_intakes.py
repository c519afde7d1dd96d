"""Sources that are read again and again, and how far each was read."""

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""
