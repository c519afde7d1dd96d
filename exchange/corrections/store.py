"""The only SQL about objections and corrections. Nothing here decides anything."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, or_, select
from sqlmodel.sql.expression import Select, SelectOfScalar

from contracts.clock import epoch_ms
from contracts.messages import AWAITS_OBJECTOR, AWAITS_PROVIDER, ObjectionState, Receipt
from exchange.catalog.tables import ReleaseRow
from exchange.corrections.model import Delivered, Standing
from exchange.corrections.tables import CorrectionRow, NewsRow, ObjectionRow, ObjectionStepRow, ToldRow
from exchange.subscriptions.tables import SubscriptionRow
from exchange.transfers.model import State
from exchange.transfers.tables import TransferRow
from nodes.signed import peek_statement

PAGE = 200
NEWS = 50


def find(session: Session, objection: str) -> ObjectionRow | None:
    """Give one objection."""
    return session.get(ObjectionRow, objection)


def save(session: Session, row: ObjectionRow) -> None:
    """Insert or update an objection."""
    session.add(row)
    session.flush()


def standing(row: ObjectionRow) -> Standing:
    """Read how an objection stands."""
    return Standing(
        objection=row.objection,
        objector=row.objector,
        provider=row.provider,
        dataset=row.dataset,
        release=row.release,
        state=ObjectionState(row.state),
        steps=row.steps,
        last=row.last,
    )


def of_participant(session: Session, participant: str) -> list[ObjectionRow]:
    """List the newest objections of either side, newest first."""
    query = select(ObjectionRow).where(
        or_(col(ObjectionRow.objector) == participant, col(ObjectionRow.provider) == participant)
    )
    return list(session.exec(_newest_first(query).limit(PAGE)))


def newest(session: Session) -> list[ObjectionRow]:
    """List the newest objections of everybody, newest first."""
    return list(session.exec(_newest_first(select(ObjectionRow)).limit(PAGE)))


def running(session: Session) -> list[ObjectionRow]:
    """List the objections on which a clock runs, oldest first: unanswered ones, and answered ones."""
    states = [state.value for state in AWAITS_PROVIDER | AWAITS_OBJECTOR]
    query = select(ObjectionRow).where(col(ObjectionRow.state).in_(states))
    return list(session.exec(query.order_by(col(ObjectionRow.opened_at), col(ObjectionRow.objection))))


def count_unanswered(session: Session, objector: str, dataset: str) -> int:
    """Count an objector's objections to a dataset that the provider has not answered."""
    query = select(func.count()).where(
        col(ObjectionRow.objector) == objector,
        col(ObjectionRow.dataset) == dataset,
        col(ObjectionRow.state).in_([state.value for state in AWAITS_PROVIDER]),
    )
    return int(session.exec(query).one())


def count_since(session: Session, objector: str, dataset: str, since_ms: int) -> int:
    """Count an objector's objections to a dataset that were raised after a moment, whatever their state."""
    query = select(func.count()).where(
        col(ObjectionRow.objector) == objector,
        col(ObjectionRow.dataset) == dataset,
        col(ObjectionRow.opened_at) > since_ms,
    )
    return int(session.exec(query).one())


def add_step(session: Session, row: ObjectionStepRow) -> None:
    """Keep a step."""
    session.add(row)
    session.flush()


def steps(session: Session, objection: str) -> list[ObjectionStepRow]:
    """List the steps of an objection in their order."""
    query = select(ObjectionStepRow).where(col(ObjectionStepRow.objection) == objection)
    return list(session.exec(query.order_by(col(ObjectionStepRow.number))))


def delivered(session: Session, grant: str) -> Delivered | None:
    """Give what a grant delivered, as its consumer's receipt says."""
    row = session.get(TransferRow, grant)
    if row is None:
        return None
    subscription = session.get_one(SubscriptionRow, row.subscription)
    release = session.get_one(ReleaseRow, (subscription.dataset, row.release))
    view = None
    if row.consumer_receipt:
        view = peek_statement(row.consumer_receipt, Receipt).statement.view_sha256
    return Delivered(row.consumer, row.provider, subscription.dataset, row.release, release.digest, view)


# --- corrections ------------------------------------------------------------------------------------


def replaced(session: Session, dataset: str) -> dict[int, int]:
    """Tell which release of a feed was replaced by which."""
    query = select(CorrectionRow.replaces, CorrectionRow.number).where(col(CorrectionRow.dataset) == dataset)
    return dict(session.exec(query).all())


