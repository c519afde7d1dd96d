"""The rules of a change of policy: who may propose and approve, and what keeps a bundle out of force.

Pure. An administrator proposes, another person approves; both sign over the bundle's digest and over the
digest of the bundle that it follows, so that neither signature counts once anything else has changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.errors import Conflict, Invalid, NotFound, Refused
from contracts.messages import PolicyApproval, PolicyProposal, Role, Severity, Text
from exchange.parts import Alarm
from policies.trying.replay import WIDENING

KEPT_FOR_ROLLBACK = 10
MAX_OPEN = 5
REPLAYED_AT_APPROVAL = 2000
APPROVERS = frozenset({Role.ADMINISTRATOR, Role.OPERATOR})
ACTIVATED = "policy.activated"


class PolicyUnknown(NotFound):
    """No bundle of this digest is known here."""

    code = "policy-unknown"
    title_zh = "没有这个摘要的策略包"
    next_zh = "用 headwaters policy list 查看;新的策略包须连同文件一起提议。"
    next_en = "See headwaters policy list; a bundle that is new here is proposed with its files."


class PolicyNotProposed(NotFound):
    """No proposal of this bundle waits for a second person."""

    code = "policy-not-proposed"
    title_zh = "没有待批准的该策略包提案"
    next_zh = "用 headwaters policy list 查看待批提案;现行策略变更后,旧提案须重新提出。"
    next_en = "See headwaters policy list; after any change of policy a proposal must be made anew."


class PolicyProposedAlready(Conflict):
    """This bundle is in force or waits for a second person already, or too many others do."""

    code = "policy-proposed-already"
    title_zh = "该策略包已在生效或待批准,或待批提案过多"
    next_zh = "先批准或拒绝现有提案(headwaters policy list)。"
    next_en = "Approve or reject what waits first (headwaters policy list)."


class PolicyMovedOn(Conflict):
    """The statement was signed against another policy than the one in force, or for another change."""

    code = "policy-moved-on"
    title_zh = "签署的内容与现行策略或提案不符"
    next_zh = "重新查看提案后再签署(headwaters policy list)。"
    next_en = "Look at the proposal again, then sign again (headwaters policy list)."


class SecondPersonNeeded(Refused):
    """A change needs two people with two keys: whoever proposed it cannot approve it."""

    code = "second-person-needed"
    title_zh = "变更须由两人完成:提议者不能自己批准"
    next_zh = "请另一位管理员或运维人员用自己的密钥批准。"
    next_en = "Ask another administrator or operator to approve it, with a key of their own."


class PolicyWidens(Refused):
    """Under the proposed policy something would be permitted, or shown, that is refused or hidden now."""

    code = "policy-widens"
    title_zh = "新策略会放行或显示此前被拒绝或隐藏的内容"
    next_zh = "查看 samples;若确属本意,由提议人与批准人都以 --widens 重新签署。"
    next_en = "Look at the samples; if it is meant, both the proposer and the approver sign with --widens."


class StatementNotYours(Invalid):
    """The statement names another person or another exchange."""

    code = "statement-not-yours"
    title_zh = "声明中的人员或交换中心与签署者不符"
    next_zh = "用本人的密钥,对本交换中心重新签署(--as 指明以谁的身份)。"
    next_en = "Sign again for this exchange with your own key (--as says who you are)."


@dataclass(frozen=True, slots=True)
class Expected:
    """What a statement must name to count: this exchange, who signs, and the policy in force."""

    origin: str
    person: str
    in_force: str


def check_proposal(stated: PolicyProposal, expected: Expected) -> None:
    """Raise StatementNotYours, PolicyMovedOn or PolicyProposedAlready unless the proposal fits."""
    _check_expected(stated.origin, stated.person, stated.previous, expected)
    if stated.bundle == expected.in_force:
        raise PolicyProposedAlready(f"{stated.bundle} is in force")


def check_approval(
    stated: PolicyApproval, proposed: PolicyProposal, proposal_digest: str, expected: Expected
) -> None:
    """Raise StatementNotYours, PolicyMovedOn or SecondPersonNeeded unless the approval fits the proposal."""
    _check_expected(stated.origin, stated.person, stated.previous, expected)
    named = (stated.proposal, stated.bundle, stated.previous)
    if named != (proposal_digest, proposed.bundle, proposed.previous):
        raise PolicyMovedOn("the approval is of another proposal")
    if stated.person == proposed.person:
        raise SecondPersonNeeded(f"{stated.person} proposed it")


def check_keys(proposer: str | None, approver: str) -> None:
    """Raise SecondPersonNeeded for two people with one key, or where the proposer is no longer known."""
    if proposer is None or proposer == approver:
        raise SecondPersonNeeded("both statements would be by one key, or the proposer is gone")


def check_widening(proposed: PolicyProposal, stated: PolicyApproval, replayed: Mapping[str, Any]) -> None:
    """Raise PolicyWidens where the replay widens and not both statements say that this is meant.

    Any: ``replayed`` is the report of ``policies.trying.replay`` as JSON.
    """
    if replayed["widens"] and not (proposed.widens and stated.widens):
        raise PolicyWidens(
            f"{replayed['permitted']} refusals would be permits, "
            f"{replayed['weakened']} permits would hide less",
            reasons=[_sample(one) for one in replayed["samples"] if one["difference"] in WIDENING],
        )


def may_follow(digest: str, before: Sequence[str]) -> bool:
    """Say whether a bundle may come back without its files; ``before`` were in force, newest first."""
    return digest in before[:KEPT_FOR_ROLLBACK]


def activated(digest: str, *, widens: bool) -> Alarm:
    """Tell the alliance that another policy decides."""
    return Alarm(
        event_class=ACTIVATED,
        severity=Severity.MEDIUM if widens else Severity.LOW,
        subject=None,
        title=Text(zh="两人批准的新访问策略已生效", en="Two people put another access policy in force"),
        facts={"policy": digest, "widens": "yes" if widens else "no"},
    )


def _check_expected(origin: str, person: str, previous: str, expected: Expected) -> None:
    if (origin, person) != (expected.origin, expected.person):
        raise StatementNotYours("the statement is for another exchange, or in another person's name")
    if previous != expected.in_force:
        raise PolicyMovedOn(f"it follows {previous}, and {expected.in_force} is in force")


def _sample(one: Mapping[str, Any]) -> str:  # Any: as above
    return f"{one['decision']} {one['difference']}: {', '.join(one['before'])} → {', '.join(one['after'])}"
