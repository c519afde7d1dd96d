"""What changed in the shape of a record: field by field, what is required, and which conditions hold.

For each part it is searched whether the new one admits more, less, both or the same, so that a rewritten
pattern that says the same is called words and a narrowed one is called narrowed.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from contracts.compatibility.change import Change, Effect, change
from contracts.compatibility.outcome import NOTHING, Found, Schema
from contracts.compatibility.parts import WORDS, spelling
from contracts.compatibility.search import find
from contracts.dialect import pointer_token
from contracts.promises import Compatibility

STEPS = 40_000
_CONDITIONS = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentRequired")
_LISTS = ("allOf", "anyOf", "oneOf")
_SIZES = ("minProperties", "maxProperties")


class Relation(StrEnum):
    """How the new part relates to the old one."""

    SAME = "same"
    WIDER = "wider"
    NARROWER = "narrower"
    OTHER = "other"


_SAID = {
    Relation.SAME: ("写法改变,含义不变", "written otherwise, means the same"),
    Relation.WIDER: ("放宽", "admits more"),
    Relation.NARROWER: ("收紧", "admits less"),
    Relation.OTHER: ("既收紧又放宽", "admits other values"),
}


class Direction:
    """What a mode of compatibility asks: new for old, old for new."""

    def __init__(self, mode: Compatibility) -> None:
        """Read a mode; ``none`` asks nothing, and its changes are told as backward ones are."""
        self.backward = mode in {Compatibility.NONE, *BACKWARD_MODES}
        self.forward = mode in FORWARD_MODES

    def effect(self, relation: Relation) -> Effect:
        """Say what a part that admits more or less does under the mode."""
        if relation is Relation.SAME:
            return Effect.WORDS
        narrower = relation in {Relation.NARROWER, Relation.OTHER}
        wider = relation in {Relation.WIDER, Relation.OTHER}
        breaks = (self.backward and narrower) or (self.forward and wider)
        return Effect.TAKES if breaks else Effect.GIVES


BACKWARD_MODES = frozenset(
    {
        Compatibility.BACKWARD,
        Compatibility.BACKWARD_TRANSITIVE,
        Compatibility.FULL,
        Compatibility.FULL_TRANSITIVE,
    }
)
FORWARD_MODES = frozenset(
    {
        Compatibility.FORWARD,
        Compatibility.FORWARD_TRANSITIVE,
        Compatibility.FULL,
        Compatibility.FULL_TRANSITIVE,
    }
)


def relation(old: Schema, new: Schema) -> Relation:
    """Relate two schemas; in doubt they are told to admit other values."""
    if spelling(_bare(old)) == spelling(_bare(new)):
        return Relation.SAME
    loses = find([old, {"not": new}], steps=STEPS)
    gains = find([new, {"not": old}], steps=STEPS)
    if loses == NOTHING and gains == NOTHING:
        return Relation.SAME
    if loses == NOTHING and isinstance(gains, Found):
        return Relation.WIDER
    return Relation.NARROWER if gains == NOTHING and isinstance(loses, Found) else Relation.OTHER


def record_changes(
    old: Mapping[str, Any],  # Any: a JSON Schema
    new: Mapping[str, Any],
    mode: Compatibility,
) -> list[Change]:
    """List the changes of a record's shape."""
    direction = Direction(mode)
    return [
        *_fields(old, new, direction),
        *_required(old, new, direction),
        *_rest(old, new, direction),
    ]


