"""Units of measurement: which there are, which convert into one another, and the exact conversion.

A unit is named by one ASCII symbol (``ug/m3``), belongs to one quantity, and converts only within it: a molar
mass and a reference state stand between a share by volume and a mass concentration, so ``ppb`` into ``ug/m3``
is refused like any other unknown pair. Symbols and factors follow GB 3100-93 and GB 3102-93 (the SI); a
conversion is exact in decimal arithmetic, and where no finite decimal number is (m3/d into L/s), it
is rounded half to even to 28 significant digits (GB/T 8170-2008).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from functools import cache

from contracts.errors import Invalid
from contracts.units.table import ALONE, OFFSETS, TABLE

UNSTATED = "not stated in the source"
"""What a contract writes in place of a unit that its source does not tell; it converts into nothing."""

MAX_MAGNITUDE = 100  # powers of ten either way
SIGNIFICANT_DIGITS = 28

_EXACT = Context(prec=1000, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation])
_ROUNDED = Context(prec=SIGNIFICANT_DIGITS, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])


class UnitUnknown(Invalid):
    """The unit is not known."""

    code = "unit-unknown"
    title_zh = "未知的计量单位"
    next_zh = "用 headwaters contract units 所列的单位符号,例如 ug/m3、mg/L。"
    next_en = "Write a symbol that headwaters contract units lists, such as ug/m3 or mg/L."


class UnitsDoNotConvert(Invalid):
    """The two units do not convert into one another."""

    code = "units-do-not-convert"
    title_zh = "两个计量单位之间不能换算"
    next_zh = "两个单位须属于同一个量;体积分数与质量浓度之间没有固定系数。"
    next_en = "Both units belong to one quantity; between ppb and ug/m3 there is no fixed factor."


class ValueNotConvertible(Invalid):
    """The value is not a finite number of reasonable length."""

    code = "value-not-convertible"
    title_zh = "数值无法换算"
    next_zh = "数值须为有限的十进制数,至多 1000 位。"
    next_en = "A value is a finite decimal number of at most 1000 digits."


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: a value in it times ``ratio`` plus ``offset`` is the value in its quantity's first unit."""

    symbol: str
    quantity: str
    zh: str
    en: str
    ratio: Fraction
    offset: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Conversion:
    """From one unit into another: value times ``factor`` plus ``offset``, both exact fractions.

    ``shift`` is the power of ten where the conversion only moves the decimal point, which is quick.
    """

    source: str
    target: str
    factor: Fraction
    offset: Fraction
    shift: int | None

    @property
    def exact(self) -> bool:
        """Tell whether every decimal number converts into a finite decimal number."""
        return _terminates(self.factor) and _terminates(self.offset)

    def apply(self, value: Decimal) -> Decimal:
        """Convert one value; raise ValueNotConvertible for NaN, infinity and over 1000 digits."""
        if not value.is_finite() or abs(value.adjusted()) > MAX_MAGNITUDE:
            raise ValueNotConvertible(f"from {self.source} into {self.target}: not a finite number")
        try:
            return self._apply(value)
        except Inexact as error:
            raise ValueNotConvertible(f"from {self.source} into {self.target}: too many digits") from error

    def _apply(self, value: Decimal) -> Decimal:
        if self.shift is not None:
            return _EXACT.scaleb(value, self.shift)
        top, bottom = self.factor.as_integer_ratio()
        offset_top, offset_bottom = self.offset.as_integer_ratio()
        scaled = _EXACT.multiply(value, Decimal(top * offset_bottom))
        total = _EXACT.add(scaled, Decimal(offset_top * bottom))
        below = Fraction(1, bottom * offset_bottom)
        return (_EXACT if _terminates(below) else _ROUNDED).divide(total, Decimal(below.denominator))


@cache
def _terminates(number: Fraction) -> bool:
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _fraction(text: str) -> Fraction:
    top, _, bottom = text.partition("/")
    return _power(top) / _power(bottom or "1")


def _power(text: str) -> Fraction:
    base, _, exponent = text.partition("**")
    return Fraction(base) ** int(exponent or "1")


def _read() -> Iterator[tuple[Unit, list[str]]]:
    for quantity, lines in TABLE.items():
        for line in lines.strip().splitlines():
            symbol, ratio, zh, en, others = (part.strip() for part in line.split("|"))
            name = f"{quantity}: {symbol}" if symbol in ALONE else quantity
            unit_ = Unit(symbol, name, zh, en, _fraction(ratio), OFFSETS.get(symbol, Fraction(0)))
            yield unit_, [symbol, zh, *others.split()]


UNITS: Mapping[str, Unit] = {unit_.symbol: unit_ for unit_, _ in _read()}
_SPELLINGS: Mapping[str, str] = {spelling: unit_.symbol for unit_, names in _read() for spelling in names}


def unit(symbol: str) -> Unit:
    """Find a unit by its symbol; raise UnitUnknown."""
    found = UNITS.get(symbol)
    if found is None:
        raise UnitUnknown(f"{symbol[:40]!r} is no unit symbol")
    return found


def stated_symbol(text: str) -> str | None:
    """Give the symbol in a contract's unit, which a remark in brackets may follow; None for UNSTATED.

    Raises UnitUnknown. ``m/s (as published)`` is ``m/s``, told with a doubt.
    """
    return None if text == UNSTATED else unit(text.partition(" (")[0]).symbol


def symbol_of(spelling: str) -> str:
    """Give the symbol for another spelling (``μg/m³``, ``微克/立方米``); raise UnitUnknown."""
    found = _SPELLINGS.get(spelling.strip())
    if found is None:
        raise UnitUnknown(f"{spelling[:40]!r} is no spelling of a unit")
    return found


@cache
def _conversion(source: str, target: str) -> Conversion | None:
    given, wanted = UNITS[source], UNITS[target]
    if given.quantity != wanted.quantity:
        return None
    factor = given.ratio / wanted.ratio
    offset = (given.offset - wanted.offset) / wanted.ratio
    shift = None if offset else _power_of_ten(factor)
    return Conversion(source, target, factor, offset, shift)


def _power_of_ten(factor: Fraction) -> int | None:
    return next((n for n in range(-12, 13) if Fraction(10) ** n == factor), None)


def conversion(source: str, target: str) -> Conversion:
    """Find how one unit converts into another; raise UnitUnknown or UnitsDoNotConvert."""
    given, wanted = unit(source), unit(target)
    found = _conversion(given.symbol, wanted.symbol)
    if found is None:
        raise UnitsDoNotConvert(f"{source} is {given.quantity}, {target} is {wanted.quantity}")
    return found


def convert(value: Decimal, source: str, target: str) -> Decimal:
    """Convert a value; raise UnitUnknown, UnitsDoNotConvert or ValueNotConvertible."""
    return conversion(source, target).apply(value)
