"""What two versions of a contract promise beyond the shape of a record, and what a change does to its users.

A change takes away where a user may do less, is owed less, or reads a value otherwise than before: a stricter
sharing class or classification, fewer purposes, a looser service level or quality rule, another unit, code
edition, key or series. It gives where it only adds or tightens what the provider owes. In doubt it takes.
"""

from collections.abc import Callable, Iterator, Mapping

from contracts.compatibility.change import Change, Effect, change
from contracts.compatibility.rules import rule_changes
from contracts.dialect import pointer_token
from contracts.messages import Sharing
from contracts.promises import Compatibility, ServiceLevels
from contracts.schema import Contract, RecordField

_STRICTNESS: dict[Sharing | None, int] = {
    Sharing.UNCONDITIONAL: 0,
    Sharing.CONDITIONAL: 1,
    None: 2,  # each dataset says it for itself, so it may be any
    Sharing.NOT_SHARED: 3,
}
_GUARANTEES: dict[Compatibility, frozenset[str]] = {
    Compatibility.NONE: frozenset(),
    Compatibility.BACKWARD: frozenset({"backward"}),
    Compatibility.BACKWARD_TRANSITIVE: frozenset({"backward", "all backward"}),
    Compatibility.FORWARD: frozenset({"forward"}),
    Compatibility.FORWARD_TRANSITIVE: frozenset({"forward", "all forward"}),
    Compatibility.FULL: frozenset({"backward", "forward"}),
    Compatibility.FULL_TRANSITIVE: frozenset({"backward", "forward", "all backward", "all forward"}),
}
_LEVELS: tuple[tuple[str, bool, str, str], ...] = (
    ("frequency_seconds", False, "发布频率(秒)", "seconds between releases"),
    ("latency_seconds", False, "时延(秒)", "latency in seconds"),
    ("completeness_percent", True, "完整率(%)", "completeness in percent"),
    ("retention_days", True, "保存期(天)", "days of retention"),
    ("quarantine_days", True, "隔离行保留(天)", "days a rejected row may wait"),
)


def governance_changes(old: Contract, new: Contract) -> list[Change]:
    """List every change of what is promised, in the order of the contract."""
    return [
        *_identity(old, new),
        *_sharing(old, new),
        *_fields(old, new),
        *_codes(old, new),
        *_series(old, new),
        *_service(old.service or ServiceLevels(), new.service or ServiceLevels()),
        *rule_changes(old, new),
    ]


def _identity(old: Contract, new: Contract) -> Iterator[Change]:
    if old.id != new.id:
        yield change("/id", Effect.TAKES, before=old.id, after=new.id, zh="另一份契约", en="another contract")
    yield from _ranked(
        "/classification",
        old.classification,
        new.classification,
        zh="数据集分级",
        en="classification of the dataset",
    )
    yield from _words(old, new)
    yield from _set_change(
        "/editions", old.editions, new.editions, zh="依据的标准版本", en="editions of standards"
    )
    if old.compatibility is not new.compatibility:
        kept = _GUARANTEES[old.compatibility] <= _GUARANTEES[new.compatibility]
        yield change(
            "/compatibility",
            Effect.GIVES if kept else Effect.TAKES,
            before=old.compatibility.value,
            after=new.compatibility.value,
            zh="兼容承诺改变",
            en="another promise of compatibility",
        )


def _words(old: Contract, new: Contract) -> Iterator[Change]:
    for name, zh, en in (
        ("title", "名称措辞", "title reworded"),
        ("description", "说明措辞", "description reworded"),
        ("theme", "主题", "another theme"),
        ("update_frequency", "更新频率说明", "words on update frequency"),
        ("example", "示例记录", "another example"),
    ):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            told = [None if name == "description" else _plain(value) for value in (before, after)]
            yield change(f"/{name}", Effect.WORDS, before=told[0], after=told[1], zh=zh, en=en)


def _plain(value: object) -> object:
    return value.model_dump() if hasattr(value, "model_dump") else value


def _sharing(old: Contract, new: Contract) -> Iterator[Change]:
    if old.sharing is not new.sharing:
        looser = _STRICTNESS[new.sharing] < _STRICTNESS[old.sharing]
        yield change(
            "/sharing",
            Effect.GIVES if looser else Effect.TAKES,
            before=old.sharing.value if old.sharing else None,
            after=new.sharing.value if new.sharing else None,
            zh="共享类型放宽" if looser else "共享类型收紧",
            en="a looser sharing class" if looser else "a stricter sharing class",
        )
    before, after = set(old.purposes), set(new.purposes)
    if before != after:
        wider = not after or (bool(before) and before < after)
        yield change(
            "/purposes",
            Effect.GIVES if wider else Effect.TAKES,
            before=sorted(before) or "any",
            after=sorted(after) or "any",
            zh="允许的用途增加" if wider else "允许的用途减少",
            en="more purposes" if wider else "fewer purposes",
        )


