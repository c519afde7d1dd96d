"""The rules of objections: who may object to what, whose turn a step is, and until when it is answered.

Pure. The provider verifies, corrects and replies within ten working days of the objection (Order 809 article
26, 政务数据共享条例第二十六条); the clock stops when it rejects or publishes the correction. An objector may
withdraw until the provider has verified the fault: from then on it concerns every other recipient too. An
answer to which the objector says nothing for another ten working days is closed by time.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.errors import Conflict, Invalid, NotFound, Refused, TooMany
from contracts.messages import (
    PROVIDER_STEPS,
    Corrects,
    Manifest,
    Objection,
    ObjectionState,
    ObjectionStep,
    Severity,
    Text,
    state_after,
)
from exchange.parts import Alarm

ANSWER_DAYS = 10
CLOSE_DAYS = 10
MAX_OPEN_OBJECTIONS = 20  # of one objector about one dataset
MAX_OBJECTIONS_A_DAY = 60  # likewise, whatever became of them
OVERDUE = "objection.overdue"


class ObjectionUnknown(NotFound):
    """There is no such objection for this participant."""

    code = "objection-unknown"
    title_zh = "没有该异议,或与本方无关"
    next_zh = "用 headwaters objection list 查看编号。"
    next_en = "headwaters objection list shows the ids."


class ObjectionTaken(Conflict):
    """Another objection was made under this number."""

    code = "objection-taken"
    title_zh = "该异议编号已用于其他内容"
    next_zh = "重新提出异议。"
    next_en = "Raise the objection again; it gets a new number."


class NotReceived(Refused):
    """The objector has not signed for these bytes under this grant."""

    code = "objection-not-received"
    title_zh = "异议方未在该授权下签收所指数据"
    next_zh = "先接收该批次(headwaters pull);刚接收的,待回执送达后重试。"
    next_en = (
        "Receive the release first (headwaters pull); where you just did, wait for the receipt to arrive."
    )


class ReleaseReplaced(Conflict):
    """The release was corrected already."""

    code = "release-replaced"
    title_zh = "该批次已被更正"
    next_zh = "接收更正后的批次,再核对是否仍有问题。"
    next_en = "Receive the release that replaces it, and see whether the fault is still there."


class TooManyObjections(TooMany):
    """Too many objections of this participant to this dataset are unanswered."""

    code = "too-many-objections"
    title_zh = "对该数据集尚未答复的异议过多"
    next_zh = "等待答复,或撤回不再需要的异议。"
    next_en = "Wait for answers, or withdraw those that are needed no more."


class StepNotYours(Refused):
    """This step is the other side's."""

    code = "objection-step-not-yours"
    title_zh = "该步骤应由另一方办理"
    next_zh = "提供方受理、核实或驳回;异议方撤回或办结。"
    next_en = "The provider acknowledges, verifies or rejects; the objector withdraws or closes."


class StepOutOfTurn(Conflict):
    """The objection is not in a state in which this step can be taken."""

    code = "objection-step-out-of-turn"
    title_zh = "异议的当前状态不允许该步骤"
    next_zh = "用 headwaters objection show 查看状态。"
    next_en = "headwaters objection show tells the state."


class StepUnchained(Conflict):
    """The step does not follow the newest statement about this objection."""

    code = "objection-step-unchained"
    title_zh = "该步骤未接续最新声明"
    next_zh = "读取最新状态后重新签署。"
    next_en = "Read the newest state and sign again."


class WordsMissing(Invalid):
    """Sealed words and their digest come together or not at all."""

    code = "objection-words-missing"
    title_zh = "密封意见与其摘要必须同时提供"


class CorrectionUnfit(Conflict):
    """The release cannot replace the one that it names."""

    code = "correction-unfit"
    title_zh = "更正批次与所指批次不符"
    next_zh = "核对被更正批次的编号;若已被更正,须更正其最新批次。"
    next_en = (
        "Check the number of the release; where it was corrected before, correct the newest in its place."
    )


class ObjectionNotVerified(Conflict):
    """The correction names an objection that is not verified, or is about other data."""

    code = "objection-not-verified"
    title_zh = "更正所列异议未经核实,或与该批次无关"
    next_zh = "先用 headwaters objection verify 核实,再发布更正。"
    next_en = "Verify it first with headwaters objection verify, then publish the correction."


@dataclass(frozen=True, slots=True)
class Standing:
    """An objection as it stands."""

    objection: str
    objector: str
    provider: str
    dataset: str
    release: int
    state: ObjectionState
    steps: int
    last: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """A transfer that an objection names: whose it was, and what its consumer signed for; None: nothing."""

    consumer: str
    provider: str
    dataset: str
    release: int
    manifest: str
    view: str | None


