"""The class of a surface water section by GB 3838-2002: its worst indicator decides.

Limits are those of table 1, keyed by the factor codes of HJ 525-2009 and in the units of the standard, which
are not always those in which HJ 212 devices report (mercury in mg/L here, in ug/L there): convert first, with
``contracts.units``. Total nitrogen is judged in lakes and reservoirs only, and neither water temperature,
total nitrogen nor faecal coliforms takes part in the class of a section (assessment method of the ministry,
2011, trial, section 2); they are judged one by one where a caller asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Literal

from contracts.errors import Invalid


class ClassNotJudgeable(Invalid):
    """No water quality class follows from these values."""

    code = "water-class-not-judgeable"
    title_zh = "无法评定水质类别"
    next_zh = "数值须为非负有限数,指标须为 GB 3838-2002 表 1 所列。"
    next_en = "A value is finite and not negative, and its indicator stands in GB 3838-2002 table 1."


class WaterClass(IntEnum):
    """The five classes and what is below them; a higher number is worse water."""

    I = 1  # noqa: E741  # the standard's own name
    II = 2
    III = 3
    IV = 4
    V = 5
    BELOW_V = 6

    @property
    def code(self) -> str:
        """Spell the class as the code list ``gb-3838-class`` does."""
        return "below-V" if self is WaterClass.BELOW_V else self.name


class Body(StrEnum):
    """Which column of table 1 applies where it has two."""

    RIVER = "river"
    LAKE = "lake"


@dataclass(frozen=True, slots=True)
class Indicator:
    """One line of table 1: the limits of classes I to V, the highest allowed, or the lowest for ``min``."""

    code: str
    zh: str
    en: str
    unit: str
    kind: Literal["max", "min"]
    limits: tuple[Decimal, ...]
    lake_limits: tuple[Decimal, ...] | None = None
    lake_only: bool = False

    def for_body(self, body: Body) -> tuple[Decimal, ...]:
        """Give the limits that hold for a river or a lake."""
        return self.lake_limits if body is Body.LAKE and self.lake_limits is not None else self.limits


PH = "w01001"
DISSOLVED_OXYGEN = "w01009"
TOTAL_NITROGEN = "w21001"
COLIFORMS = "w02003"
PH_RANGE = (Decimal(6), Decimal(9))
SATURATION_CLASS_I = Decimal(90)
OUTSIDE_SECTION_CLASS = frozenset({TOTAL_NITROGEN, COLIFORMS})
AUTOMATIC_STATION = (PH, DISSOLVED_OXYGEN, "w01019", "w21003", "w21011")
"""What the national automatic stations are judged by: pH, DO, CODMn, NH3-N and TP."""

# code | 中文 | English | unit | limits I to V | limits of lakes and reservoirs
_TABLE = """
    w01009 | 溶解氧       | dissolved oxygen                  | mg/L | 7.5 6 5 3 2 |
    w01019 | 高锰酸盐指数 | permanganate index                | mg/L | 2 4 6 10 15 |
    w01018 | 化学需氧量   | chemical oxygen demand            | mg/L | 15 15 20 30 40 |
    w01017 | 五日生化需氧量 | five-day biochemical oxygen demand | mg/L | 3 3 4 6 10 |
    w21003 | 氨氮         | ammonia nitrogen                  | mg/L | 0.15 0.5 1.0 1.5 2.0 |
    w21011 | 总磷         | total phosphorus | mg/L | 0.02 0.1 0.2 0.3 0.4 | 0.01 0.025 0.05 0.1 0.2
    w21001 | 总氮         | total nitrogen                    | mg/L | 0.2 0.5 1.0 1.5 2.0 |
    w20138 | 铜           | copper                            | mg/L | 0.01 1.0 1.0 1.0 1.0 |
    w20139 | 锌           | zinc                              | mg/L | 0.05 1.0 1.0 2.0 2.0 |
    w21017 | 氟化物       | fluoride                          | mg/L | 1.0 1.0 1.0 1.5 1.5 |
    w20140 | 硒           | selenium                          | mg/L | 0.01 0.01 0.01 0.02 0.02 |
    w20141 | 砷           | arsenic                           | mg/L | 0.05 0.05 0.05 0.1 0.1 |
    w20142 | 汞           | mercury                           | mg/L | 0.00005 0.00005 0.0001 0.001 0.001 |
    w20143 | 镉           | cadmium                           | mg/L | 0.001 0.005 0.005 0.005 0.01 |
    w20117 | 六价铬       | hexavalent chromium               | mg/L | 0.01 0.05 0.05 0.05 0.1 |
    w20144 | 铅           | lead                              | mg/L | 0.01 0.01 0.05 0.05 0.1 |
    w21016 | 氰化物       | cyanide                           | mg/L | 0.005 0.05 0.2 0.2 0.2 |
    w23002 | 挥发酚       | volatile phenols                  | mg/L | 0.002 0.002 0.005 0.01 0.1 |
    w22001 | 石油类       | petroleum oils                    | mg/L | 0.05 0.05 0.05 0.5 1.0 |
    w19002 | 阴离子表面活性剂 | anionic surfactants           | mg/L | 0.2 0.2 0.2 0.3 0.3 |
    w21019 | 硫化物       | sulphide                          | mg/L | 0.05 0.1 0.2 0.5 1.0 |
    w02003 | 粪大肠菌群   | faecal coliforms                  | /L   | 200 2000 10000 20000 40000 |
