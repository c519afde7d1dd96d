"""Every reason code, with its Chinese and its English sentence.

A policy may answer only with the codes that stand here, and with exactly the arguments that a sentence names;
``explain`` refuses anything else, so a person never reads a bare code. Codes ``pdp:…`` are faults of the
decision point itself, and always refuse.
"""

from collections.abc import Mapping
from functools import cache
from string import Formatter

from contracts.errors import Invalid
from policies.decision import Reason

SENTENCES: Mapping[str, tuple[str, str]] = {
    # grounds of a permit
    "agreement-in-force": ("共享协议 {agreement} 有效。", "Agreement {agreement} is in force."),
    "may-apply": ("可以提出共享申请。", "An application may be made."),
    "emergency-declared": (
        "已宣布的紧急状态 {emergency} 覆盖该数据集。",
        "The declared emergency {emergency} covers the dataset.",
    ),
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
    "sharing-contradicts": (
        "登记自相矛盾:无条件共享不得附带使用条件。",
        "The record contradicts itself: what is shared unconditionally may carry no conditions.",
    ),
    "purpose-not-offered": (
        "提供方没有为用途 {purpose} 提供该数据。",
        "The provider does not offer the dataset for the purpose {purpose}.",
    ),
    "level-too-low": (
        "可见内容为第 {classification} 级;使用方不是国家级、省级或提供方的上级,提供方也未为此用途列出字段。",
        (
            "What is visible is of class {classification}; the consumer is neither national nor provincial "
            "nor above the provider, which names no fields for this purpose."
        ),
    ),
    "core-not-named": (
        "可见内容为第 4 级(核心)数据,而提供方没有为用途 {purpose} 列出可见字段。",
        "What is visible is core data (class 4), and the provider names no fields for the purpose {purpose}.",
    ),
    "sector-not-named": (
        "行业 {sector} 不属于政府部门,而提供方没有为此用途列出可见字段。",
        "The sector {sector} is not government, and the provider names no fields for this purpose.",
    ),
    "nothing-visible": (
        "按用途 {purpose} 脱敏后没有任何可见字段。",
        "No field stays visible for the purpose {purpose}.",
    ),
    # denials by the conditions of the dataset's record
    "territory-not-allowed": (
        "登记的使用条件不包括使用方所在地区 {territory}。",
        "The conditions of the record leave out the consumer's territory {territory}.",
    ),
    "level-not-allowed": (
        "登记的使用条件不包括使用方的层级 {level}。",
        "The conditions of the record leave out the consumer's level {level}.",
    ),
    "sector-not-allowed": (
        "登记的使用条件不包括使用方的行业 {sector}。",
        "The conditions of the record leave out the consumer's sector {sector}.",
    ),
    "network-not-allowed": (
        "登记的使用条件不允许从网络地址 {address} 使用。",
        "The conditions of the record allow no use from the network address {address}.",
    ),
    "weekday-not-allowed": (
        "登记的使用条件不允许在星期 {weekday} 使用(1 为星期一)。",
        "The conditions of the record allow no use on weekday {weekday} (1 is Monday).",
    ),
    "hour-not-allowed": (
        "登记的使用条件不允许在 {hour} 时(北京时间)使用。",
        "The conditions of the record allow no use in the hour {hour} (UTC+8).",
    ),
    # denials by its duties
    "duties-conflict": (
        "提供方的要求互相冲突:规定了两种汇总方式,或要求汇总须隐去的字段。",
        "The provider's duties contradict each other: two ways to aggregate, or a figure of a hidden field.",
    ),
    "duty-names-no-field": (
        "提供方的要求涉及字段 {field},而数据契约中没有该字段。",
        "A duty of the record is about the field {field}, which its contract does not have.",
    ),
    "no-emergency": (
        "目前没有覆盖该数据集的紧急状态;应急用途的数据只在紧急状态期间传输。",
        "No declared emergency covers the dataset; data moves for emergency response only while one does.",
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
    "onward-sharing-forbidden": (
        "共享协议允许再次转让,本联盟不予允许。",
        "The agreement would let the data be passed on, which the alliance forbids.",
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
    "pdp:unavailable": ("无法连接策略服务器。", "The policy server cannot be reached."),
    "pdp:timeout": ("策略服务器未在时限内答复。", "The policy server did not answer in time."),
    "pdp:untrusted": (
        "策略服务器的 TLS 连接不可信。",
        "The TLS connection to the policy server cannot be trusted.",
    ),
    "pdp:refused": (
        "策略服务器不接受本中心的令牌或证书。",
        "The policy server does not accept this exchange's token or certificate.",
    ),
    "pdp:wrong-bundle": (
        "策略服务器所用的策略包不是本中心批准的版本。",
        "The policy server decides with a bundle that this exchange does not expect.",
    ),
    "pdp:resting": (
        "策略服务器连续无法连接,暂停询问,稍后自动重试。",
        "The policy server failed several times in a row; it is asked again in a moment.",
    ),
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


@cache
def arguments(code: str) -> frozenset[str]:
    """Name the arguments that the sentence of ``code`` needs."""
    return frozenset(name for _, name, _, _ in Formatter().parse(SENTENCES[code][1]) if name)
