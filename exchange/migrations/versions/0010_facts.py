"""What a decision asks for: the class of each field, and a subscription's grants however many there are."""

import base64
import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_CONTRACT = sa.table(
    "catalog_contract",
    sa.column("contract", sa.String),
    sa.column("version", sa.String),
    sa.column("fields", sa.Text),
    sa.column("adopted", sa.Text),
)


def upgrade() -> None:
    """Read the classes from each contract's first registration, and index transfers by subscription."""
    connection = op.get_bind()
    for row in connection.execute(sa.select(_CONTRACT)).all():
        registration = json.loads(base64.b64decode(json.loads(row.adopted)["payload"]))
        document = json.loads(registration["document"])
        classes = {field["name"]: field["classification"] for field in document["fields"]}
        connection.execute(
            sa.update(_CONTRACT)
            .where(_CONTRACT.c.contract == row.contract, _CONTRACT.c.version == row.version)
            .values(fields=json.dumps(classes, ensure_ascii=False))
        )
    # Without it the planner takes the index on state, and counts through every open grant of the alliance.
    op.create_index("ix_transfer_usage", "transfer", ["subscription", "state", "expires_at", "release"])
