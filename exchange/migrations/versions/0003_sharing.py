"""What the rooms share: evidence, catalogue, agreements, subscriptions, transfers, denials and events."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.String(14)
_NAME = sa.String(63)
_DIGEST = sa.String(71)
_PLACE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables of the five rooms and of ``exchange.evidence``."""
    op.create_table(
        "evidence",
        sa.Column("commitment", _DIGEST, primary_key=True),
        sa.Column("salt", sa.LargeBinary()),
        sa.Column("value", sa.LargeBinary()),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    _catalog()
    _agreements()
    _transfers()
    _incidents()


def _catalog() -> None:
    op.create_table(
        "catalog_contract",
        sa.Column("contract", _NAME, primary_key=True),
        sa.Column("version", sa.String(20), primary_key=True),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("adopted", sa.Text(), nullable=False),
    )
    op.create_table(
        "catalog_adoption",
        sa.Column("contract", _NAME, primary_key=True),
        sa.Column("version", sa.String(20), primary_key=True),
        sa.Column("provider", _ID, primary_key=True),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "catalog_dataset",
        sa.Column("dataset", _NAME, primary_key=True),
        sa.Column("provider", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("record", _DIGEST, nullable=False),
        sa.Column("contract", _NAME, nullable=False),
        sa.Column("contract_version", sa.String(20), nullable=False),
        sa.Column("contract_digest", _DIGEST, nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("sharing", sa.String(20), nullable=False),
        sa.Column("releases", sa.Integer(), nullable=False),
        sa.Column("manifest", _DIGEST),
        sa.Column("rows_published", sa.BigInteger(), nullable=False),
        sa.Column("rows_quarantined", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_catalog_dataset_provider", "catalog_dataset", ["provider"])
    for name in ("catalog_record", "catalog_release"):
        op.create_table(
            name,
            sa.Column("dataset", _NAME, primary_key=True),
            sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
            sa.Column("digest", _DIGEST, nullable=False),
            sa.Column("envelope", sa.Text(), nullable=False),
            sa.Column("entry", sa.BigInteger(), nullable=False),
        )


def _agreements() -> None:
    op.create_table(
        "application",
        sa.Column("application", _ID, primary_key=True),
        sa.Column("consumer", _ID, nullable=False),
        sa.Column("provider", _ID, nullable=False),
        sa.Column("dataset", _NAME, nullable=False),
        sa.Column("purpose", _NAME, nullable=False),
        sa.Column("record", _DIGEST, nullable=False),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("policy", _DIGEST, nullable=False),
        sa.Column("decision", _ID, nullable=False),
        sa.Column("turn", sa.String(10), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("agreement", _ID, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("provider_envelope", sa.Text()),
        sa.Column("agreement_envelope", sa.Text()),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "agreement",
        sa.Column("agreement", _ID, primary_key=True),
        sa.Column("application", _ID, nullable=False),
        sa.Column("provider", _ID, nullable=False),
        sa.Column("consumer", _ID, nullable=False),
        sa.Column("dataset", _NAME, nullable=False),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("ended_by", _ID),
        sa.Column("ended_why", sa.Text()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "subscription",
        sa.Column("subscription", _ID, primary_key=True),
        sa.Column("agreement", _ID, nullable=False, unique=True),
        sa.Column("consumer", _ID, nullable=False),
        sa.Column("provider", _ID, nullable=False),
        sa.Column("dataset", _NAME, nullable=False),
        sa.Column("next_seq", sa.Integer(), nullable=False),
        sa.Column("last_leaf", _DIGEST),
        sa.Column("cursor", sa.Integer(), nullable=False),
    )
    for table in ("application", "agreement", "subscription"):
        for side in ("consumer", "provider"):
            op.create_index(f"ix_{table}_{side}", table, [side])
    op.create_index("ix_application_turn", "application", ["turn"])


def _transfers() -> None:
    op.create_table(
        "transfer",
        sa.Column("grant_id", _ID, primary_key=True),
        sa.Column("subscription", _ID, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("provider", _ID, nullable=False),
        sa.Column("consumer", _ID, nullable=False),
        sa.Column("agreement", _ID, nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("provider_receipt", sa.Text()),
        sa.Column("consumer_receipt", sa.Text()),
        sa.Column("disputed", sa.Text()),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("closed_entry", sa.BigInteger()),
        sa.Column("closed_leaf", sa.LargeBinary()),
        sa.UniqueConstraint("subscription", "seq"),
    )
    op.create_index("ix_transfer_state_expires_at", "transfer", ["state", "expires_at"])
    op.create_index("ix_transfer_consumer_provider", "transfer", ["consumer", "provider", "state"])
    op.create_index("ix_transfer_provider", "transfer", ["provider"])


def _incidents() -> None:
    op.create_table(
        "denial",
        sa.Column("id", _PLACE, primary_key=True),
        sa.Column("participant", _ID, nullable=False),
        sa.Column("dataset", _NAME, nullable=False),
        sa.Column("act", sa.String(10), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.BigInteger()),
    )
    op.create_index("ix_denial_participant_at", "denial", ["participant", "at"])
    op.create_index(
        "ix_denial_uncounted",
        "denial",
        ["participant", "at"],
        sqlite_where=sa.text("entry IS NULL"),
        postgresql_where=sa.text("entry IS NULL"),
    )
    op.create_table(
        "denial_rollup",
        sa.Column("entry", _PLACE, primary_key=True, autoincrement=False),
        sa.Column("participant", _ID, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "security_event",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("event", _ID, nullable=False, unique=True),
        sa.Column("event_class", sa.String(60), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("subject", _ID),
        sa.Column("title_zh", sa.String(200), nullable=False),
        sa.Column("title_en", sa.String(200), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_security_event_class", "security_event", ["event_class", "subject"])
