"""What crosses to a policy engine and back, checked on both sides; every engine goes through here.

Nothing but a literal ``true`` that fits the schema and contradicts nothing becomes a permit. All else is an
answer with the outcome ``indeterminate``, which is a refusal. Types are settled before Rego sees a value,
because Rego compares across types (``"1" > 3`` holds).
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import jsonschema_rs
import orjson
from pydantic import TypeAdapter

from contracts.canonical import Json, NotCanonical, canonical_bytes
from contracts.errors import Unavailable
from contracts.identifiers import Kind, new_id
from contracts.messages import Obligation, PurposeBinding, Redact
from policies.decision import Decision, Question, Reason
from policies.reasons import UnknownReason, explain

MAX_BYTES = 256 * 1024
UNDEFINED = "<undefined>"

# What facts of a wrong type or size raise while they are written.
_ODD = (NotCanonical, AttributeError, TypeError, ValueError, OverflowError)


class Undecided(Unavailable):
    """The decision point could not decide, so it refuses."""

    code = "pdp-undecided"
    title_zh = "策略引擎未能作出决定,按拒绝处理"
    next_zh = "检查策略包与事实;重试前先看 headwaters doctor。"
    next_en = "Check the policy bundle and the facts; see headwaters doctor before trying again."

    def __init__(self, reason: str) -> None:
        """Keep the ``pdp:…`` code that says where it failed."""
        super().__init__(explain(reason).en, reason=reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Seal:
    """Who decides: the bundle's digest, and the engine with its version."""

    policy_digest: str
    engine: str


def outgoing(question: Question) -> bytes:
    """Write the engine's input; raise Undecided for facts that do not fit the schema or the size limit."""
    try:
        document = question.document()
        raw = canonical_bytes(document)
    except _ODD as error:
        raise Undecided("pdp:bad-input") from error
    if len(raw) > MAX_BYTES:
        raise Undecided("pdp:too-large")
    if not _validator("input").is_valid(document):
        raise Undecided("pdp:bad-input")
    return raw


def incoming(raw: str | bytes, question: Question, seal: Seal) -> Decision:
    """Read the engine's answer; raise Undecided unless it is whole, known and free of contradiction."""
    answer = _answer(raw)
    try:
        denials = [explain(item["code"], item["args"]) for item in answer["denials"]]
        grounds = [explain(item["code"], item["args"]) for item in answer["grounds"]]
    except UnknownReason as error:
        raise Undecided("pdp:unknown-reason") from error
    obligations = tuple(_obligations().validate_python(answer["obligations"]))
    allowed = answer["allow"] is True
    if allowed:
        _check_permit(question, denials, grounds, obligations, answer["valid_until_ms"])
    elif not denials or obligations:
        raise Undecided("pdp:inconsistent")
    return Decision(
        allowed=allowed,
        outcome="permit" if allowed else "deny",
        reasons=tuple(grounds if allowed else denials),
        obligations=obligations,
        policy_digest=seal.policy_digest,
        decision_id=new_id(Kind.DECISION),
        engine=seal.engine,
        revision=question.revision,
        valid_until_ms=answer["valid_until_ms"] if allowed else question.now_ms,
    )


def indeterminate(reason: str, question: Question, seal: Seal) -> Decision:
    """Refuse with a ``pdp:…`` reason; the revision is empty when the facts themselves are odd."""
    try:
        revision = question.revision
    except _ODD:
        revision = ""
    return Decision(
        allowed=False,
        outcome="indeterminate",
        reasons=(explain(reason),),
        obligations=(),
        policy_digest=seal.policy_digest,
        decision_id=new_id(Kind.DECISION),
        engine=seal.engine,
        revision=revision,
        valid_until_ms=0,
    )


# The schema has just been checked, so the parsed answer is read without a second set of types.
def _answer(raw: str | bytes) -> dict:  # type: ignore[type-arg]  # shape held by decision.schema.json
    if len(raw) > MAX_BYTES:
        raise Undecided("pdp:bad-answer")
    try:
        value: Json = orjson.loads(raw)
        canonical_bytes(value)
    except (orjson.JSONDecodeError, NotCanonical) as error:
        raise Undecided("pdp:bad-answer") from error
    if value is None or value == UNDEFINED:
        raise Undecided("pdp:undefined")
    if not isinstance(value, dict) or not _validator("decision").is_valid(value):
        raise Undecided("pdp:bad-answer")
    return value


def _check_permit(
    question: Question,
    denials: list[Reason],
    grounds: list[Reason],
    obligations: tuple[Obligation, ...],
    valid_until_ms: int,
) -> None:
    """A permit has grounds, no denial, time left, one binding to this purpose, and redacts real fields."""
    bindings = [duty.purpose for duty in obligations if isinstance(duty, PurposeBinding)]
    redacted = {field for duty in obligations if isinstance(duty, Redact) for field in duty.fields}
    holds = (
        not denials
        and bool(grounds)
        and valid_until_ms > question.now_ms
        and bindings == [question.purpose]
        and redacted < {field.name for field in question.dataset.fields}
    )
    if not holds:
        raise Undecided("pdp:inconsistent")


@cache
def _validator(name: str) -> jsonschema_rs.Validator:
    schema = json.loads((files("policies") / "schemas" / f"{name}.schema.json").read_bytes())
    return jsonschema_rs.validator_for(schema)


@cache
def _obligations() -> TypeAdapter[list[Obligation]]:
    return TypeAdapter(list[Obligation])
