"""The rules by which one version of a contract may follow another, and a dataset may move to it.

Within one major number each version keeps the promise of compatibility that the one before it made, and its
number says no less than what changed. A major number may break anything; but a dataset with subscribers moves
over a breaking step only when the window of a notice has passed or every subscriber has acknowledged it.
Pure: contracts and moments in, an error or nothing out.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import orjson

from contracts.compatibility.bump import (
    Bump,
    VersionLies,
    bump_between,
    check_version,
    largest,
    lowest_version,
)
from contracts.compatibility.comparison import Comparison, Verdict, compare
from contracts.errors import Conflict, Invalid, NotFound, Refused, TooMany
from contracts.identifiers import parse_version
from contracts.messages import ContractRef, DatasetRecord, Deprecation
from contracts.promises import Compatibility
from contracts.schema import Contract
from nodes.publishing.terms import hidden_fields

Compare = Callable[[Contract, Contract, Compatibility], Comparison]

MIN_WINDOW = timedelta(days=30)
MAX_WINDOW = timedelta(days=3 * 366)
CLOCK_GRACE = timedelta(hours=1)
MAX_LINE = 40
MAX_OPEN_REVIEWS = 20
MAX_NOTICES_A_DAY = 20
_TRANSITIVE = frozenset(
    {
        Compatibility.BACKWARD_TRANSITIVE,
        Compatibility.FORWARD_TRANSITIVE,
        Compatibility.FULL_TRANSITIVE,
    }
)


class ContractBreaks(Conflict):
    """The new version breaks the compatibility that the contract promised."""

    code = "contract-breaks"
    title_zh = "新版本违反契约所承诺的兼容性"
    next_zh = "按反例修改新版本;确需不兼容时使用新的主版本号。headwaters contract diff 可在登记前检查。"
    next_en = (
        "Mend the version by the witness, or give it the next major number; contract diff shows it before."
    )


class ContractUndetermined(Refused):
    """It cannot be decided whether the new version is compatible; a person has to approve it."""

    code = "contract-undetermined"
    title_zh = "无法判定新版本是否兼容,须由指定人员认可"
    next_zh = "请交换中心管理员用 headwaters contract reviews 查看并认可,然后重新登记。"
    next_en = "Have an administrator of the exchange look (headwaters contract reviews), then register again."


class ContractOfOthers(Refused):
    """The contract was founded by another participant."""

    code = "contract-of-others"
    title_zh = "该契约由其他参与方创立"
    next_zh = "先采用其某一已登记版本,再登记后续版本;或为自己的契约另取编号。"
    next_en = "Adopt one of its versions before you add to them, or give your own contract another id."


class TooManyVersions(TooMany):
    """The contract has too many versions in this line."""

    code = "too-many-versions"
    title_zh = "该主版本之下的版本过多"
    next_zh = "使用新的主版本号。"
    next_en = "Begin the next major version."


class LineageMoved(Conflict):
    """Another version was registered meanwhile."""

    code = "lineage-moved"
    title_zh = "其间登记了另一版本"
    next_zh = "重新提交。"
    next_en = "Send it again."


class ReviewUnknown(NotFound):
    """No version with this digest waits for a person."""

    code = "review-unknown"
    title_zh = "没有待认可的该版本"
    next_zh = "用 headwaters contract reviews 查看。"
    next_en = "headwaters contract reviews lists what waits."


class TooManyReviews(TooMany):
    """Too many versions of this provider wait for a person."""

    code = "too-many-reviews"
    title_zh = "该提供方待认可的版本过多"
    next_zh = "等待管理员处理后再登记。"
    next_en = "Wait until an administrator has settled some of them."


class NoticeUnknown(NotFound):
    """There is no such notice for this caller."""

    code = "notice-unknown"
    title_zh = "没有该停用通知"
    next_zh = "用 headwaters contract notices 查看。"
    next_en = "headwaters contract notices lists them."


class NoticeMismatch(Invalid):
    """The answer names another step than the notice."""

    code = "notice-mismatch"
    title_zh = "确认与停用通知所述版本不符"
    next_zh = "按通知原文重新签署。"
    next_en = "Sign an answer to the notice as it stands."


class NoticePointless(Conflict):
    """The step takes nothing from anybody, so it needs no notice."""

    code = "notice-pointless"
    title_zh = "该变更不影响使用方,无需停用通知"
    next_zh = "直接以新版本登记数据集。"
    next_en = "Declare the dataset under the new version."


class NoticeWindow(Invalid):
    """The window of the notice is too short or too long."""

    code = "notice-window"
    title_zh = "停用通知的期限过短或过长"
    next_zh = "期限为 30 天至 3 年。"
    next_en = "A notice runs for 30 days to 3 years."


class TooManyNotices(TooMany):
    """This provider has given too many notices within a day."""

    code = "too-many-notices"
    title_zh = "该提供方一日内发出的停用通知过多"
    next_zh = "次日再发;每份通知都会告知整个联盟。"
    next_en = "Go on tomorrow; each notice is told to the whole alliance."


class ImpactChanged(Conflict):
    """The users are no longer those that the provider read before it signed."""

    code = "impact-changed"
    title_zh = "受影响的使用方名单已变化"
    next_zh = "用 headwaters contract impact 重新查看,再签署通知。"
    next_en = "Read headwaters contract impact again, then sign the notice."


class NoticeMissing(Refused):
    """The dataset's subscribers had no notice of this breaking step."""

    code = "notice-missing"
    title_zh = "订阅方尚未收到该不兼容变更的停用通知"
    next_zh = "先用 headwaters contract deprecate 发出通知;期满或全部订阅方确认后再登记。"
    next_en = (
        "Give notice with headwaters contract deprecate; declare when it has run out or all have agreed."
    )


