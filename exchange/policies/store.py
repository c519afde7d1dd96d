"""The only SQL about policies: bundles, changes, and the decisions that were kept. Nothing here decides."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from contracts.canonical import canonical_bytes
from contracts.clock import epoch_ms
from contracts.errors import Corrupt
from exchange.policies.tables import BundleRow, ChangeRow, DecisionRow
from policies.bundle import Bundle, BundleTampered

OPEN, ACTIVE, REJECTED, SUPERSEDED = "open", "active", "rejected", "superseded"


class PolicyLost(Corrupt):
    """The policy that the log names is not in the database."""

    code = "policy-lost"
    title_zh = "日志所记的现行策略不在数据库中"
    next_zh = "从备份恢复数据库;在此之前交换中心不作任何决定。"
    next_en = "Restore the database from a backup; until then the exchange decides nothing."


@dataclass(frozen=True, slots=True)
class Which:
    """Which decisions are meant; what is None is left open."""

    participant: str | None = None
    dataset: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    limit: int = 100


def bundle_of(session: Session, digest: str) -> Bundle | None:
    """Give a bundle that is or was in force, or was proposed; raise BundleTampered for changed files."""
    row = session.get(BundleRow, digest)
    if row is None:
        return None
    bundle = Bundle({path: text.encode() for path, text in json.loads(row.sources).items()})
    if bundle.digest != digest:
        raise BundleTampered(f"the database holds other files under {digest}")
    return bundle


def tests_of(session: Session, digest: str) -> dict[str, str]:
    """Give the tests that came with a bundle, by path."""
    row = session.get(BundleRow, digest)
    tests: dict[str, str] = {} if row is None else json.loads(row.tests)
    return tests


def keep_bundle(session: Session, bundle: Bundle, tests: Mapping[str, str], now: datetime) -> None:
    """Keep a bundle's files; one that is known stays as it is, but for the tests beside it."""
    before = session.get(BundleRow, bundle.digest)
    session.merge(
        BundleRow(
            digest=bundle.digest,
            sources=canonical_bytes({path: raw.decode() for path, raw in bundle.sources.items()}).decode(),
            tests=canonical_bytes(dict(tests)).decode(),
            shadow=before is not None and before.shadow,
            at=epoch_ms(now) if before is None else before.at,
        )
    )
    session.flush()


def active_digest(session: Session) -> str | None:
    """Name the bundle that decides now; None before the first was adopted."""
    query = (
        select(ChangeRow.bundle)
        .where(col(ChangeRow.state) == ACTIVE)
        .order_by(col(ChangeRow.number).desc())
        .limit(1)
    )
    return session.exec(query).first()


def changes(session: Session) -> list[ChangeRow]:
    """List every change of policy, newest first."""
    return list(session.exec(select(ChangeRow).order_by(col(ChangeRow.number).desc())))


def open_changes(session: Session) -> list[ChangeRow]:
    """List the proposals that wait for a second person, oldest first."""
    query = select(ChangeRow).where(col(ChangeRow.state) == OPEN).order_by(col(ChangeRow.number))
    return list(session.exec(query))


def open_change(session: Session, digest: str) -> ChangeRow | None:
    """Give the proposal of a bundle that waits for a second person."""
    return next((row for row in open_changes(session) if row.bundle == digest), None)


def is_known_statement(session: Session, digest: str) -> bool:
    """Say whether a proposal with this payload was ever taken."""
    return session.exec(select(ChangeRow.number).where(ChangeRow.statement == digest)).first() is not None


def add_change(session: Session, row: ChangeRow) -> None:
    """Insert a change under the next number."""
    row.number = (session.exec(select(func.max(ChangeRow.number))).one() or 0) + 1
    session.add(row)
    session.flush()


def save_change(session: Session, row: ChangeRow) -> None:
    """Keep what became of a change."""
    session.merge(row)
    session.flush()


def supersede_open(session: Session, now: datetime) -> None:
    """Close every open proposal: it was made against a policy that no longer decides."""
    session.connection().execute(
        update(ChangeRow)
        .where(col(ChangeRow.state) == OPEN)
        .values(state=SUPERSEDED, settled_at=epoch_ms(now))
    )


def shadow_digest(session: Session) -> str | None:
    """Name the bundle that is asked beside the one in force."""
    return session.exec(select(BundleRow.digest).where(col(BundleRow.shadow))).first()


def set_shadow(session: Session, digest: str | None) -> None:
    """Have one bundle asked beside the one in force, or none."""
    connection = session.connection()
    connection.execute(update(BundleRow).values(shadow=False))
    if digest is not None:
        connection.execute(update(BundleRow).where(col(BundleRow.digest) == digest).values(shadow=True))


def add_decision(session: Session, row: DecisionRow) -> None:
    """Keep one decision."""
    session.add(row)
    session.flush()


def find_decision(session: Session, decision: str) -> DecisionRow | None:
    """Give one decision."""
    return session.get(DecisionRow, decision)


def decisions(session: Session, which: Which) -> list[DecisionRow]:
    """List decisions, newest first."""
    newest = (col(DecisionRow.at).desc(), col(DecisionRow.idx).desc(), col(DecisionRow.decision))
    query = select(DecisionRow).order_by(*newest).limit(which.limit)
    for column, value in (
        (DecisionRow.participant, which.participant),
        (DecisionRow.dataset, which.dataset),
        (DecisionRow.outcome, which.outcome),
    ):
        if value is not None:
            query = query.where(col(column) == value)
    if which.since is not None:
        query = query.where(col(DecisionRow.at) >= epoch_ms(which.since))
    return list(session.exec(query))
