"""The rules of subscriptions: who may open one, and how its transfers are numbered and chained."""

from datetime import datetime

from contracts.clock import epoch_ms
from contracts.errors import Conflict, NotFound
from exchange.agreements.model import AgreementState, AgreementUnknown
from exchange.agreements.tables import AgreementRow


class SubscriptionUnknown(NotFound):
    """There is no such subscription for this participant."""

    code = "subscription-unknown"
    title_zh = "没有该订阅,或与本方无关"


class AgreementNotInForce(Conflict):
    """The agreement has ended or expired."""

    code = "agreement-not-in-force"
    title_zh = "共享协议已终止或到期"
    next_zh = "重新提出共享申请。"
    next_en = "Apply again."


def check_in_force(agreement: AgreementRow | None, *, consumer: str, now: datetime) -> AgreementRow:
    """Give the agreement if its consumer may subscribe now; raise AgreementUnknown or AgreementNotInForce."""
    if agreement is None or agreement.consumer != consumer:
        raise AgreementUnknown("no such agreement names this participant as consumer")
    if agreement.state != AgreementState.ACTIVE or epoch_ms(now) >= agreement.expires_at:
        raise AgreementNotInForce(f"{agreement.agreement} has ended or expired")
    return agreement
