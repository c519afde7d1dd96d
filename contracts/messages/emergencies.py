"""A declared emergency: where and what it covers, and until when; and what the alliance hears of it.

The statement travels to every node inside the signed event that declares it, so a provider checks by itself
that there is an emergency, whom it covers and when it ends. Its life is bounded by its shape: no statement of
more than thirty days can be written or read.
"""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from contracts.messages.membership import AdminCode
from contracts.messages.wire import At, DatasetId, EmergencyId, Long, Short, Statement, Text, Wire
from contracts.territory import lies_in

EMERGENCY_PURPOSE = "emergency-response"
RESPONDING_SECTOR = "government"  # the one for which a declared emergency waives anything
EMERGENCY_DECLARED = "emergency.declared"
EMERGENCY_ENDED = "emergency.ended"
EMERGENCY_REVIEWED = "emergency.reviewed"
REVIEW_OVERDUE = "emergency.review-overdue"

MAX_EMERGENCY = timedelta(days=30)

Finding = Literal["justified", "unjustified"]


class Scope(Wire):
    """What an emergency covers: territories always, and of their data some themes or datasets or all."""

    territories: Annotated[list[AdminCode], Field(min_length=1, max_length=40)]
    themes: Annotated[list[Short], Field(max_length=20, description="empty: any theme")] = Field(default=[])
    datasets: Annotated[list[DatasetId], Field(max_length=100, description="empty: any")] = Field(default=[])

    def covers(self, *, dataset: str, theme: str, territory: str | None) -> bool:
        """Say whether a dataset is covered; ``territory`` is its provider's code, or the stem of it.

        A provider without a territory, such as a ministry or a bank, is covered where its dataset is named.
        """
        if self.datasets and dataset not in self.datasets:
            return False
        if self.themes and theme not in self.themes:
            return False
        if territory is None:
            return bool(self.datasets)
        return any(lies_in(territory, code) for code in self.territories)


class Emergency(Statement):
    """The exchange declares an emergency; signed by the exchange, logged, and over by itself."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.emergency.v1+json"

    emergency: EmergencyId
    title: Text
    why: Long
    scope: Scope
    declared_at: At
    until: At

    @model_validator(mode="after")
    def _is_time_boxed(self) -> Self:
        if not timedelta() < self.until - self.declared_at <= MAX_EMERGENCY:
            raise ValueError(f"an emergency lasts at most {MAX_EMERGENCY.days} days")
        return self


class EmergencyList(Wire):
    """The signed emergencies that are in force now."""

    emergencies: list[str]
