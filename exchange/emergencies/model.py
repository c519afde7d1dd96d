"""The rules of emergencies: who may declare one, when it is over, and that somebody else judges it.

    IN_FORCE ── its time, or an administrator ──▶ ENDED ── an auditor's words ──▶ REVIEWED
                                                   └── fourteen days ──▶ OVERDUE ──▲

Pure. An emergency ends by its time alone, whether or not anybody notes that down. While one that somebody
declared lacks its review for more than fourteen days, they declare no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from contracts.errors import Conflict, NotFound, Refused, TooMany
from contracts.messages import Emergency, Finding, Severity, Text
from contracts.messages.emergencies import (
    EMERGENCY_DECLARED,
    EMERGENCY_ENDED,
    EMERGENCY_REVIEWED,
    REVIEW_OVERDUE,
)
from exchange.parts import Alarm

REVIEW_WITHIN = timedelta(days=14)
MAX_IN_FORCE = 20
TIME_OVER, BY_ADMINISTRATOR = "time-over", "ended-by-administrator"

_FOUND: dict[Finding, tuple[Severity, Text]] = {
    "justified": (Severity.LOW, Text(zh="紧急状态经审查属正当", en="An emergency was found justified")),
    "unjustified": (Severity.HIGH, Text(zh="紧急状态经审查属不当", en="An emergency was found unjustified")),
}


class Phase(StrEnum):
    """How far an emergency has come."""

    IN_FORCE = "in-force"
    ENDED = "ended"
    OVERDUE = "overdue"
    REVIEWED = "reviewed"


class EmergencyUnknown(NotFound):
    """There is no such emergency."""

    code = "emergency-unknown"
    title_zh = "没有该紧急状态"
    next_zh = "用 headwaters emergency list 查看编号。"
    next_en = "headwaters emergency list shows the ids."


class EmergencyOver(Conflict):
    """The emergency is over already."""

    code = "emergency-over"
    title_zh = "该紧急状态已经结束"
    next_zh = "由审计人员作事后审查:headwaters emergency review。"
    next_en = "What is left is an auditor's review: headwaters emergency review."


class EmergencyInForce(Conflict):
    """The emergency is in force; it is reviewed when it is over."""

    code = "emergency-in-force"
    title_zh = "紧急状态仍在持续,结束后方可审查"
    next_zh = "等待其到期,或由管理员提前结束。"
    next_en = "Wait until it is over, or have an administrator end it early."


class EmergencyReviewed(Conflict):
    """The emergency was reviewed before."""

    code = "emergency-reviewed"
    title_zh = "该紧急状态已完成审查"
    next_zh = "用 headwaters emergency show 查看已有结论;结论不再更改。"
    next_en = "Read the finding with headwaters emergency show; it is not changed any more."


class OwnReview(Refused):
    """Nobody reviews the emergency that they declared."""

    code = "own-review"
    title_zh = "不得审查本人宣布的紧急状态"
    next_zh = "由另一名审计人员审查。"
    next_en = "Have another auditor review it."


class ReviewIsOverdue(Refused):
    """An emergency that this person declared has waited too long for its review."""

    code = "review-overdue"
    title_zh = "此人先前宣布的紧急状态逾期未审查"
    next_zh = "先由审计人员完成审查(headwaters emergency review),或由另一名管理员宣布。"
    next_en = (
        "Have an auditor review it first (headwaters emergency review), or another administrator declare."
    )


class TooManyEmergencies(TooMany):
    """Too many emergencies are in force at once."""

    code = "too-many-emergencies"
    title_zh = "同时生效的紧急状态过多"
    next_zh = "先结束不再需要的紧急状态。"
    next_en = "End those that are needed no more."


@dataclass(frozen=True, slots=True)
class Review:
    """What an auditor found, in a word and in words."""

    by: str
    at: datetime
    finding: Finding
    words: str


@dataclass(frozen=True, slots=True)
class DeclaredEmergency:
    """One emergency as the exchange keeps it; ``ended_at`` is None until its end is on record."""

    statement: Emergency
    envelope: str
    declared_by: str
    ended_at: datetime | None = None
    ended_why: str | None = None
    review: Review | None = None
    reminded: bool = False

    @property
    def over_at(self) -> datetime:
        """Give the moment at which it is over, whether or not that has come."""
        return self.statement.until if self.ended_at is None else self.ended_at

    @property
    def review_due_at(self) -> datetime:
        """Give the moment from which its review is overdue."""
        return self.over_at + REVIEW_WITHIN

    def is_in_force(self, now: datetime) -> bool:
        """Say whether it holds at a moment."""
        return self.statement.declared_at <= now < self.over_at

    def is_unnoted(self, now: datetime) -> bool:
        """Say whether its time is over and its end is not on record."""
        return self.ended_at is None and now >= self.over_at

    def wants_reminder(self, now: datetime) -> bool:
        """Say whether its review is overdue and nobody was told."""
        return self.phase(now) is Phase.OVERDUE and not self.reminded

    def ended_by_time(self) -> "DeclaredEmergency":
        """Give it as it is once its end at its time is on record."""
        return replace(self, ended_at=self.over_at, ended_why=TIME_OVER)

    def phase(self, now: datetime) -> Phase:
        """Say how far it has come."""
        if self.review is not None:
            return Phase.REVIEWED
        if now < self.over_at:
            return Phase.IN_FORCE
        return Phase.ENDED if now < self.review_due_at else Phase.OVERDUE


@dataclass(frozen=True, slots=True)
class Use:
    """One grant that was made under an emergency."""

    grant: str
    provider: str
    consumer: str
    dataset: str
    release: int
    at: datetime
    expires_at: datetime


def check_declarer(person: str, earlier: Sequence[DeclaredEmergency], now: datetime) -> None:
    """Raise ReviewIsOverdue or TooManyEmergencies unless this person may declare one more."""
    overdue = [
        one.statement.emergency
        for one in earlier
        if one.declared_by == person and one.phase(now) is Phase.OVERDUE
    ]
    if overdue:
        raise ReviewIsOverdue(f"{', '.join(overdue)} was never reviewed", emergencies=overdue)
    if sum(one.is_in_force(now) for one in earlier) >= MAX_IN_FORCE:
        raise TooManyEmergencies(f"{MAX_IN_FORCE} emergencies are in force")


def check_review(emergency: DeclaredEmergency, person: str, now: datetime) -> None:
    """Raise EmergencyInForce, EmergencyReviewed or OwnReview unless this person may review it now."""
    if emergency.review is not None:
        raise EmergencyReviewed(f"{emergency.statement.emergency} was reviewed by {emergency.review.by}")
    if now < emergency.over_at:
        raise EmergencyInForce(f"{emergency.statement.emergency} ends at {emergency.over_at.isoformat()}")
    if person == emergency.declared_by:
        raise OwnReview(f"{person} declared {emergency.statement.emergency}")


def declared_alarm(statement: Emergency) -> Alarm:
    """Tell the alliance; the statement itself goes along, so that every node can act on it."""
    title = Text(
        zh=f"已宣布紧急状态:{statement.title.zh}"[:200], en=f"Emergency declared: {statement.title.en}"[:200]
    )
    facts = {"emergency": statement.emergency, "statement": statement.canonical().decode()}
    return Alarm(EMERGENCY_DECLARED, Severity.HIGH, None, title, facts)


def ended_alarm(emergency: str, why: str, grants: int) -> Alarm:
    """Tell the alliance that it is over, and how many open grants ended with it."""
    title = Text(zh="紧急状态已结束,事后审查待办", en="An emergency is over; its review is due")
    return Alarm(
        EMERGENCY_ENDED, Severity.MEDIUM, None, title, {"emergency": emergency, "why": why, "grants": grants}
    )


def reviewed_alarm(emergency: str, finding: Finding, grants: int) -> Alarm:
    """Tell the alliance what the auditor found."""
    severity, title = _FOUND[finding]
    facts: dict[str, int | str] = {"emergency": emergency, "finding": finding, "grants": grants}
    return Alarm(EMERGENCY_REVIEWED, severity, None, title, facts)


def overdue_alarm(emergency: str) -> Alarm:
    """Tell the alliance that nobody reviewed an emergency in time."""
    title = Text(zh="紧急状态的事后审查已逾期", en="The review of an emergency is overdue")
    return Alarm(REVIEW_OVERDUE, Severity.HIGH, None, title, {"emergency": emergency})