"""


def _read(line: str) -> Indicator:
    code, zh, en, unit, river, lake = (part.strip() for part in line.split("|"))
    limits, lake_limits = (tuple(map(Decimal, text.split())) for text in (river, lake))
    kind: Literal["max", "min"] = "min" if code == DISSOLVED_OXYGEN else "max"
    return Indicator(code, zh, en, unit, kind, limits, lake_limits or None, code == TOTAL_NITROGEN)


INDICATORS: Mapping[str, Indicator] = {
    indicator.code: indicator for indicator in map(_read, _TABLE.strip().splitlines())
}


@dataclass(frozen=True, slots=True)
class SectionClass:
    """The class of a section, the class of each indicator, and those that decided (below class I)."""

    water_class: WaterClass
    parts: Mapping[str, WaterClass]
    deciding: tuple[str, ...]


def indicator_class(code: str, value: Decimal, body: Body = Body.RIVER) -> WaterClass:
    """Judge one indicator, in the unit of table 1; raise ClassNotJudgeable.

    A value on the limit is within it. pH has one range for all classes: within it counts as class I,
    outside as below V.
    """
    if not value.is_finite() or value < 0:
        raise ClassNotJudgeable(f"{code[:20]!r} has no value")
    if code == PH:
        return WaterClass.I if PH_RANGE[0] <= value <= PH_RANGE[1] else WaterClass.BELOW_V
    indicator = INDICATORS.get(code)
    if indicator is None or (indicator.lake_only and body is not Body.LAKE):
        raise ClassNotJudgeable(f"GB 3838-2002 table 1 sets no class by {code[:20]!r} in a {body}")
    for number, limit in enumerate(indicator.for_body(body), start=1):
        if value <= limit if indicator.kind == "max" else value >= limit:
            return WaterClass(number)
    return WaterClass.BELOW_V


def section_class(
    values: Mapping[str, Decimal], body: Body = Body.RIVER, *, saturation_percent: Decimal | None = None
) -> SectionClass:
    """Judge a section by its worst indicator; raise ClassNotJudgeable, also where none is left to judge by.

    ``saturation_percent`` is that of dissolved oxygen: from 90 on, oxygen is class I whatever its
    concentration (table 1, line 3).
    """
    parts = {
        code: indicator_class(code, value, body)
        for code, value in values.items()
        if code not in OUTSIDE_SECTION_CLASS
    }
    if (
        DISSOLVED_OXYGEN in parts
        and saturation_percent is not None
        and saturation_percent >= SATURATION_CLASS_I
    ):
        parts[DISSOLVED_OXYGEN] = WaterClass.I
    if not parts:
        raise ClassNotJudgeable("no indicator that takes part in the class of a section")
    worst = max(parts.values())
    deciding = tuple(code for code, one in parts.items() if one is worst and worst is not WaterClass.I)
    return SectionClass(worst, parts, deciding)
