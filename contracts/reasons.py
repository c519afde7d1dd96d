"""Say in Chinese and English why a value breaks a rule of its contract, in words a data clerk can act on."""

from collections.abc import Sequence

import jsonschema_rs

from contracts.messages import Text
from contracts.schema import Contract

_KINDS_ZH = {
    "string": "文本",
    "number": "数值",
    "integer": "整数",
    "boolean": "true 或 false",
    "object": "对象",
    "array": "数组",
    "null": "空值",
}
_LIMITS = {
    "minimum": ("不得小于 {0}", "must be at least {0}"),
    "maximum": ("不得大于 {0}", "must be at most {0}"),
    "exclusiveMinimum": ("必须大于 {0}", "must be above {0}"),
    "exclusiveMaximum": ("必须小于 {0}", "must be below {0}"),
    "minLength": ("至少 {0} 个字符", "must have at least {0} characters"),
    "maxLength": ("至多 {0} 个字符", "must have at most {0} characters"),
    "minItems": ("至少 {0} 项", "must have at least {0} items"),
    "maxItems": ("至多 {0} 项", "must have at most {0} items"),
    "multipleOf": ("必须是 {0} 的倍数", "must be a multiple of {0}"),
    "format": ("不是有效的 {0}", "is not a valid {0}"),
    "const": ("必须等于 {0}", "must be {0}"),
}
_SHOWN_OPTIONS = 8
_SHOWN_CHARS = 200


def explain(contract: Contract, path: Sequence[str | int], kind: jsonschema_rs.ValidationErrorKind) -> Text:
    """Explain one broken rule; the field is called by its title in the contract."""
    note = contract.note_of(str(path[0])) if path else None
    zh, en = _clause(kind)
    if kind.name == "pattern" and note is not None and note.note is not None:
        zh, en = f"格式不符:{note.note.zh}", f"is not in the agreed form: {note.note.en}"
    if note is None:
        return _text(zh, en)
    return _text(f"{note.title.zh}:{zh}", f"{note.title.en} {en}")


def _clause(  # noqa: PLR0911 - one return for each kind of rule
    kind: jsonschema_rs.ValidationErrorKind,
) -> tuple[str, str]:
    if kind.name in _LIMITS:
        zh, en = _LIMITS[kind.name]
        return zh.format(kind.value), en.format(kind.value)
    match kind:
        case jsonschema_rs.ValidationErrorKind.Type():
            names = "或".join(_KINDS_ZH.get(name, name) for name in kind.types)
            return f"类型应为{names}", "must be " + " or ".join(kind.types)
        case jsonschema_rs.ValidationErrorKind.Required():
            return f"缺少字段 {kind.property}", f"is missing (field {kind.property})"
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties():
            return "契约中没有这个字段", "is not a field of the contract"
        case jsonschema_rs.ValidationErrorKind.Enum():
            options = ", ".join(map(str, kind.options[:_SHOWN_OPTIONS]))
            more = " …" if len(kind.options) > _SHOWN_OPTIONS else ""
            return f"不在允许值之内:{options}{more}", f"is none of: {options}{more}"
        case jsonschema_rs.ValidationErrorKind.Pattern():
            return "格式不符合约定", "does not match the agreed pattern"
        case jsonschema_rs.ValidationErrorKind.FalseSchema():
            return "此处不得有值", "must not be present"
        case _:
            return f"不符合规则 {kind.name}", f"breaks the rule {kind.name}"


def _text(zh: str, en: str) -> Text:
    return Text(zh=zh[:_SHOWN_CHARS], en=en[:_SHOWN_CHARS])
