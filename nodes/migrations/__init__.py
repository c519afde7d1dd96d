"""The revisions of a node's database (Alembic)."""
