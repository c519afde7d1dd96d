"""What a node declared, published, delivered and received (``nodes.sharing_tables``)."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_DIGEST = sa.String(71)
_ID = sa.String(14)
_NAME = sa.String(63)


def upgrade() -> None:
    """Create the tables of ``nodes.sharing_tables``."""
    _create_publishing()
    _create_delivering()
    _create_agreeing()
    _create_receiving()


def _create_publishing() -> None:
    op.create_table(
        "contract",
        sa.Column("id", _NAME, primary_key=True),
        sa.Column("version", sa.String(24), primary_key=True),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "dataset",
        sa.Column("dataset", _NAME, primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_dataset_digest", "dataset", ["digest"])
    op.create_table(
        "release",
        sa.Column("dataset", _NAME, primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("manifest", _DIGEST, nullable=False, unique=True),
        sa.Column("source", _DIGEST, nullable=False),
        sa.Column("contract", _DIGEST, nullable=False),
        sa.Column("artifact", _DIGEST, nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("dataset", _NAME, nullable=False),
        sa.Column("source", _DIGEST, nullable=False),
        sa.Column("contract", _DIGEST, nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.Column("record", _DIGEST, nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_quarantine_dataset", "quarantine", ["dataset"])


def _create_delivering() -> None:
    op.create_table(
        "view",
        sa.Column("artifact", _DIGEST, primary_key=True),
        sa.Column("obligations", _DIGEST, primary_key=True),
        sa.Column("sha256", _DIGEST, nullable=False),
        sa.Column("chunk_root", _DIGEST, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("redacted", sa.Text(), nullable=False),
    )
    op.create_table(
        "delivery",
        sa.Column("grant_id", _ID, primary_key=True),
        sa.Column("grant_digest", _DIGEST, nullable=False),
        sa.Column("grant", sa.Text(), nullable=False),
        sa.Column("artifact", _DIGEST, nullable=False),
        sa.Column("obligations", _DIGEST, nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("seal_to", sa.String(60), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )


def _create_agreeing() -> None:
    op.create_table(
        "own_application",
        sa.Column("application", _ID, primary_key=True),
        sa.Column("digest", _DIGEST, nullable=False, unique=True),
        sa.Column("dataset", _NAME, nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_own_application_dataset", "own_application", ["dataset"])
    op.create_table(
        "held_application",
        sa.Column("application", _ID, primary_key=True),
        sa.Column("application_envelope", sa.Text(), nullable=False),
        sa.Column("agreement_payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("person", sa.String(200), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_held_application_state", "held_application", ["state"])
    op.create_table(
        "agreement",
        sa.Column("agreement", _ID, primary_key=True),
        sa.Column("digest", _DIGEST, nullable=False, unique=True),
        sa.Column("role", sa.String(12), nullable=False),
        sa.Column("dataset", _NAME, nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_agreement_dataset", "agreement", ["dataset"])


def _create_receiving() -> None:
    op.create_table(
        "subscription",
        sa.Column("subscription", _ID, primary_key=True),
        sa.Column("agreement", _ID, nullable=False, unique=True),
        sa.Column("dataset", _NAME, nullable=False),
        sa.Column("provider", _ID, nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_subscription_dataset", "subscription", ["dataset"])
    op.create_table(
        "fetch",
        sa.Column("subscription", _ID, primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("grant_id", _ID, nullable=False),
        sa.Column("logged", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "received",
        sa.Column("grant_id", _ID, primary_key=True),
        sa.Column("subscription", _ID, nullable=False),
        sa.Column("dataset", _NAME, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", _DIGEST, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("copy_path", sa.Text(), nullable=True),
        sa.Column("proof_path", sa.Text(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("redacted", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_received_dataset", "received", ["dataset"])
    op.create_table(
        "outbox",
        sa.Column("grant_id", _ID, primary_key=True),
        sa.Column("role", sa.String(12), primary_key=True),
        sa.Column("logged", sa.Text(), nullable=False),
        sa.Column("provider_receipt", sa.Text(), nullable=False),
        sa.Column("consumer_receipt", sa.Text(), nullable=True),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_outbox_next_at", "outbox", ["next_at"])