def check_objection(
    objection: Objection,
    delivered: Delivered | None,
    *,
    replaced_by: int | None,
    unanswered: int,
    of_the_day: int,
) -> None:
    """Admit an objection; raise NotReceived, ReleaseReplaced or TooManyObjections."""
    said = Delivered(
        consumer=objection.objector,
        provider=objection.provider,
        dataset=objection.dataset,
        release=objection.release,
        manifest=objection.manifest,
        view=objection.view,
    )
    if delivered != said:
        raise NotReceived(f"{objection.objector} did not sign for this release under {objection.grant}")
    if replaced_by is not None:
        raise ReleaseReplaced(
            f"release {objection.release} was replaced by {replaced_by}", release=replaced_by
        )
    if unanswered >= MAX_OPEN_OBJECTIONS:
        raise TooManyObjections(f"{MAX_OPEN_OBJECTIONS} objections to this dataset are unanswered")
    # One that is raised and withdrawn is in the log and was told to its provider all the same.
    if of_the_day >= MAX_OBJECTIONS_A_DAY:
        raise TooManyObjections(f"{MAX_OBJECTIONS_A_DAY} objections to this dataset were raised within a day")


def check_step(step: ObjectionStep, standing: Standing) -> ObjectionState:
    """Give the state after a step; raise StepNotYours, StepOutOfTurn or StepUnchained."""
    turn = standing.provider if step.step in PROVIDER_STEPS else standing.objector
    if step.by != turn:
        raise StepNotYours(f"{step.by} may not {step.step.value} {standing.objection}")
    after = state_after(standing.state, step.step)
    if after is None:
        raise StepOutOfTurn(
            f"{standing.objection} is {standing.state.value}: {step.step.value} has no place",
            state=standing.state.value,
        )
    if (step.number, step.previous) != (standing.steps + 1, standing.last):
        raise StepUnchained(f"step {standing.steps + 1} of {standing.objection} comes next")
    return after


def check_correction(
    manifest: Manifest, corrects: Corrects, *, manifests: Mapping[int, str], replaced: Mapping[int, int]
) -> None:
    """Admit the link of a correcting release to an earlier one of its feed; raise CorrectionUnfit.

    ``manifests`` holds the digest of the earlier release, ``replaced`` what replaced which so far.
    """
    if corrects.number >= manifest.number or manifests.get(corrects.number) != corrects.manifest:
        raise CorrectionUnfit(f"release {corrects.number} is not the one that the manifest names")
    if corrects.number in replaced:
        newest = replaced[corrects.number]
        while newest in replaced:
            newest = replaced[newest]
        raise CorrectionUnfit(f"release {corrects.number} was replaced; correct {newest}", release=newest)
    if len(set(corrects.objections)) != len(corrects.objections):
        raise CorrectionUnfit("an objection is named twice")


def check_settled(objection: Standing | None, manifest: Manifest, replaced: frozenset[int]) -> None:
    """Raise ObjectionNotVerified unless a correction that replaces these releases settles the objection."""
    if objection is None or objection.state is not ObjectionState.VERIFIED:
        raise ObjectionNotVerified("a named objection is not verified")
    sides = (objection.provider, objection.dataset)
    if sides != (manifest.provider, manifest.dataset) or objection.release not in replaced:
        raise ObjectionNotVerified(f"{objection.objection} is about another release")


def ancestors(number: int, replaced: Mapping[int, int]) -> frozenset[int]:
    """Give every release that ``number`` replaces, at once or through others."""
    older: dict[int, list[int]] = {}
    for one, by in replaced.items():
        older.setdefault(by, []).append(one)
    found: set[int] = set()
    waiting = [number]
    while waiting:
        fresh = [one for one in older.get(waiting.pop(), ()) if one not in found]
        found.update(fresh)
        waiting += fresh
    return frozenset(found)


def successors(number: int, replaced: Mapping[int, int]) -> frozenset[int]:
    """Give every release that replaces ``number``, at once or through others."""
    found: set[int] = set()
    while number in replaced and replaced[number] not in found:
        number = replaced[number]
        found.add(number)
    return frozenset(found)


def overdue_alarm(objection: str, provider: str) -> Alarm:
    """Tell the alliance that a provider has not answered in time; names neither dataset nor objector."""
    title = Text(
        zh="数据异议逾期未答复(政务数据共享条例第二十六条,10 个工作日)",
        en="An objection to data was not answered within ten working days",
    )
    facts: dict[str, int | str] = {"objection": objection, "working_days": ANSWER_DAYS}
    return Alarm(OVERDUE, Severity.MEDIUM, provider, title, facts)
