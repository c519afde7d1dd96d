"""What a provider asks of the users of a dataset, judged by the contract before it is signed or registered.

Pure. A condition that limits nothing, a purpose that is not offered, a mask that does not fit its field: each
is most likely a slip of the hand, and a slip here leaves data open. So every fault is found and named, and
the node refuses to sign and the exchange to register. Sharing classes: Order 809, articles 14 and 15.
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from itertools import combinations
from typing import Protocol, cast

from contracts.dialect import Reason
from contracts.errors import Invalid
from contracts.messages import (
    EMERGENCY_PURPOSE,
    AggregateOnly,
    Condition,
    Duty,
    Expiry,
    Mask,
    MaskHash,
    PurposeFields,
    Quota,
    Rate,
    RowFilter,
    Sharing,
    Watermark,
    filter_parts,
)
from contracts.messages.obligations import MAX_CONDITIONS, MAX_DUTIES, MAX_FILTER_DEPTH, MAX_FILTER_NODES
from contracts.messages.wire import Wire
from contracts.schema import Contract
from contracts.view import ObligationUnfit, shape_view

MAX_PURPOSES = 100
MAX_BYTES = 128 * 1024
"""Half of what a question may have: a record that cannot be asked about would only ever raise alarms."""

_CORE = 4
_WIDTH = {Sharing.NOT_SHARED: 0, Sharing.CONDITIONAL: 1, Sharing.UNCONDITIONAL: 2}
_MAPPED = re.compile("[0:]*:ffff:")


class TermsUnfit(Invalid):
    """The conditions or duties of a dataset do not hold together."""

    code = "terms-unfit"
    title_zh = "数据集的共享条件或使用义务自相矛盾或不适用"
    next_zh = "按 faults 逐条修改后重新登记。"
    next_en = "Change what each fault names, then declare the dataset again."


class Terms(Protocol):
    """The part of a declaration or a record that policy reads."""

    @property
    def sharing(self) -> Sharing: ...
    @property
    def classification(self) -> int: ...
    @property
    def purposes(self) -> list[str]: ...
    @property
    def purpose_fields(self) -> list[PurposeFields]: ...
    @property
    def conditions(self) -> list[Condition]: ...
    @property
    def duties(self) -> list[Duty]: ...
    @property
    def emergency(self) -> bool: ...


def check_terms(terms: Terms, contract: Contract) -> None:
    """Raise TermsUnfit with every fault of the terms of a dataset under its contract."""
    faults = [str(fault) for fault in term_faults(terms, contract)]
    if faults:
        raise TermsUnfit(f"{contract.id}: {faults[0]}", faults=faults[:50])


def term_faults(terms: Terms, contract: Contract) -> list[Reason]:
    """List the faults; each points into the record. Of terms beyond the limits nothing else is looked at."""
    return list(_size_faults(terms)) or [
        *_class_faults(terms),
        *_promise_faults(terms, contract),
        *_purpose_faults(terms, contract),
        *(fault for at, item in enumerate(terms.conditions) for fault in _condition_faults(at, item)),
        *(fault for at, duty in enumerate(terms.duties) for fault in _duty_faults(at, duty, contract)),
        *_filter_faults(terms),
        *_aggregate_faults(terms, contract),
    ]


def hidden_fields(purpose_fields: Sequence[PurposeFields], purpose: str, contract: Contract) -> set[str]:
    """Give the fields that a purpose may not see: every entry for it hides what it leaves out."""
    known = {field.name for field in contract.fields}
    hidden: set[str] = set()
    for entry in purpose_fields:
        if entry.purpose == purpose:
            hidden |= known - set(entry.fields)
    return hidden


def _size_faults(terms: Terms) -> Iterator[Reason]:
    if len(terms.conditions) > MAX_CONDITIONS:
        yield Reason("/conditions", f"至多 {MAX_CONDITIONS} 条", f"at most {MAX_CONDITIONS} conditions")
    if len(terms.duties) > MAX_DUTIES:
        yield Reason("/duties", f"至多 {MAX_DUTIES} 条", f"at most {MAX_DUTIES} duties")
    for pointer, items in (("/purposes", terms.purposes), ("/purpose_fields", terms.purpose_fields)):
        if len(items) > MAX_PURPOSES:
            yield Reason(pointer, f"至多 {MAX_PURPOSES} 项", f"at most {MAX_PURPOSES} entries")
    parts: list[Wire] = [*terms.purpose_fields, *terms.conditions, *terms.duties]
    if sum(len(part.canonical()) for part in parts) > MAX_BYTES:
        yield Reason("", f"条款合计超过 {MAX_BYTES} 字节", f"the terms have more than {MAX_BYTES} bytes")


def _class_faults(terms: Terms) -> Iterator[Reason]:
    if terms.sharing is Sharing.UNCONDITIONAL and terms.conditions:
        yield Reason("/conditions", "无条件共享不得附加条件", "unconditional sharing carries no conditions")
    if terms.sharing is Sharing.UNCONDITIONAL and terms.classification >= _CORE:
        yield Reason("/sharing", "核心数据不得无条件共享", "core data is never shared unconditionally")
    if terms.sharing is Sharing.NOT_SHARED and terms.emergency:
        yield Reason("/emergency", "不予共享的数据不能为应急开放", "what is not shared opens to no emergency")
    if terms.emergency and terms.purposes and EMERGENCY_PURPOSE not in terms.purposes:
        yield Reason(
            "/emergency",
            f"用途中没有 {EMERGENCY_PURPOSE},应急放行不会生效",
            f"the waiver is idle unless the purpose {EMERGENCY_PURPOSE} is offered",
        )


def _promise_faults(terms: Terms, contract: Contract) -> Iterator[Reason]:
    """A contract says how wide and what for its data may be shared at most; a dataset may be stricter."""
    if contract.sharing is not None and _WIDTH[terms.sharing] > _WIDTH[contract.sharing]:
        yield Reason(
            "/sharing",
            f"契约规定至多为 {contract.sharing.value}",
            f"the contract shares its data as {contract.sharing.value} at most",
        )
    if contract.purposes and not terms.purposes:
        yield Reason("/purposes", "契约限定了用途,须逐一列出", "the contract limits purposes: name them")
    for purpose in sorted(set(terms.purposes) - set(contract.purposes)) if contract.purposes else ():
        yield Reason("/purposes", f"契约不允许用途 {purpose}", f"the contract does not admit {purpose}")


def _purpose_faults(terms: Terms, contract: Contract) -> Iterator[Reason]:
    """A rule for a purpose that is not offered never holds; the purpose that is offered stays without it."""
    if not terms.purposes:
        return
    offered = set(terms.purposes)
    named = [
        *((f"/purpose_fields/{at}/purpose", [item.purpose]) for at, item in enumerate(terms.purpose_fields)),
        *((f"/conditions/{at}/purposes", item.purposes) for at, item in enumerate(terms.conditions)),
        *((f"/duties/{at}/purposes", item.purposes) for at, item in enumerate(terms.duties)),
    ]
    for pointer, purposes in named:
        for purpose in sorted(set(purposes) - offered):
            yield Reason(pointer, f"未提供用途 {purpose}", f"the purpose {purpose} is not offered")
    known = {field.name for field in contract.fields}
    for purpose in sorted(offered):
        if hidden_fields(terms.purpose_fields, purpose, contract) >= known:
            yield Reason("/purpose_fields", f"用途 {purpose} 看不到任何字段", f"{purpose} would see no field")


def _condition_faults(at: int, condition: Condition) -> Iterator[Reason]:
    place = f"/conditions/{at}"
    for number, text in enumerate(condition.networks):
        if not _is_block(text):
            yield Reason(
                f"{place}/networks/{number}",
                "不是规范写法的 CIDR 网段",
                "is no CIDR block in its plain form, such as 10.51.0.0/16",
            )
    for number, code in enumerate(condition.territories):
        if not code.strip("0"):
            yield Reason(f"{place}/territories/{number}", "区划代码全为零", "a code of zeros is no territory")
    if condition.hours is not None and condition.hours.begin == condition.hours.end:
        yield Reason(f"{place}/hours", "起止时刻相同", "begins and ends in the same hour")
    limits = (
        condition.territories,
        condition.levels,
        condition.sectors,
        condition.networks,
        condition.weekdays,
        condition.hours,
    )
    if not any(limits):
        yield Reason(place, "该条件不作任何限制", "limits nothing")


def _is_block(text: str) -> bool:
    try:
        network = ip_network(text)
    except ValueError:
        return False
    # IPv4 in IPv6 clothes would be compared with addresses that no request has, so no engine takes it; and a
    # zone is of one machine only.
    return str(network) == text and not _MAPPED.match(text) and "%" not in text


def _duty_faults(at: int, duty: Duty, contract: Contract) -> Iterator[Reason]:
    place = f"/duties/{at}/obligation"
    try:
        shape_view(contract, [duty.obligation])
    except ObligationUnfit as unfit:
        for fault in cast("list[str]", unfit.facts["faults"]):
            yield Reason(place, f"义务不适用于该契约:{fault}", fault)
    match duty.obligation:
        case Mask(how=MaskHash(recipient=str())) | Watermark(recipient=str()):
            yield Reason(f"{place}/recipient", "接收方由决定填写", "the decision names the recipient")
        case Mask() | RowFilter() | AggregateOnly() | Quota() | Rate() | Watermark() | Expiry():
            pass


def _filter_faults(terms: Terms) -> Iterator[Reason]:
    """The filters that hold for one purpose are joined to one, which has the bounds of a single filter."""
    named = {purpose for duty in terms.duties for purpose in duty.purposes}
    for purpose in sorted({*terms.purposes, *named}) or [""]:
        filters = [
            list(filter_parts(duty.obligation.rows))
            for duty in terms.duties
            if isinstance(duty.obligation, RowFilter) and (not duty.purposes or purpose in duty.purposes)
        ]
        parts = sum(map(len, filters)) + 1
        depth = 1 + max((depth for found in filters for depth, _ in found), default=0)
        if len(filters) > 1 and (parts > MAX_FILTER_NODES or depth > MAX_FILTER_DEPTH):
            yield Reason(
                "/duties",
                f"用途 {purpose or '*'} 的行过滤合并后过大",
                f"the row filters for {purpose or 'any purpose'}, joined, have {parts} parts, {depth} deep",
            )


def _aggregate_faults(terms: Terms, contract: Contract) -> Iterator[Reason]:
    """What would always end in a denial: two aggregates for one use, figures of what is hidden."""
    duties = list(enumerate(terms.duties))
    for (at, one), (other_at, other) in combinations(duties, 2):
        pair = (one.obligation, other.obligation)
        if not _meet(one, other):
            continue
        match pair:
            case (AggregateOnly(), AggregateOnly()) if pair[0] != pair[1]:
                yield Reason(f"/duties/{other_at}", f"与义务 {at} 冲突", f"conflicts with duty {at}")
            case (AggregateOnly() as figures, Mask() as mask) | (Mask() as mask, AggregateOnly() as figures):
                if mask.field in figures.figured:
                    yield Reason(
                        f"/duties/{other_at}",
                        f"统计用到了被脱敏的字段 {mask.field}(义务 {at})",
                        f"figures of {mask.field}, which is masked (duty {at})",
                    )
            case _:
                pass
    for at, duty in duties:
        if isinstance(duty.obligation, AggregateOnly):
            for purpose in duty.purposes or terms.purposes:
                hidden = hidden_fields(terms.purpose_fields, purpose, contract)
                for name in sorted(hidden & duty.obligation.figured):
                    yield Reason(
                        f"/duties/{at}/obligation",
                        f"统计用到了用途 {purpose} 不可见的字段 {name}",
                        f"figures of {name}, which {purpose} may not see",
                    )


def _meet(one: Duty, other: Duty) -> bool:
    """Say whether two duties can hold for one use."""
    pairs: list[tuple[Sequence[str], Sequence[str]]] = [
        (one.purposes, other.purposes),
        (one.levels, other.levels),
        (one.sectors, other.sectors),
    ]
    return all(not left or not right or set(left) & set(right) for left, right in pairs)