class NoticeRunning(Refused):
    """The notice still runs, and not every subscriber has acknowledged it."""

    code = "notice-running"
    title_zh = "停用通知未到期,且尚有订阅方未确认"
    next_zh = "等待期满,或请 waiting 所列订阅方用 headwaters contract acknowledge 确认。"
    next_en = "Wait for its end, or have those who are waiting run headwaters contract acknowledge."


class ReviewState(StrEnum):
    """Where the review of an undetermined version stands."""

    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Step:
    """The step of a dataset from one contract to another, compared before the unit that takes it."""

    before: ContractRef
    after: ContractRef
    breaking: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it is on record."""

    digest: str
    ends_at: datetime
    acknowledged: frozenset[str]


def predecessor(versions: Collection[str], new: str) -> str:
    """Name the version that a new one follows; raise VersionLies for one that goes back."""
    number = parse_version(new)
    line = [each for each in versions if parse_version(each)[0] == number[0]]
    earlier = [each for each in versions if parse_version(each) < number]
    newest = max(line or versions, key=parse_version)
    if not earlier or (line and parse_version(newest) > number):
        lowest = lowest_version(newest, Bump.PATCH)
        raise VersionLies(f"{new} would come before {newest}, which is registered", lowest=lowest)
    return max(earlier, key=parse_version)


def line_of(earlier: Mapping[str, Contract], before: str, new: str) -> list[Contract]:
    """List the versions that a new one is held to: the one before it, or its line where that promised so."""
    same_line = [text for text in earlier if parse_version(text)[0] == parse_version(new)[0]]
    if earlier[before].compatibility not in _TRANSITIVE or before not in same_line:
        return [earlier[before]]
    if len(same_line) > MAX_LINE:
        raise TooManyVersions(f"more than {MAX_LINE} versions would have to be compared")
    return [earlier[text] for text in sorted(same_line, key=parse_version, reverse=True)]


def check_successor(
    line: Sequence[Contract], new: Contract, *, approved: bool, compare_by: Compare = compare
) -> None:
    """Admit a version that follows ``line``, newest first.

    Raises ContractBreaks, ContractUndetermined or VersionLies.
    """
    before = line[0]
    if bump_between(before.version, new.version) is Bump.MAJOR:
        return
    comparisons = [(each, compare_by(each, new, before.compatibility)) for each in line]
    for each, comparison in comparisons:
        if comparison.verdict is Verdict.INCOMPATIBLE:
            raise _breaks(each, new, comparison)
    undetermined = [each.version for each, found in comparisons if found.verdict is Verdict.UNDETERMINED]
    if undetermined and not approved:
        raise ContractUndetermined(
            f"{new.id} {new.version} against {', '.join(undetermined)}", mode=before.compatibility.value
        )
    check_version(before.version, new.version, largest([found.bump_if_approved for _, found in comparisons]))


def _breaks(before: Contract, new: Contract, comparison: Comparison) -> ContractBreaks:
    witness = comparison.witness
    record = orjson.dumps(witness.record).decode() if witness else ""
    side = witness.refused_by if witness else "new"
    return ContractBreaks(
        f"{new.id} {new.version} is not {comparison.mode} compatible with {before.version}",
        mode=comparison.mode.value,
        lowest=lowest_version(before.version, Bump.MAJOR),
        witness=record[:4000],
        refused_by=side,
    )


def is_breaking(comparison: Comparison, *, approved: bool) -> bool:
    """Say whether a step takes something from users; what a person approved breaks only what is promised."""
    if comparison.verdict is Verdict.UNDETERMINED and approved:
        return comparison.bump_if_approved is Bump.MAJOR
    return comparison.breaking


def seen_fields(record: DatasetRecord, purpose: str, contract: Contract) -> list[str]:
    """List the fields that a purpose lets a consumer see, in contract order."""
    hidden = hidden_fields(record.purpose_fields, purpose, contract)
    return [field.name for field in contract.fields if field.name not in hidden]


def check_notice(notice: Deprecation, now: datetime, *, breaking: bool, users_digest: str) -> None:
    """Admit a notice; raise NoticePointless, NoticeWindow or ImpactChanged."""
    if not breaking:
        raise NoticePointless(f"{notice.successor.version} takes nothing that {notice.contract.version} gave")
    window = notice.ends_at - now
    if not MIN_WINDOW - CLOCK_GRACE <= window <= MAX_WINDOW + CLOCK_GRACE:
        raise NoticeWindow(f"the notice would run for {max(window.days, 0)} days")
    if notice.impact != users_digest:
        raise ImpactChanged("the notice names another list of users")


def check_move(step: Step, consumers: Collection[str], notice: Notice | None, now: datetime) -> None:
    """Let a dataset with these subscribers take a step; raise NoticeMissing or NoticeRunning."""
    if not step.breaking or not consumers:
        return
    if notice is None:
        raise NoticeMissing(
            f"{step.before.id} {step.before.version} has subscribers", waiting=sorted(consumers)[:50]
        )
    waiting = sorted(set(consumers) - notice.acknowledged)
    if waiting and now < notice.ends_at:
        raise NoticeRunning(f"the notice ends at {notice.ends_at.isoformat()}", waiting=waiting[:50])
