"""Every reason code, with its Chinese and its English sentence.

A policy may answer only with the codes that stand here, and with exactly the arguments that a sentence names;
``explain`` refuses anything else, so a person never reads a bare code. Codes ``pdp:…`` are faults of the
decision point itself, and always refuse.
"""

from collections.abc import Mapping
from string import Formatter

from contracts.errors import Invalid
from policies.decision import Reason

SENTENCES: Mapping[str, tuple[str, str]] = {
    # grounds of a permit
    "agreement-in-force": ("共享协议 {agreement} 有效。", "Agreement {agreement} is in force."),
    "may-apply": ("可以提出共享申请。", "An application may be made."),
    # denials that hold for every action
    "action-unknown": ("策略不认识这种操作。", "The policy knows no such action."),
    "facts-incomplete": (
        "数据集登记中的字段清单不完整。",
        "The lists of fields in the dataset's record are not whole.",
    ),
    "consumer-not-active": (
        "使用方当前状态为 {status},不是正常状态。",
        "The consumer is {status}, not active.",
    ),
    "provider-not-active": (
        "提供方当前状态为 {status},不是正常状态。",
        "The provider is {status}, not active.",
    ),
    "dataset-not-shared": (
        "该数据不予共享,依据:{basis}",
        "The dataset is not shared, on this basis: {basis}",
    ),
    "purpose-not-offered": (
        "提供方没有为用途 {purpose} 提供该数据。",
        "The provider does not offer the dataset for the purpose {purpose}.",
    ),
    "level-too-low": (
        "该数据为第 {classification} 级,仅限国家级和省级参与方使用。",
        "The dataset is of class {classification}, open to national and provincial participants only.",
    ),
    "sector-not-named": (
        "行业 {sector} 不属于政府部门,而提供方没有为此用途列出可见字段。",
        "The sector {sector} is not government, and the provider names no fields for this purpose.",
    ),
    "nothing-visible": (
        "按用途 {purpose} 脱敏后没有任何可见字段。",
        "No field stays visible for the purpose {purpose}.",
    ),
    # denials of an application
    "application-time-past": ("申请的使用期限已经过去。", "The time applied for has already passed."),
    # denials of a transfer
    "agreement-not-active": ("共享协议当前状态为 {state}。", "The agreement is {state}, not active."),
    "agreement-not-begun": ("共享协议尚未生效。", "The agreement has not begun yet."),
    "agreement-expired": ("共享协议已到期。", "The agreement has expired."),
    "agreement-other-consumer": ("共享协议属于另一使用方。", "The agreement belongs to another consumer."),
    "agreement-other-provider": ("共享协议属于另一提供方。", "The agreement belongs to another provider."),
    "agreement-other-dataset": ("共享协议针对另一数据集。", "The agreement is about another dataset."),
    "agreement-other-purpose": ("共享协议约定的是另一用途。", "The agreement is for another purpose."),
    "record-changed": (
        "数据集登记在签订协议后已变更,需要重新签订。",
        "The dataset's record has changed since the agreement was signed; a new agreement is needed.",
    ),
    "subscription-not-active": ("订阅当前状态为 {state}。", "The subscription is {state}, not active."),
    "receipt-owed": (
        "尚欠 {owed} 份接收回执,补交后才能继续。",
        "Receipts owed: {owed}. Hand them in, then go on.",
    ),
    "too-many-open-grants": (
        "未了结的授权有 {open} 个,上限为 {limit} 个。",
        "Open grants: {open}; the limit is {limit}.",
    ),
    # faults of the decision point: fail closed
    "pdp:bad-input": (
        "提交给策略引擎的事实不合规范。",
        "The facts for the policy engine do not fit the schema.",
    ),
    "pdp:too-large": (
        "提交给策略引擎的事实过大或嵌套过深。",
        "The facts for the policy engine are too large.",
    ),
    "pdp:error": ("策略引擎求值失败。", "The policy engine failed to evaluate."),
    "pdp:panic": ("策略引擎崩溃,已重建。", "The policy engine crashed and was built anew."),
    "pdp:undefined": ("策略没有给出结论。", "The policy gave no answer."),
    "pdp:bad-answer": ("策略引擎的答复不合规范。", "The policy engine's answer does not fit the schema."),
    "pdp:inconsistent": ("策略引擎的答复自相矛盾。", "The policy engine's answer contradicts itself."),
    "pdp:unknown-reason": ("策略给出了未登记的理由。", "The policy gave a reason that is not on the list."),
    "pdp:closed": ("策略引擎已经关闭。", "The policy engine is closed."),
}


class UnknownReason(Invalid):
    """A reason code is not on the list, or its arguments are not those of its sentence."""

    code = "unknown-reason"
    title_zh = "理由代码未登记或参数不符"


def explain(code: str, args: Mapping[str, int | str] | None = None) -> Reason:
    """Make the reason that ``code`` names; raise UnknownReason for a code or arguments off the list."""
    given = dict(args or {})
    if code not in SENTENCES:
        raise UnknownReason(f"{code[:60]!r} is not a reason code")
    zh, en = SENTENCES[code]
    if given.keys() != arguments(code):
        raise UnknownReason(f"{code} does not come with the arguments {sorted(given)[:8]}")
    return Reason(code, zh.format_map(given), en.format_map(given), given)


def arguments(code: str) -> set[str]:
    """Name the arguments that the sentence of ``code`` needs."""
    return {name for _, name, _, _ in Formatter().parse(SENTENCES[code][1]) if name}