def _fields(old: Mapping[str, Any], new: Mapping[str, Any], direction: Direction) -> Iterator[Change]:
    for keyword in ("properties", "patternProperties"):
        before, after = old.get(keyword, {}), new.get(keyword, {})
        for name in [*before, *(name for name in after if name not in before)]:
            place = f"/record/{keyword}/{pointer_token(name)}"
            if name not in after:
                effect = direction.effect(Relation.NARROWER)
                yield change(
                    place,
                    effect,
                    before=_short(before[name]),
                    after=None,
                    zh=f"字段 {name} 取消",
                    en=f"field {name} dropped",
                )
            elif name not in before:
                effect = direction.effect(Relation.WIDER)
                yield change(
                    place,
                    effect,
                    before=None,
                    after=_short(after[name]),
                    zh=f"字段 {name} 增加",
                    en=f"field {name} added",
                )
            else:
                yield from _one_field(name, place, (before[name], after[name]), direction)


def _one_field(name: str, place: str, pair: tuple[Schema, Schema], direction: Direction) -> Iterator[Change]:
    old, new = pair
    if spelling(old) == spelling(new):
        return
    related = relation(old, new)
    zh, en = _SAID[related]
    before, after = _differing(old, new)
    yield change(
        place,
        direction.effect(related),
        before=before,
        after=after,
        zh=f"字段 {name}:{zh}",
        en=f"field {name} {en}",
    )


def _differing(old: Schema, new: Schema) -> tuple[Schema, Schema]:
    """Leave out the keywords that both schemas have alike, so that a person sees the difference."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return old, new
    alike = {key for key in old if key in new and spelling(old[key]) == spelling(new[key])}
    before, after = (
        {
            key: _without(value, other.get(key)) if key in _LISTS else value
            for key, value in side.items()
            if key not in alike
        }
        for side, other in ((old, new), (new, old))
    )
    return before or None, after or None


def _without(schemas: list[Schema], others: Schema) -> list[Schema]:
    known = {spelling(each) for each in others} if isinstance(others, list) else set()
    return [each for each in schemas if spelling(each) not in known]


def _required(old: Mapping[str, Any], new: Mapping[str, Any], direction: Direction) -> Iterator[Change]:
    before, after = set(old.get("required", [])), set(new.get("required", []))
    for name in sorted(after - before):
        yield change(
            f"/record/required/{pointer_token(name)}",
            direction.effect(Relation.NARROWER),
            before="optional",
            after="required",
            zh=f"字段 {name} 改为必填",
            en=f"field {name} now required",
        )
    for name in sorted(before - after):
        if name in new.get("properties", {}):
            yield change(
                f"/record/required/{pointer_token(name)}",
                direction.effect(Relation.WIDER),
                before="required",
                after="optional",
                zh=f"字段 {name} 改为选填",
                en=f"field {name} no longer required",
            )


def _rest(old: Mapping[str, Any], new: Mapping[str, Any], direction: Direction) -> Iterator[Change]:
    for names, zh, en in ((_CONDITIONS, "条件规则", "conditions"), (_SIZES, "字段个数", "number of fields")):
        before, after = ({key: side[key] for key in names if key in side} for side in (old, new))
        if spelling(before) == spelling(after):
            continue
        related = _under(old, before, new, after)
        said = _SAID[related]
        shown = _differing(before, after)
        yield change(
            "/record",
            direction.effect(related),
            before=shown[0],
            after=shown[1],
            zh=f"{zh}:{said[0]}",
            en=f"{en}: {said[1]}",
        )


def _under(old: Mapping[str, Any], before: Schema, new: Mapping[str, Any], after: Schema) -> Relation:
    """Relate rules on whole records among the records that both versions' fields admit."""
    frames = [
        {key: value for key, value in side.items() if key not in (*_CONDITIONS, *_SIZES)}
        for side in (old, new)
    ]
    frame = frames[0] if spelling(frames[0]) == spelling(frames[1]) else {"allOf": frames}
    return relation({"allOf": [frame, before]}, {"allOf": [frame, after]})


def _bare(schema: Schema) -> Schema:
    """Leave out words, which no verdict reads; in an enumeration or a constant they are values."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: value if key in {"enum", "const"} else _bare(value)
        for key, value in schema.items()
        if key not in WORDS
    }


def _short(schema: Schema) -> Schema:
    return _bare(schema)
