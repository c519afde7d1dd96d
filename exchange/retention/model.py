"""The rules of erasure: evidence is kept for some years at least, and goes by whole days of Beijing.

Pure. The floor of three years is the law's (Network Data Security Regulations art. 12, PIPL art. 56); the
setting ``retention_years`` may ask for more and never for less.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from contracts.clock import BEIJING
from contracts.errors import Refused

FLOOR_YEARS = 3
ERASE = "evidence.erase"  # the code of the administrative act


class TooYoung(Refused):
    """The evidence is younger than it must be kept."""

    code = "evidence-too-young"
    title_zh = "证据未满保存期限,不得清除"
    next_zh = "改用更早的日期;保存年限见配置项 retention_years,法定不少于三年。"
    next_en = (
        "Name an earlier day; the setting retention_years says how long, and the law asks for three years."
    )


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows lost what they held."""

    evidence: int = 0
    transfers: int = 0
    agreements: int = 0
    applications: int = 0
    denials: int = 0
    decisions: int = 0
    emergency_uses: int = 0
    objections: int = 0


def cutoff_of(before: date, *, now: datetime, retention_years: int) -> datetime:
    """Give the first moment that is kept; raise TooYoung where ``before`` reaches into what must be kept."""
    today = now.astimezone(BEIJING).date()
    last = _years_earlier(today, max(retention_years, FLOOR_YEARS))
    if before > last:
        raise TooYoung(f"evidence from {last} on is kept", earliest=last.isoformat())
    return datetime.combine(before, time(), BEIJING).astimezone(UTC)


def _years_earlier(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)  # from a 29 February
