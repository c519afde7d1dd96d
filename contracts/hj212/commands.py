"""The editions of HJ 212, the flag bits, and what each command means to the side that receives.

Tables 5, 8 and 9 of HJ 212-2017. What HJ 212-2025 adds (1001, 1014, 2013, 2052, 2062, 2111, 9015 and which
commands are encrypted) is second-hand: the text itself was not available here.
"""

from collections.abc import Mapping
from enum import IntEnum, IntFlag, StrEnum

MOMENT_DATA = "2011"
DEVICE_STATES = "2021"
DAY_DATA = "2031"
RUNNING_HOURS = "2041"
MINUTE_DATA = "2051"
HOUR_DATA = "2061"
CLOCK_REQUEST = "1013"
REQUEST_ANSWER = "9011"
EXECUTION_RESULT = "9012"
NOTICE_ANSWER = "9013"
DATA_ANSWER = "9014"
HEARTBEAT = "9015"
SYSTEM_ANSWER = "91"

PERIODS: Mapping[str, str] = {
    MOMENT_DATA: "moment",
    MINUTE_DATA: "minute",
    HOUR_DATA: "hour",
    DAY_DATA: "day",
}
"""The commands whose content becomes records, and what DataTime means: a moment, or the start of a period."""

FURTHER_DATA = frozenset({DEVICE_STATES, RUNNING_HOURS, "2013", "2052", "2062", "2081", "2111", "3015"})
"""Uploads that are kept and answered like data, and that make no record of a factor."""

DATA_COMMANDS = frozenset(PERIODS) | FURTHER_DATA

RESULTS = frozenset({REQUEST_ANSWER, EXECUTION_RESULT, NOTICE_ANSWER, DATA_ANSWER})
"""Answers to what the host asked; an answer is never answered."""


class Edition(StrEnum):
    """An edition of the standard, as the version bits V5..V0 of the flag name it (section 6.3.3)."""

    Y2005 = "2005"
    Y2017 = "2017"
    Y2025 = "2025"

    @property
    def bits(self) -> int:
        """Give the flag with no other bit than those of the version."""
        return _VERSIONS[self] << 2


_VERSIONS = {Edition.Y2005: 0, Edition.Y2017: 1, Edition.Y2025: 2}
EDITIONS: Mapping[int, Edition] = {bits: edition for edition, bits in _VERSIONS.items()}


class Flag(IntFlag):
    """The flag bits D and A of section 6.3.3; the bits above them are the edition's."""

    ANSWER = 1
    SPLIT = 2


class RequestReturn(IntEnum):
    """QnRtn: what a request came to (HJ 212-2017 table 6)."""

    READY = 1
    REFUSED = 2
    PW = 3
    MN = 4
    ST = 5
    FLAG = 6
    QN = 7
    CN = 8
    CRC = 9
    UNKNOWN = 100


class ExecutionReturn(IntEnum):
    """ExeRtn: what an execution came to (HJ 212-2017 table 7)."""

    DONE = 1
    FAILED = 2
    BAD_CONDITION = 3
    TIMEOUT = 4
    BUSY = 5
    FAULT = 6
    NO_DATA = 100


class QcStatus(StrEnum):
    """What a data flag says of the value's use, in one word for all editions."""

    VALID = "valid"
    SUBSTITUTED = "substituted"
    OVER_RANGE = "over-range"
    STOPPED = "stopped"
    INVALID = "invalid"


# HJ 212-2017 table 8. A value under maintenance, calibration, fault or a lost link is no valid datum
# (HJ 75-2017, HJ 356-2019); what was entered by hand stands in for one.
QC_STATUS: Mapping[str, QcStatus] = {
    "N": QcStatus.VALID,
    "S": QcStatus.SUBSTITUTED,
    "T": QcStatus.OVER_RANGE,
    "F": QcStatus.STOPPED,
    "M": QcStatus.INVALID,
    "C": QcStatus.INVALID,
    "D": QcStatus.INVALID,
    "B": QcStatus.INVALID,
}


def answer_command(cn: str) -> str | None:
    """Give the command that answers another one; None for one that has no answer.

    A command that this side does not know is answered as data where its number says data, so that a station
    does not send it for ever.
    """
    if cn in RESULTS:
        return None
    if cn in DATA_COMMANDS or "2000" <= cn <= "2999":
        return DATA_ANSWER
    return NOTICE_ANSWER


def encrypts(cn: str) -> bool:
    """Tell whether HJ 212-2025 encrypts the content of a command on its way from the device."""
    return "2000" <= cn <= "2999" or cn in {"1014", "3020"}
