"""Objections to records and releases, as consumer and as provider."""

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing yet."""
