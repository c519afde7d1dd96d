"""The shapes of the OpenID AuthZEN Authorization API 1.0, as far as Headwaters answers it.

A subject is a participant (``{"type": "participant", "id": "p-…"}``), a resource a dataset, an action
``apply`` or ``transfer``. The caller's ``properties`` decide nothing: facts are the exchange's own. Of the
``context`` we read ``purpose``, ``agreement`` and ``until``, and of people's also ``at`` and ``address``, by
which they suppose another moment or place. Unknown fields are ignored, as the standard demands.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.canonical import Json
from contracts.errors import Invalid
from contracts.messages import AgreementId, At, BadMessage, DatasetId

PARTICIPANT = "participant"
DATASET = "dataset"
MAX_EVALUATIONS = 100
MAX_LIMIT = 1000

# What a caller may put into ``properties``, ``context`` and unknown fields: any JSON, none of it trusted.
Anything = Any

Word = Annotated[str, Field(min_length=1, max_length=200)]
Semantic = Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"]


class NotJson(Invalid):
    """The body is not sent as application/json."""

    code = "not-json"
    title_zh = "请求正文未声明为 application/json"
    next_zh = "加上 Content-Type: application/json 后重试。"
    next_en = "Send it with Content-Type: application/json."


class _Shape(BaseModel):
    """A shape of the standard: frozen, strict about types, and deaf to fields that it does not know."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Kind(_Shape):
    """An entity that is searched for: its type without its id."""

    type: Word


class Entity(Kind):
    """A subject or a resource."""

    id: Word


class Action(_Shape):
    """What is to be done."""

    name: Word


class Context(_Shape):
    """What of a request's context is read; ``at`` and ``address`` count for people only."""

    purpose: DatasetId | None = None
    agreement: AgreementId | None = None
    until: Annotated[At | None, Field(strict=False)] = None
    at: Annotated[At | None, Field(strict=False)] = None
    address: Annotated[str | None, Field(min_length=2, max_length=45, pattern=r"^[0-9a-f:.]+$")] = None


class Evaluation(_Shape):
    """One question: may this subject do this with this resource?"""

    subject: Entity
    action: Action
    resource: Entity
    context: Context = Context()


class Options(_Shape):
    """How a batch is run."""

    evaluations_semantic: Semantic = "execute_all"


class Page(_Shape):
    """Which part of a search's results is wanted."""

    token: Annotated[str, Field(max_length=1000)] = ""
    limit: Annotated[int, Field(ge=0)] = MAX_LIMIT


class SubjectSearch(_Shape):
    """Who may do this with this resource?"""

    subject: Kind
    action: Action
    resource: Entity
    context: Context = Context()
    page: Page = Page()


class ResourceSearch(_Shape):
    """With which resources may this subject do this?"""

    subject: Entity
    action: Action
    resource: Kind
    context: Context = Context()
    page: Page = Page()


class ActionSearch(_Shape):
    """What may this subject do with this resource?"""

    subject: Entity
    resource: Entity
    context: Context = Context()
    page: Page = Page()


@dataclass(frozen=True, slots=True)
class Batch:
    """Many questions: each either whole, or the fault that makes it none."""

    evaluations: tuple[Evaluation | BadMessage, ...]
    semantic: Semantic


S = TypeVar("S", bound=_Shape)


def read(model: type[S], raw: bytes) -> S:
    """Read a request's body; raise BadMessage (400)."""
    return _read(model, _object(raw))


def read_batch(raw: bytes) -> Batch | Evaluation:
    """Read ``/evaluations``: without any in the body it is a single question, as the standard has it.

    Each entry takes whole entities from the top level where it has none of its own. An entry that is no whole
    question stands as its fault; a body that is none raises BadMessage.
    """
    body = _object(raw)
    entries = body.get("evaluations")
    if entries is None or entries == []:
        return _read(Evaluation, body)
    if not isinstance(entries, list) or len(entries) > MAX_EVALUATIONS:
        raise BadMessage(f"evaluations is a list of at most {MAX_EVALUATIONS}")
    options = _read(Options, body.get("options") or {})
    shared = {name: value for name, value in body.items() if name in Evaluation.model_fields}
    read_all = tuple(_entry(shared, entry) for entry in entries)
    return Batch(evaluations=read_all, semantic=options.evaluations_semantic)


def metadata(base: str) -> dict[str, Json]:
    """Describe this decision point (``/.well-known/authzen-configuration``)."""
    return {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
        "search_subject_endpoint": f"{base}/access/v1/search/subject",
        "search_resource_endpoint": f"{base}/access/v1/search/resource",
        "search_action_endpoint": f"{base}/access/v1/search/action",
    }


def _entry(shared: Mapping[str, Anything], entry: Anything) -> Evaluation | BadMessage:
    if not isinstance(entry, dict):
        return BadMessage("an evaluation is an object")
    try:
        return _read(Evaluation, {**shared, **entry})
    except BadMessage as fault:
        return fault


def _object(raw: bytes) -> dict[str, Anything]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadMessage(f"not JSON: {error.msg}") from error
    if not isinstance(value, dict):
        raise BadMessage("the body is not a JSON object")
    return value


def _read(model: type[S], value: Anything) -> S:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise BadMessage("; ".join(_faults(error))[:400]) from error


def _faults(error: ValidationError) -> Iterator[str]:
    """Name each fault by its place; never the value, which is the caller's."""
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        yield f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}"