def _fields(old: Contract, new: Contract) -> Iterator[Change]:
    before = {field.name: field for field in old.fields}
    after = {field.name: field for field in new.fields}
    shared = [name for name in before if name in after]
    for name in shared:
        yield from _field(before[name], after[name])
    order = [name for name in after if name in before]
    if order != shared:
        yield change(
            "/fields", Effect.WORDS, before=shared, after=order, zh="列的次序", en="order of columns"
        )


def _field(old: RecordField, new: RecordField) -> Iterator[Change]:
    place = f"/fields/{pointer_token(old.name)}"
    if old.unit != new.unit:
        yield change(
            f"{place}/unit",
            Effect.TAKES,
            before=old.unit,
            after=new.unit,
            zh=f"{new.title.zh}:单位改变",
            en=f"{new.title.en}: another unit",
        )
    yield from _ranked(
        f"{place}/classification",
        old.classification,
        new.classification,
        zh=f"{new.title.zh}:分级",
        en=f"{new.title.en}: classification",
    )
    for name, zh, en in (("title", "名称措辞", "title reworded"), ("note", "说明措辞", "note reworded")):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield change(
                f"{place}/{name}",
                Effect.WORDS,
                before=_plain(before),
                after=_plain(after),
                zh=f"{new.title.zh}:{zh}",
                en=f"{new.title.en}: {en}",
            )


def _ranked(place: str, old: int, new: int, *, zh: str, en: str) -> Iterator[Change]:
    if old != new:
        stricter = new > old
        effect = Effect.TAKES if stricter else Effect.GIVES
        ways = ("提高", "raised") if stricter else ("降低", "lowered")
        yield change(place, effect, before=old, after=new, zh=f"{zh}{ways[0]}", en=f"{en} {ways[1]}")


def _set_change(place: str, old: list[str], new: list[str], *, zh: str, en: str) -> Iterator[Change]:
    if set(old) != set(new):
        effect = Effect.GIVES if set(old) < set(new) else Effect.TAKES
        yield change(place, effect, before=old, after=new, zh=zh, en=en)


def _codes(old: Contract, new: Contract) -> Iterator[Change]:
    before = {code.list_id: code for code in old.codes}
    after = {code.list_id: code for code in new.codes}
    for name in sorted(before.keys() | after.keys()):
        place, past, present = f"/codes/{name}", before.get(name), after.get(name)
        editions = [code.edition if code else None for code in (past, present)]
        if past is None or present is None or editions[0] != editions[1]:
            effect = Effect.GIVES if past is None else Effect.TAKES
            yield change(
                place,
                effect,
                before=editions[0],
                after=editions[1],
                zh=f"代码表 {name}",
                en=f"code list {name}",
            )
        else:
            yield from _set_change(
                f"{place}/fields",
                past.fields,
                present.fields,
                zh=f"代码表 {name} 的字段",
                en=f"fields of {name}",
            )


def _series(old: Contract, new: Contract) -> Iterator[Change]:
    parts: tuple[tuple[str, str, str, Callable[[Contract], object]], ...] = (
        ("/key", "主键", "the key", lambda contract: contract.key or None),
        ("/series/time", "时间字段", "the field of time", _of_series("time")),
        ("/series/by", "序列划分", "what tells series apart", _of_series("by")),
        ("/series/zone", "时区", "the time zone", _of_series("zone")),
        ("/series/step_seconds", "时间步长(秒)", "the step in seconds", _of_series("step_seconds")),
    )
    for place, zh, en, read in parts:
        before, after = read(old), read(new)
        if before != after:
            effect = Effect.GIVES if before is None else Effect.TAKES
            yield change(place, effect, before=before, after=after, zh=f"{zh}改变", en=f"{en} changed")


def _of_series(name: str) -> Callable[[Contract], object]:
    return lambda contract: None if contract.series is None else getattr(contract.series, name)


def _service(old: ServiceLevels, new: ServiceLevels) -> Iterator[Change]:
    levels: Mapping[str, tuple[int | None, int | None]] = {
        name: (getattr(old, name), getattr(new, name)) for name, *_ in _LEVELS
    }
    for name, higher_is_better, zh, en in _LEVELS:
        before, after = levels[name]
        if before == after:
            continue
        better = before is None or (after is not None and (after > before) is higher_is_better)
        ways = ("提高", "tightened") if better else ("放宽", "loosened")
        effect = Effect.GIVES if better else Effect.TAKES
        yield change(
            f"/service/{name}", effect, before=before, after=after, zh=f"{zh}{ways[0]}", en=f"{en} {ways[1]}"
        )
