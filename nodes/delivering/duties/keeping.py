"""Duties that bind the consumer after the delivery: what the data may serve, and how long it may be kept.

They change no value. The grant that binds is logged and the receipt repeats it; a file that is written anew
carries both in its metadata too, so that they travel with a copy.
"""

from contracts.messages import Discharged, Expiry, PurposeBinding
from contracts.view import EXPIRY_MARK, PURPOSE_MARK
from nodes.delivering.duties.handler import Delivery, Draft, DutyFailed


def bind_purpose(delivery: Delivery, duty: PurposeBinding) -> Discharged:
    """Bind a delivery to the purpose of its grant."""
    if duty.purpose != delivery.grant.purpose:
        raise DutyFailed(f"the data would be bound to {duty.purpose}", duty=duty.kind)
    return Discharged(kind="purpose-binding")


def set_expiry(_delivery: Delivery, _duty: Expiry) -> Discharged:
    """Give the data its term; the days stand in the grant, and run from the receipt."""
    return Discharged(kind="expiry")


def mark_purpose(draft: Draft, duty: PurposeBinding) -> None:
    """Write the purpose into the file."""
    draft.marks[PURPOSE_MARK] = duty.purpose


def mark_expiry(draft: Draft, duty: Expiry) -> None:
    """Write into the file how many days it may be kept."""
    draft.marks[EXPIRY_MARK] = str(duty.days)
