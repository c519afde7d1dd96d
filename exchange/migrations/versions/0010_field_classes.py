"""A registered contract says the class of each field, not only its name."""

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
    """Read the classes from each contract's first registration."""
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