def add_correction(session: Session, dataset: str, replaces: int, *, number: int, now: datetime) -> None:
    """Keep that a release replaces another."""
    session.add(CorrectionRow(dataset=dataset, replaces=replaces, number=number, at=epoch_ms(now)))
    session.flush()


def recipients(session: Session, dataset: str, releases: frozenset[int]) -> dict[str, int]:
    """Name who may have received any of some releases, with the newest of them.

    A provider's receipt is enough: it was signed before the first byte left.
    """
    query = (
        _of_dataset(dataset)
        .where(
            col(TransferRow.release).in_(sorted(releases)),
            or_(col(TransferRow.provider_receipt).is_not(None), _is_done()),
        )
        .group_by(col(TransferRow.consumer))
    )
    return dict(session.exec(query).all())


def holders(session: Session, dataset: str, releases: frozenset[int]) -> frozenset[str]:
    """Name who signed for any of some releases."""
    query = (
        _of_dataset(dataset)
        .where(col(TransferRow.release).in_(sorted(releases)), _is_done())
        .group_by(col(TransferRow.consumer))
    )
    return frozenset(consumer for consumer, _ in session.exec(query))


def owe_word(session: Session, dataset: str, number: int, whom: Mapping[str, int]) -> None:
    """Write down which recipients are still to be told of a correction, each with what it had."""
    for participant, release in sorted(whom.items()):
        session.add(ToldRow(dataset=dataset, number=number, participant=participant, release=release))
    session.flush()


def told(session: Session, dataset: str, number: int) -> list[ToldRow]:
    """List whom a correction has to reach, by participant."""
    query = select(ToldRow).where(col(ToldRow.dataset) == dataset, col(ToldRow.number) == number)
    return list(session.exec(query.order_by(col(ToldRow.participant))))


# --- news -------------------------------------------------------------------------------------------


def owe_news(session: Session, participant: str, objection: str) -> None:
    """Write down that a side has not heard how an objection stands."""
    row = session.get(NewsRow, (participant, objection))
    version = 1 if row is None else row.version + 1
    session.merge(NewsRow(participant=participant, objection=objection, version=version))
    session.flush()


def waiting(session: Session) -> list[str]:
    """Name the participants for whom something waits."""
    objections = session.exec(select(NewsRow.participant).distinct())
    corrections = session.exec(select(ToldRow.participant).where(col(ToldRow.told_at).is_(None)).distinct())
    return sorted({*objections, *corrections})


def news_of(session: Session, participant: str) -> tuple[list[NewsRow], list[ToldRow]]:
    """List a page of what waits for a participant: objections, and corrections by their numbers."""
    objections = select(NewsRow).where(col(NewsRow.participant) == participant)
    corrections = select(ToldRow).where(
        col(ToldRow.participant) == participant, col(ToldRow.told_at).is_(None)
    )
    return (
        list(session.exec(objections.order_by(col(NewsRow.objection)).limit(NEWS))),
        list(session.exec(corrections.order_by(col(ToldRow.dataset), col(ToldRow.number)).limit(NEWS))),
    )


def note_told(session: Session, news: list[NewsRow], corrections: list[ToldRow], now: datetime) -> None:
    """Write down what a participant has taken; an objection that changed meanwhile still waits."""
    for one in news:
        row = session.get(NewsRow, (one.participant, one.objection))
        if row is not None and row.version == one.version:
            session.delete(row)
    for told_row in corrections:
        kept = session.get_one(ToldRow, (told_row.dataset, told_row.number, told_row.participant))
        kept.told_at = epoch_ms(now)
        session.add(kept)
    session.flush()


def _is_done() -> ColumnElement[bool]:
    return or_(col(TransferRow.consumer_receipt).is_not(None), col(TransferRow.state) == State.DONE.value)


def _of_dataset(dataset: str) -> Select[str, int]:
    here = select(SubscriptionRow.subscription).where(col(SubscriptionRow.dataset) == dataset)
    return select(TransferRow.consumer, func.max(TransferRow.release)).where(
        col(TransferRow.subscription).in_(here)
    )


def _newest_first(query: SelectOfScalar[ObjectionRow]) -> SelectOfScalar[ObjectionRow]:
    return query.order_by(col(ObjectionRow.opened_at).desc(), col(ObjectionRow.objection))
