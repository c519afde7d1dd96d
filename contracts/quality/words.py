"""What a finding says in words, in Chinese and in English; made from its figures only."""

from contracts.promises import CompleteSeries, Jump, Missing, Plausible, QualityRule
from contracts.schema import Prose

_NAMED = 3
_NAME_LENGTH = 60

_SENTENCES: dict[tuple[str, str | None], tuple[str, str]] = {
    ("complete-series", None): (
        "应有 {expected} 条{of_zh},缺 {records} 条,未达到 {limit}%",
        "{records} of {expected} records{of_en} are missing; {limit}% should be there",
    ),
    ("timely", None): (
        "{records} 条记录迟报,最长 {value} 秒",
        "{count} came late, by up to {value} s",
    ),
    ("stuck", None): (
        "{names} 连续 {records} 条均为 {value}",
        "{names} shows {value} in {count} in a row",
    ),
    ("sentinel", None): (
        "{names} 有 {records} 条为标志值 {value}",
        "{names} holds the marker {value} in {count}",
    ),
    ("ordered", None): (
        "{first} 大于 {second},{records} 条,最多大 {value}",
        "{first} is above {second} in {count}, by up to {value}",
    ),
    ("plausible", "below"): (
        "{names} 低于合理下限 {least},{records} 条,最低 {value}",
        "{names} is below the plausible {least} in {count}, down to {value}",
    ),
    ("plausible", "above"): (
        "{names} 高于合理上限 {most},{records} 条,最高 {value}",
        "{names} is above the plausible {most} in {count}, up to {value}",
    ),
    ("jump", None): (
        "{names} 相邻记录突变超过 {limit},{records} 次,最大 {value}",
        "{names} jumps by more than {limit} in {count}, by up to {value}",
    ),
    ("duplicate", None): (
        "{names} 相同的记录重复 {records} 条",
        "{names} of an earlier row stand again in {count}",
    ),
    ("clock-shift", "back"): (
        "{records} 条记录的时间比文件中上一条倒退,最多 {value} 秒",
        "the time goes back behind the row before in {count}, by up to {value} s",
    ),
    ("clock-shift", "grid"): (
        "{records} 条记录的时间偏离该序列通常的时刻,最多 {value} 秒",
        "the time leaves the usual grid of its series in {count}, by up to {value} s",
    ),
    ("clock-shift", "ahead"): (
        "{records} 条记录的时间晚于发布时刻,最多 {value} 秒",
        "the time lies after the release in {count}, by up to {value} s",
    ),
    ("missing", None): (
        "{names} 在 {expected} 条记录中缺 {records} 条,超过 {limit}%",
        "{names} is null in {records} of {expected} records, above {limit}%",
    ),
    ("known-code", None): (
        "{names} 的代码 {value} 不在代码表中,{records} 条",
        "{names} holds {value}, which is not in its code list, in {count}",
    ),
    ("copied", None): (
        "{names} 在 {records} 条记录中完全相同,疑为同一数据的复制",
        "{names} are equal wherever both are there, in {count}: one seems to be a copy",
    ),
    ("recomputed", None): (
        "{names} 与按标准重算的结果不符,{records} 条,应为 {value}",
        "{names} differs from what the standard gives, {value}, in {count}",
    ),
}


def describe(
    rule: QualityRule,
    fields: tuple[str, ...],
    aspect: str | None,
    *,
    records: int,
    expected: int | None,
    value: str | None,
) -> Prose:
    """Say what one finding is."""
    cut = [name[:_NAME_LENGTH] for name in fields[:_NAMED]]
    names = ", ".join(cut) + (" …" if len(fields) > _NAMED else "")
    facts = {
        "names": names,
        "of_zh": f"含 {names} 的记录" if cut else "记录",
        "of_en": f" with {names}" if cut else "",
        "first": cut[0] if cut else "",
        "second": cut[-1] if cut else "",
        "records": records,
        "count": "1 record" if records == 1 else f"{records} records",
        "expected": expected,
        "value": "" if value is None else value[:_NAME_LENGTH],
        "limit": _limit(rule),
        "least": rule.minimum if isinstance(rule, Plausible) else None,
        "most": rule.maximum if isinstance(rule, Plausible) else None,
    }
    zh, en = _SENTENCES[rule.kind, aspect]
    return Prose(zh=zh.format_map(facts), en=en.format_map(facts))


def _limit(rule: QualityRule) -> int | str | None:
    match rule:
        case CompleteSeries():
            return rule.minimum_percent
        case Missing():
            return rule.maximum_percent
        case Jump():
            return rule.more_than
        case _:
            return None
