"""Answer AuthZEN questions, one or a batch, from nodes about themselves and from people about anyone.

To ask is not to act: a permit grants nothing. A node's denied question goes on record as a refused request
does, with its entry and its weight in the probing rule, or asking would be a way to probe unseen. What
cannot be asked at all (no such dataset, no agreement) is answered ``false`` with the error that says why.
"""

from dataclasses import replace
from typing import Final

from contracts.canonical import Json
from contracts.clock import from_epoch_ms, rfc3339
from contracts.errors import Conflict, HeadwatersError, Invalid, NotFound, Refused
from contracts.messages import BadMessage
from contracts.problem import document
from exchange.agreements.model import AgreementUnknown, OwnDataset
from exchange.authzen.shapes import DATASET, PARTICIPANT, Batch, Context, Evaluation
from exchange.identity import Caller, Person
from exchange.incidents.denials import Denial, announce, record_denial
from exchange.incidents.model import TooManyDenials
from exchange.members.model import UnknownMember
from exchange.parts import Parts
from exchange.policies.cases import Case, Ground, cases
from exchange.policies.review import WhoCan, read_ground, reason_row
from policies.decision import Action, Decision
from policies.facts import ApplicationFacts

ACTIONS: Final[dict[str, Action]] = {"apply": "apply", "transfer": "transfer"}


class OthersBusiness(Refused):
    """A node asks about itself only."""

    code = "others-business"
    title_zh = "节点只能询问与本方有关的权限"
    next_zh = "subject 填写本方的参与方编号;查询他方由审计员或管理员进行。"
    next_en = "Name your own participant id as the subject; auditors and administrators ask about others."


class NotAskedHere(NotFound):
    """The policy knows no such subject, action or resource."""

    code = "not-asked-here"
    title_zh = "策略不涉及这类主体、操作或资源"
    next_zh = "主体类型为 participant,资源类型为 dataset,操作为 apply 或 transfer。"
    next_en = "The subject is a participant, the resource a dataset, the action apply or transfer."


class PurposeNeeded(Invalid):
    """The dataset serves several purposes, and the question names none."""

    code = "purpose-needed"
    title_zh = "该数据集有多种用途,提问时须指明用途"
    next_zh = "在 context.purpose 中写明用途。"
    next_en = "Name the purpose in context.purpose."


async def evaluate(parts: Parts, caller: Caller | Person, asked: Evaluation) -> dict[str, Json]:
    """Answer one question; raise OthersBusiness, and TooManyDenials once a node was denied too often."""
    check_business(caller, asked.subject.type, asked.subject.id)
    return await _answer(parts, caller, asked)


async def evaluate_batch(parts: Parts, caller: Caller | Person, batch: Batch) -> dict[str, Json]:
    """Answer many questions in their order; a short circuit ends with the answer that broke it."""
    for asked in batch.evaluations:
        if isinstance(asked, Evaluation):
            check_business(caller, asked.subject.type, asked.subject.id)
    answers: list[Json] = []
    for asked in batch.evaluations:
        answer = _fault(asked) if isinstance(asked, BadMessage) else await _answer(parts, caller, asked)
        answers.append(answer)
        match batch.semantic, answer["decision"]:
            case ("deny_on_first_deny", False) | ("permit_on_first_permit", True):
                break
            case _:
                continue
    return {"evaluations": answers}


def check_business(caller: Caller | Person, kind: str, name: str) -> None:
    """Raise OthersBusiness where a node asks about anybody but itself."""
    if isinstance(caller, Caller) and (kind, name) != (PARTICIPANT, caller.participant):
        raise OthersBusiness(f"{caller.participant} asked about another subject")


def scope(caller: Caller | Person, dataset: str, action: Action, context: Context) -> WhoCan:
    """Say what is asked; the moment and the address are a node's own, and people may suppose others."""
    if isinstance(caller, Caller):
        return WhoCan(dataset, action, context.purpose, None, caller.address)
    return WhoCan(dataset, action, context.purpose, context.at, context.address)


