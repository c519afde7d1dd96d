"""What this node's own signed record demands of a consumer, worked out here and held against the grant.

The exchange's policy should have come to the same obligations. Whether it did is not taken on trust: every
condition and duty of the record is read again, with level, sector and territory from the pinned directory,
and a grant that hides less is refused. Hiding more is allowed where it tells nothing by itself: a filter on a
hidden field tells it by the rows that stay, and figures of other groups or rows are subtracted from those
that were given before. Networks are left out, because only the exchange sees from where a grant is asked for.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from contracts.clock import BEIJING
from contracts.errors import Refused
from contracts.messages import (
    Condition,
    DatasetRecord,
    Mask,
    MaskHash,
    Obligation,
    Profile,
    PurposeBinding,
    Watermark,
    redacted_fields,
)
from contracts.schema import Contract
from contracts.strictness import is_met, telling_fields
from contracts.territory import lies_in
from nodes.granted import ObligationUnknown
from nodes.publishing.terms import hidden_fields

DECISION_LASTS = timedelta(seconds=5)


class ObligationsTooWeak(Refused):
    """The grant hides less than this node's own record requires."""

    code = "obligations-too-weak"
    title_zh = "授权要求的遮蔽少于本节点登记的最低要求"
    next_zh = "通知交换中心核对策略;数据不会送出。"
    next_en = "Tell the exchange to check its policy; no data leaves."


class ConditionsNotMet(Refused):
    """The consumer, or the hour, does not meet a condition of this node's own record."""

    code = "conditions-not-met"
    title_zh = "使用方或时段不符合本节点登记的共享条件"
    next_zh = "通知交换中心核对策略;数据不会送出。"
    next_en = "Tell the exchange to check its policy; no data leaves."


def check_conditions(record: DatasetRecord, purpose: str, consumer: Profile, at: datetime) -> None:
    """Hold every condition for a purpose against the consumer and the moment; raise ConditionsNotMet.

    The decision may be some seconds older than the grant, so an hour that has just ended still counts.
    """
    for number, condition in enumerate(record.conditions):
        if condition.purposes and purpose not in condition.purposes:
            continue
        if not _admits(condition, consumer):
            raise ConditionsNotMet(f"condition {number} does not admit this consumer")
        if not (_open_at(condition, at) or _open_at(condition, at - DECISION_LASTS)):
            raise ConditionsNotMet(f"condition {number} does not admit this day or hour")


def check_minimum(
    record: DatasetRecord,
    contract: Contract,
    purpose: str,
    consumer: Profile,
    *,
    obligations: Sequence[Obligation],
) -> None:
    """Raise ObligationsTooWeak where obligations hide less than the record demands of this consumer."""
    hidden = hidden_fields(record.purpose_fields, purpose, contract)
    missing = sorted(hidden.difference(redacted_fields(obligations)))
    if missing:
        raise ObligationsTooWeak("fields would leave that the record hides", fields=missing)
    asked = {
        number: duty.obligation
        for number, duty in enumerate(record.duties)
        if duty.is_asked_of(purpose=purpose, level=consumer.level, sector=consumer.sector)
    }
    for number, duty in asked.items():
        if not is_met(duty, obligations):
            lacks = f"the grant lacks duty {number} of the record ({duty.kind})"
            raise ObligationsTooWeak(lacks, duty=number)
    telling = sorted(telling_fields(list(asked.values()), obligations, contract))
    if telling:
        raise ObligationsTooWeak("a filter that the record does not ask for would tell", fields=telling)
    bound = [item.purpose for item in obligations if isinstance(item, PurposeBinding)]
    if bound != [purpose]:
        raise ObligationsTooWeak("the data is not bound to the purpose of the agreement")


def check_recipients(obligations: Sequence[Obligation], consumer: str) -> None:
    """Raise ObligationUnknown where marks or keyed hashes are not made for the consumer of the grant."""
    if any(recipient != consumer for recipient in _recipients(obligations)):
        raise ObligationUnknown("an obligation names another recipient than the grant")


def _admits(condition: Condition, consumer: Profile) -> bool:
    code = consumer.admin_code
    return (
        (not condition.levels or consumer.level in condition.levels)
        and (not condition.sectors or consumer.sector in condition.sectors)
        and (
            not condition.territories
            or (code is not None and any(lies_in(code, territory) for territory in condition.territories))
        )
    )


def _open_at(condition: Condition, at: datetime) -> bool:
    local = at.astimezone(BEIJING)
    if condition.weekdays and local.isoweekday() not in condition.weekdays:
        return False
    hours = condition.hours
    if hours is None:
        return True
    if hours.begin < hours.end:
        return hours.begin <= local.hour < hours.end
    return hours.begin > hours.end and (local.hour >= hours.begin or local.hour < hours.end)


def _recipients(obligations: Sequence[Obligation]) -> Iterator[str | None]:
    for item in obligations:
        if isinstance(item, Watermark):
            yield item.recipient
        elif isinstance(item, Mask) and isinstance(item.how, MaskHash):
            yield item.how.recipient
