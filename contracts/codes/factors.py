"""The monitored factors of HJ 212-2017 annex B: names, default units, totals and number types.

All 184 of tables B.1 (water, codes of HJ 525-2009) and B.2 (air, codes of HJ 524-2009), read from the code
list ``hj-212-factor``. Ten of them, particles among them, are in ng/m3 by default, where GB 3095 has ug/m3:
``contracts.units`` converts. Ozone (a05024) stands in HJ 524-2009 and not in table B.2; stations send it in
the unit of the other gases there, and it is kept apart in ``OUTSIDE_ANNEX_B``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from contracts.codes import Code, code_list

Medium = Literal["water", "air"]
_NUMBER_TYPE = re.compile(r"N([0-9]{1,2})(?:\.([0-9]{1,2}))?")
_NUMBER = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?")


@dataclass(frozen=True, slots=True)
class NumberType:
    """How many digits a value has before and after the point, as ``N5.2`` (HJ 212-2017 section 6.3.2)."""

    integer_digits: int
    decimal_digits: int

    @classmethod
    def parse(cls, text: str) -> "NumberType":
        """Read ``N5`` or ``N5.2``; raise ValueError."""
        match = _NUMBER_TYPE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:20]!r} is no number type")
        return cls(int(match[1]), int(match[2] or 0))

    def fits(self, text: str) -> bool:
        """Tell whether a decimal number keeps within the type's digits."""
        match = _NUMBER.fullmatch(text)
        if match is None:
            return False
        return len(match[1].lstrip("0")) <= self.integer_digits and len(match[2] or "") <= self.decimal_digits


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor; ``unit`` and ``total_unit`` are symbols of ``contracts.units``, total is per period."""

    code: str
    medium: Medium
    zh: str
    en: str
    old_code: str | None
    unit: str
    total_unit: str | None
    number: NumberType | None


def _factor(code: Code) -> Factor:
    more = code.more
    medium: Medium = "water" if more["medium"] == "water" else "air"
    number, unit = more["number"], more["unit"]
    if unit is None:
        raise ValueError(f"{code.code} has no unit")
    kind = None if number is None else NumberType.parse(number)
    return Factor(code.code, medium, code.zh, code.en, more["old_code"], unit, more["total_unit"], kind)


FACTORS: Mapping[str, Factor] = {
    code.code: _factor(code) for code in code_list("hj-212-factor", "2017").codes.values()
}
OUTSIDE_ANNEX_B: Mapping[str, Factor] = {
    "a05024": Factor("a05024", "air", "臭氧", "ozone", None, "mg/m3", "kg", None),
}


def factor(code: str) -> Factor | None:
    """Find a factor of annex B, or one of the few that stations send beside it; None for a stranger."""
    return FACTORS.get(code) or OUTSIDE_ANNEX_B.get(code)
