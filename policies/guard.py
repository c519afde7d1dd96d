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
from pydantic import TypeAdapter, ValidationError

from contracts.canonical import Json, NotCanonical, canonical_bytes
from contracts.errors import Unavailable
from contracts.identifiers import Kind, new_id
from contracts.messages import Obligation
from policies.consistency import grounds_hold, last_moment_ms, obligations_hold
from policies.decision import Decision, Question, revision_of
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


@dataclass(frozen=True, slots=True)
class WrittenQuestion:
    """A question as it goes to an engine: the bytes of its document, and the revision of its facts."""

    raw: bytes
    revision: str


def outgoing(question: Question) -> bytes:
    """Write the engine's input; raise Undecided for facts that do not fit the schema or the size limit."""
    return ask(question).raw


def ask(question: Question) -> WrittenQuestion:
    """Write the engine's input with its revision, in one go; raise Undecided as ``outgoing`` does."""
    try:
        document = question.document()
        raw = canonical_bytes(document)
    except _ODD as error:
        raise Undecided("pdp:bad-input") from error
    if len(raw) > MAX_BYTES:
        raise Undecided("pdp:too-large")
    if not _validator("input").is_valid(document):
        raise Undecided("pdp:bad-input")
    return WrittenQuestion(raw, revision_of(document))


def incoming(raw: str | bytes, question: Question, seal: Seal, revision: str | None = None) -> Decision:
    """Read the engine's answer; raise Undecided unless it is whole, known and free of contradiction.

    ``revision`` is that of the question where ``ask`` has just given it, so that it is not made twice.
    """
    answer = _answer(raw)
    try:
        denials = [explain(item["code"], item["args"]) for item in answer["denials"]]
        grounds = [explain(item["code"], item["args"]) for item in answer["grounds"]]
    except UnknownReason as error:
        raise Undecided("pdp:unknown-reason") from error
    obligations = _typed(answer["obligations"])
    allowed = answer["allow"] is True
    if allowed:
        whole = (
            not denials
            and grounds_hold(question, grounds)
            and obligations_hold(question, obligations)
            and question.now_ms < answer["valid_until_ms"] <= last_moment_ms(question, grounds)
        )
    else:
        whole = bool(denials) and not obligations
    if not whole:
        raise Undecided("pdp:inconsistent")
    return Decision(
        allowed=allowed,
        outcome="permit" if allowed else "deny",
        reasons=tuple(grounds if allowed else denials),
        obligations=obligations,
        policy_digest=seal.policy_digest,
        decision_id=new_id(Kind.DECISION),
        engine=seal.engine,
        revision=revision or question.revision,
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


def read_obligations(written: Json) -> tuple[Obligation, ...]:
    """Read a list of obligations; raise Undecided for one outside the vocabulary or its bounds."""
    if not _validator("obligations").is_valid(written):
        raise Undecided("pdp:bad-answer")
    return _typed(written)


# decision.schema.json refers to the schema of obligations, so an answer was held against it already.
def _typed(written: Json) -> tuple[Obligation, ...]:
    try:
        return tuple(_obligations().validate_python(written))
    except ValidationError as error:
        raise Undecided("pdp:bad-answer") from error


@cache
def _validator(name: str) -> jsonschema_rs.Validator:
    shared = _schema("obligations")
    registry = jsonschema_rs.Registry([(shared["$id"], shared)])
    return jsonschema_rs.validator_for(_schema(name), registry=registry)


def _schema(name: str) -> dict:  # type: ignore[type-arg]  # a JSON Schema, read by its engine alone
    schema: dict = json.loads((files("policies") / "schemas" / f"{name}.schema.json").read_bytes())  # type: ignore[type-arg]  # as above
    return schema


@cache
def _obligations() -> TypeAdapter[list[Obligation]]:
    return TypeAdapter(list[Obligation])
