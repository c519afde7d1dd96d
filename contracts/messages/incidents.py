"""Security events that the whole alliance sees."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from contracts.messages.wire import At, EventId, ParticipantId, Statement, Text, Wire


class Severity(StrEnum):
    """How bad an event is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class SecurityEvent(Statement):
    """Something the whole alliance should know; signed by the exchange, numbered without gaps."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.event.v1+json"

    number: Annotated[int, Field(ge=1)]
    event: EventId
    event_class: Annotated[str, Field(pattern=r"^[a-z]+(\.[a-z-]+)+$")]
    severity: Severity
    subject: ParticipantId | None
    title: Text
    facts: dict[str, int | str]
    at: At


class EventList(Wire):
    """Signed security events after a number, oldest first."""

    events: list[str]
