"""Obligations in words, Chinese and English, and what they hide: for people who ask what a decision means."""

from dataclasses import dataclass

from contracts.canonical import Json
from contracts.messages import (
    AggregateOnly,
    CompoundFilter,
    Expiry,
    FieldFilter,
    Mask,
    MaskGeneralise,
    MaskGeoGrid,
    MaskHash,
    MaskNull,
    MaskRound,
    MaskTruncate,
    Obligation,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Text,
    Watermark,
)
from contracts.messages.obligations import MaskHow

MAX_WORDS = 200  # what a Text takes

_UNITS = {"rows": ("行", "rows"), "bytes": ("字节", "bytes"), "releases": ("批", "releases")}
_SIGNS = {
    "eq": "=",
    "ne": "≠",
    "lt": "<",
    "lte": "≤",
    "gt": ">",
    "gte": "≥",
    "in": "∈",
    "nin": "∉",
    "startswith": "^=",
}


@dataclass(frozen=True, slots=True)
class Hidden:
    """What a recipient does not see: fields that are dropped, fields that are changed, rows, records."""

    redacted: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    rows: str | None = None
    aggregate_only: bool = False

    def document(self) -> dict[str, Json]:
        """Write it for programs."""
        return {
            "redacted": list(self.redacted),
            "masked": list(self.masked),
            "rows": self.rows,
            "aggregate_only": self.aggregate_only,
        }


def hidden_by(obligations: tuple[Obligation, ...]) -> Hidden:
    """Sum up what obligations hide; masks as ``field:method``."""
    redacted: list[str] = []
    masked: list[str] = []
    rows: list[str] = []
    aggregate_only = False
    for one in obligations:
        match one:
            case Redact():
                redacted += one.fields
            case Mask():
                masked.append(f"{one.field}:{one.how.method}")
            case RowFilter():
                rows.append(say_filter(one.rows))
            case AggregateOnly():
                aggregate_only = True
            case Quota() | Rate() | Watermark() | PurposeBinding() | Expiry():
                pass  # they bind the recipient and hide nothing
    return Hidden(tuple(redacted), tuple(masked), " ∧ ".join(rows) or None, aggregate_only)


def say_obligation(obligation: Obligation) -> Text:
    """Say what an obligation asks, in one sentence of each language."""
    zh, en = _sentence(obligation)
    return Text(zh=_cut(zh), en=_cut(en))


def say_filter(rows: FieldFilter | CompoundFilter) -> str:
    """Write a row filter as a formula."""
    if isinstance(rows, FieldFilter):
        return f"{rows.field} {_SIGNS[rows.operator]} {_value(rows.value)}"
    parts = [say_filter(part) for part in rows.value]
    match rows.operator:
        case "not":
            return f"¬({parts[0]})"
        case "and":
            return "(" + " ∧ ".join(parts) + ")" if len(parts) > 1 else parts[0]
        case "or":
            return "(" + " ∨ ".join(parts) + ")" if len(parts) > 1 else parts[0]


def _sentence(  # noqa: PLR0911  # one answer for each kind of obligation
    obligation: Obligation,
) -> tuple[str, str]:
    match obligation:
        case Redact():
            names = ", ".join(obligation.fields)
            return f"删除字段:{names}", f"drop the fields {names}"
        case Mask():
            zh, en = _say_mask(obligation.how)
            return f"字段 {obligation.field} 脱敏:{zh}", f"mask the field {obligation.field}: {en}"
        case RowFilter():
            formula = say_filter(obligation.rows)
            return f"仅提供满足条件的行:{formula}", f"only rows for which {formula}"
        case AggregateOnly():
            by, least = ", ".join(obligation.by), obligation.min_group
            return (
                f"仅提供按 {by} 分组的统计值,每组至少 {least} 行",
                f"only figures by {by}, of groups with at least {least} rows",
            )
        case Quota():
            unit, limit = _UNITS[obligation.unit], obligation.limit
            zh, en = _say_time(obligation.window_seconds)
            return f"{zh}内至多 {limit} {unit[0]}", f"at most {limit} {unit[1]} within {en}"
        case Rate():
            times = obligation.fetches
            zh, en = _say_time(obligation.window_seconds)
            return f"{zh}内至多取数 {times} 次", f"at most {times} fetches within {en}"
        case Watermark():
            who = obligation.recipient or "?"
            return f"加注接收方水印:{who}", f"watermark that names the recipient {who}"
        case PurposeBinding():
            use = obligation.purpose
            return f"仅限用途 {use},不得转供", f"for the purpose {use} only, not to be passed on"
        case Expiry():
            return f"收到后 {obligation.days} 天内删除", f"delete within {obligation.days} days of delivery"


def _say_mask(how: MaskHow) -> tuple[str, str]:
    match how:
        case MaskNull():
            return "置空", "emptied"
        case MaskHash():
            return "带密钥散列", "keyed hash"
        case MaskRound():
            return f"取整到 10^{-how.digits}", f"rounded to 10^{-how.digits}"
        case MaskTruncate():
            return f"保留前 {how.characters} 个字符", f"first {how.characters} characters kept"
        case MaskGeneralise():
            return f"概化到 {how.to}", f"generalised to the {how.to}"
        case MaskGeoGrid():
            size = f"{how.cell_millidegrees / 1000:g}°"
            return f"坐标归入 {size} 网格", f"moved to the centre of a {size} cell"


def _say_time(seconds: int) -> tuple[str, str]:
    for size, zh, en in ((86400, "天", "d"), (3600, "小时", "h"), (60, "分钟", "min")):
        if seconds % size == 0:
            return f"{seconds // size} {zh}", f"{seconds // size} {en}"
    return f"{seconds} 秒", f"{seconds} s"


def _value(value: object) -> str:
    match value:
        case list():
            return "{" + ", ".join(map(_value, value)) + "}"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case _:
            return str(value)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_WORDS else text[: MAX_WORDS - 1] + "…"