async def find_case(parts: Parts, caller: Caller | Person, asked: Evaluation, action: Action) -> Case:
    """Put the policy's question; raises NotFound, Conflict or Invalid for what cannot be asked."""
    wanted = scope(caller, asked.resource.id, action, asked.context)
    ground = await read_ground(parts, wanted, participant=asked.subject.id)
    if ground.dataset.facts.provider == asked.subject.id:
        raise OwnDataset(f"{asked.resource.id} is the subject's own")
    if not ground.people:
        raise UnknownMember(f"{asked.subject.id} is not a member", participant=asked.subject.id)
    found = list(cases(ground, action, purpose=_purpose(ground, asked.context, action)))
    if action == "apply":
        return _applied_for(found[0], asked.context)
    return _longest(found, asked.context)


async def _answer(parts: Parts, caller: Caller | Person, asked: Evaluation) -> dict[str, Json]:
    action = ACTIONS.get(asked.action.name)
    try:
        if action is None or (asked.subject.type, asked.resource.type) != (PARTICIPANT, DATASET):
            raise NotAskedHere
        case = await find_case(parts, caller, asked, action)
    except (NotFound, Conflict, Invalid) as error:
        return _fault(error)
    decision = await parts.policy.decide(case.question)
    if isinstance(caller, Caller) and not decision.allowed:
        await put_on_record(parts, Denial.of(case.question, decision))
    return _told(case, decision)


async def put_on_record(parts: Parts, denial: Denial) -> None:
    """Log a node's denied question, durable before it is answered; raise TooManyDenials beyond the limit."""
    committed = await parts.log.commit(lambda unit: record_denial(parts, unit, denial))
    announce(parts, committed.value)
    parts.telemetry.denials.inc()
    if not committed.value.own_entry:
        raise TooManyDenials(reasons=list(denial.reasons))


def _purpose(ground: Ground, context: Context, action: Action) -> str | None:
    if context.purpose is not None or action == "transfer":
        return context.purpose  # an agreement brings its own
    if len(ground.purposes) > 1:
        raise PurposeNeeded(f"{ground.dataset.facts.dataset} is offered for several purposes")
    return ground.purposes[0]


def _applied_for(case: Case, context: Context) -> Case:
    if context.until is None:
        return case
    until = ApplicationFacts.of(context.until)
    return replace(case, question=replace(case.question, application=until))


def _longest(found: list[Case], context: Context) -> Case:
    """Choose the agreement that is named, else the one that runs longest."""
    under = [
        (agreement.expires_ms, case)
        for case in found
        if (agreement := case.question.agreement) is not None
        and context.agreement in {None, agreement.agreement}
    ]
    if not under:
        raise AgreementUnknown("the subject has no such agreement about this dataset")
    return max(under, key=lambda one: one[0])[1]


def _told(case: Case, decision: Decision) -> dict[str, Json]:
    agreement = case.question.agreement
    return {
        "decision": decision.allowed,
        "context": {
            "outcome": decision.outcome,
            "reasons": [reason_row(reason) for reason in decision.reasons],
            "obligations": [duty.model_dump(mode="json") for duty in decision.obligations],
            "purpose": case.question.purpose,
            "agreement": None if agreement is None else agreement.agreement,
            "policy": decision.policy_digest,
            "engine": decision.engine,
            "revision": decision.revision,
            "decision_id": decision.decision_id,
            "valid_until": rfc3339(from_epoch_ms(decision.valid_until_ms)),
        },
    }


def _fault(error: HeadwatersError) -> dict[str, Json]:
    told = document(error, "access")
    return {
        "decision": False,
        "context": {
            "error": {
                "status": told["status"],
                "message": told["detail"],
                "code": told["code"],
                "title": {"zh": told["title_zh"], "en": told["title"]},
            }
        },
    }
