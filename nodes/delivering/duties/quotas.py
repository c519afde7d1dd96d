"""Quotas and rates: how much of a dataset one consumer took, counted in the transaction that lets it go.

One write transaction runs at a time, and what a delivery takes is counted in the one that keeps its receipt:
two presentations at once never both take the last unit, and a receipt that is not kept has taken nothing. A
use is counted once for a grant, however often the grant is presented. Windows slide: what was taken before
the window began counts no more. Where the count cannot be read or written, nothing leaves.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import ColumnElement, delete, distinct, func
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from contracts.clock import epoch_ms, from_epoch_ms, rfc3339
from contracts.errors import TooMany, Unavailable
from contracts.messages import Discharged, Grant, Quota, Rate
from nodes.delivering.duties.handler import Delivery
from nodes.node import Node
from nodes.sharing_tables import AnsweredFetchRow, UseRow

LONGEST_RATE = timedelta(days=1)


class QuotaSpent(TooMany):
    """The consumer has taken as much of the dataset as its quota allows."""

    code = "quota-spent"
    title_zh = "本时段内该数据集的配额已用完"
    next_zh = "等到时段滑过后重新申请传输,或与提供方商定更大的配额。"
    next_en = "Ask for the transfer again when the window has moved on, or agree on a larger quota."


class TooManyFetches(TooMany):
    """The dataset's data was fetched as often as its rate allows."""

    code = "too-many-fetches"
    title_zh = "本时段内该数据集的读取次数已达上限"
    next_zh = "按 retry_after_seconds 等待后再取;每次取较大的分段。"
    next_en = "Wait as long as retry_after_seconds says, and fetch in larger pieces."


class UseUnknown(Unavailable):
    """How much of the dataset was used cannot be counted now."""

    code = "use-unknown"
    title_zh = "暂时无法核算该数据集的使用量"
    next_zh = "检查节点数据库后重试;核算不成,数据不会送出。"
    next_en = "Check the node's database and try again; no data leaves uncounted."


def record_use(delivery: Delivery) -> None:
    """Count what a delivery takes, once for its grant; whether a quota stands in it or not."""
    grant, view = delivery.grant, delivery.view
    with _counted():
        if delivery.session.get(UseRow, grant.grant) is None:
            row = UseRow(
                grant_id=grant.grant,
                dataset=grant.dataset,
                consumer=grant.consumer,
                release=grant.release,
                rows=view.rows,
                size_bytes=view.content.size_bytes,
                at=epoch_ms(delivery.now),
            )
            delivery.session.add(row)
            delivery.session.flush()


def spend_quota(delivery: Delivery, duty: Quota) -> Discharged:
    """Count a delivery against a quota; raise QuotaSpent when it would go beyond, UseUnknown."""
    record_use(delivery)
    with _counted():
        used = _taken(delivery, duty)
    if used > duty.limit:
        raise QuotaSpent(
            f"{used} of {duty.limit} {duty.unit} would be taken in {duty.window_seconds} seconds",
            unit=duty.unit,
            limit=duty.limit,
        )
    return Discharged(kind="quota", used=used)


def open_rate(delivery: Delivery, duty: Rate) -> Discharged:
    """Say how far a rate is spent with the next fetch; raise TooManyFetches while there is room for none."""
    with _counted():
        _check_rate(delivery.session, delivery.grant, duty, delivery.now)
        answered = _answered(delivery.session, delivery.grant, duty, delivery.now)
    return Discharged(kind="rate", used=answered + 1)


def count_fetch(node: Node, grant: Grant) -> None:
    """Count one fetch against every rate of its grant before it is answered.

    Raises TooManyFetches, and then nothing is counted, or UseUnknown.
    """
    rates = [item for item in grant.obligations if isinstance(item, Rate)]
    if not rates:
        return
    now = node.clock.now()
    with _counted(), node.database.transaction() as session:
        for rate in rates:
            _check_rate(session, grant, rate, now)
        _forget_old(session, grant, now)
        row = AnsweredFetchRow(
            grant_id=grant.grant, dataset=grant.dataset, consumer=grant.consumer, at=epoch_ms(now)
        )
        session.add(row)


def _taken(delivery: Delivery, duty: Quota) -> int:
    """Add up what the consumer took of the dataset in the window, this delivery included."""
    grant = delivery.grant
    amounts: dict[str, ColumnElement[int]] = {
        "rows": func.sum(UseRow.rows),
        "bytes": func.sum(UseRow.size_bytes),
        "releases": func.count(distinct(col(UseRow.release))),
    }
    query = select(amounts[duty.unit]).where(
        col(UseRow.dataset) == grant.dataset,
        col(UseRow.consumer) == grant.consumer,
        col(UseRow.at) > epoch_ms(delivery.now - timedelta(seconds=duty.window_seconds)),
    )
    return int(delivery.session.exec(query).one() or 0)


def _answered(session: Session, grant: Grant, rate: Rate, now: datetime) -> int:
    query = select(func.count()).select_from(AnsweredFetchRow).where(*_recent(grant, rate, now))
    return int(session.exec(query).one())


def _check_rate(session: Session, grant: Grant, rate: Rate, now: datetime) -> None:
    """Raise TooManyFetches when one fetch more is too many, saying when the next one is free."""
    query = select(AnsweredFetchRow.at).where(*_recent(grant, rate, now))
    newest = query.order_by(col(AnsweredFetchRow.at).desc())
    # With as many fetches as the rate allows, this one has to leave the window first.
    blocking = session.exec(newest.offset(rate.fetches - 1).limit(1)).first()
    if blocking is not None:
        free = from_epoch_ms(blocking) + timedelta(seconds=rate.window_seconds)
        raise TooManyFetches(
            f"{rate.fetches} fetches in {rate.window_seconds} seconds; the next is free at {rfc3339(free)}",
            retry_after_seconds=max(1, ceil((free - now).total_seconds())),
        )


def _recent(grant: Grant, rate: Rate, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        col(AnsweredFetchRow.dataset) == grant.dataset,
        col(AnsweredFetchRow.consumer) == grant.consumer,
        col(AnsweredFetchRow.at) > epoch_ms(now - timedelta(seconds=rate.window_seconds)),
    )


def _forget_old(session: Session, grant: Grant, now: datetime) -> None:
    """Drop the consumer's fetches that no window can reach any more."""
    session.connection().execute(
        delete(AnsweredFetchRow).where(
            col(AnsweredFetchRow.dataset) == grant.dataset,
            col(AnsweredFetchRow.consumer) == grant.consumer,
            col(AnsweredFetchRow.at) <= epoch_ms(now - LONGEST_RATE),
        )
    )


@contextmanager
def _counted() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise UseUnknown(f"the count failed: {type(error).__name__}") from error
