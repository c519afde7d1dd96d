"""The working days that the exchange counts with: those that come with the program, and its operator's own.

A file ``workdays/<year>.json`` in the exchange's home adds a year, or takes the place of one. The files are
read anew each time, so that a new year's arrangement counts without a restart. One that cannot be used stops
objections until it is mended: no legal term is counted with half a calendar.
"""

from contracts.errors import Unavailable
from contracts.workdays.calendar import BadArrangement, WorkingDays, read_arrangement, shipped
from exchange.settings import Settings

FOLDER = "workdays"
MAX_FILES = 100


class CalendarUnusable(Unavailable):
    """The exchange's calendar of working days cannot be used."""

    code = "calendar-unusable"
    title_zh = "交换中心的工作日历无法使用"
    next_zh = "由交换中心运维改正主目录下 workdays/ 中的文件,然后重试。"
    next_en = "Have the exchange's operator mend the file under workdays/ in its home, then try again."


def working_days(settings: Settings) -> WorkingDays:
    """Read the calendar; raise CalendarUnusable for a file that cannot be used."""
    found = list(shipped())
    for path in sorted((settings.home / FOLDER).glob("*.json"))[:MAX_FILES]:
        try:
            arrangement = read_arrangement(path.read_bytes())
        except OSError as error:
            raise CalendarUnusable(f"{path.name} cannot be read: {error.strerror}") from error
        except BadArrangement as error:
            raise CalendarUnusable(f"{path.name}: {error.detail}") from error
        if path.stem != str(arrangement.year):
            raise CalendarUnusable(f"{path.name} is about {arrangement.year}")
        found.append(arrangement)
    return WorkingDays(found)
