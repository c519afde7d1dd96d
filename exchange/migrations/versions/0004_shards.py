"""Shards of the log: a table that names them, and tiles and checkpoints that say which they belong to."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PLACE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_FIRST = 1  # whatever was written before there were shards belongs to the first


def upgrade() -> None:
    """Create ``log_shard``; rebuild the derived tables under keys that begin with the shard."""
    op.create_table(
        "log_shard",
        sa.Column("number", _PLACE, primary_key=True, autoincrement=False),
        sa.Column("origin", sa.String(255), nullable=False, unique=True),
        sa.Column("vkey", sa.Text(), nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger()),
        sa.Column("closed_at", sa.BigInteger()),
        sa.Column("carried", sa.LargeBinary()),
    )
    _rebuild(
        "log_tile",
        ["level", "n"],
        sa.Column("level", sa.Integer(), autoincrement=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
    )
    for name in ("log_checkpoint", "log_cosigned"):
        _rebuild(
            name,
            ["size"],
            sa.Column("size", sa.BigInteger(), autoincrement=False),
            sa.Column("note", sa.Text(), nullable=False),
            sa.Column("at", sa.BigInteger(), nullable=False),
        )
    # Older checkpoints prove nothing that the newest and the published ones do not.
    op.execute("DELETE FROM log_checkpoint WHERE size < (SELECT max(size) FROM log_checkpoint)")


def _rebuild(name: str, key: list[str], *columns: sa.Column[object]) -> None:
    """Put the shard in front of a table's key, which SQLite cannot change in place."""
    names = ", ".join(column.name for column in columns)
    op.rename_table(name, f"{name}_before")
    op.create_table(
        name,
        sa.Column("shard", sa.Integer(), autoincrement=False),
        *columns,
        # Named, because the old table keeps its name for its own key until it is gone.
        sa.PrimaryKeyConstraint("shard", *key, name=f"{name}_of_shard"),
    )
    op.execute(f"INSERT INTO {name} (shard, {names}) SELECT {_FIRST}, {names} FROM {name}_before")  # noqa: S608  # our own names
    op.drop_table(f"{name}_before")
