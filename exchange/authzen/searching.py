"""Answer AuthZEN searches: who may, with what, and how; only what is permitted is told.

Results come in pages. A page ends when it is full or when enough was decided for one request; its token says
where to go on. A node finds what it may do itself; who else may is for auditors and administrators. A node's
search that finds nothing, where something was denied, goes on record as one denied question does: to search
is no way to probe unseen.
"""

from collections.abc import Iterator
from typing import Final

from contracts.canonical import Json
from contracts.errors import Conflict, NotFound
from contracts.identifiers import BadIdentifier
from exchange.authzen.asking import ACTIONS, OthersBusiness, check_business, put_on_record, scope
from exchange.authzen.shapes import (
    DATASET,
    MAX_LIMIT,
    PARTICIPANT,
    ActionSearch,
    ResourceSearch,
    SubjectSearch,
)
from exchange.catalog.store import dataset_names
from exchange.identity import Caller, Person
from exchange.incidents.denials import Denial
from exchange.parts import Parts
from exchange.policies.cases import Case, Key, cases
from exchange.policies.review import (
    Judged,
    judge,
    read_ground,
    read_token,
    write_token,
)
from policies.decision import Action

MAX_DECISIONS: Final = 2000
MAX_DATASETS: Final = 200

Found = dict[str, Json]


async def search_subjects(parts: Parts, caller: Caller | Person, asked: SubjectSearch) -> Found:
    """Name the participants that may; for people only, so raises OthersBusiness for a node."""
    if isinstance(caller, Caller):
        raise OthersBusiness("a node does not search for subjects")
    action = ACTIONS.get(asked.action.name)
    if action is None or (asked.subject.type, asked.resource.type) != (PARTICIPANT, DATASET):
        return _nothing()
    wanted = scope(caller, asked.resource.id, action, asked.context)
    after = read_token(asked.page.token, [wanted.document(), asked.page.limit])
    try:
        ground = await read_ground(parts, wanted)
    except NotFound:
        return _nothing()
    waiting, last = _leading(
        cases(ground, action, purpose=asked.context.purpose, after=after), asked.page.limit, after
    )
    judged = [one async for one in judge(parts, waiting)]
    results: list[Json] = [_entity(PARTICIPANT, name, of) for name, of in _by_subject(judged).items()]
    return _page(results, last, [wanted.document(), asked.page.limit])


async def search_resources(parts: Parts, caller: Caller | Person, asked: ResourceSearch) -> Found:
    """Name the datasets with which the subject may."""
    check_business(caller, asked.subject.type, asked.subject.id)
    action = ACTIONS.get(asked.action.name)
    if action is None or (asked.subject.type, asked.resource.type) != (PARTICIPANT, DATASET):
        return _nothing()
    key: Json = [scope(caller, "", action, asked.context).document(), asked.subject.id, asked.page.limit]
    after = read_token(asked.page.token, key)
    with parts.database.read() as session:
        names = dataset_names(session, after=after[0], limit=MAX_DATASETS + 1)
    limit = min(asked.page.limit, MAX_LIMIT)
    results: list[Json] = []
    denied: list[Judged] = []
    last: Key | None = after if limit == 0 and names else None
    for number, name in enumerate(names[:MAX_DATASETS], start=1):
        if len(results) == limit:
            break
        judged = await _about(parts, caller, asked, name, action)
        if permitted := _permitted(judged):
            results.append(_entity(DATASET, name, permitted))
        denied += [] if permitted else judged[:1]
        last = (name, "", "") if number < len(names) else None
    if not results:
        await _note_denied(parts, caller, denied)
    return _page(results, last, key)


async def search_actions(parts: Parts, caller: Caller | Person, asked: ActionSearch) -> Found:
    """Name what the subject may do with the resource."""
    check_business(caller, asked.subject.type, asked.subject.id)
    if (asked.subject.type, asked.resource.type) != (PARTICIPANT, DATASET):
        return _nothing()
    results: list[Json] = []
    for name, action in ACTIONS.items():
        judged = await _about(parts, caller, asked, asked.resource.id, action)
        if _permitted(judged):
            results.append({"name": name})
        else:
            await _note_denied(parts, caller, judged)
    return _page(results, None, None)


async def _about(
    parts: Parts,
    caller: Caller | Person,
    asked: ResourceSearch | ActionSearch,
    dataset: str,
    action: Action,
) -> list[Judged]:
    """Judge one subject for one dataset; nothing where there is nothing to ask."""
    wanted = scope(caller, dataset, action, asked.context)
    try:
        ground = await read_ground(parts, wanted, participant=asked.subject.id)
    except (NotFound, Conflict, BadIdentifier):
        return []
    found = cases(ground, action, purpose=asked.context.purpose)
    return [one async for one in judge(parts, found)]


def _permitted(judged: list[Judged]) -> list[Judged]:
    return [one for one in judged if one.decision.allowed]


async def _note_denied(parts: Parts, caller: Caller | Person, denied: list[Judged]) -> None:
    """Put a node's search on record by the first thing that it was denied."""
    if isinstance(caller, Caller) and denied:
        await put_on_record(parts, Denial.of(denied[0].case.question, denied[0].decision))


def _leading(found: Iterator[Case], limit: int, after: Key) -> tuple[list[Case], Key | None]:
    """Take whole subjects within the limit and within what one request may cost; say where to go on."""
    taken: list[Case] = []
    subjects = 0
    for case in found:
        if not taken or case.key[0] != taken[-1].key[0]:
            if subjects == min(limit, MAX_LIMIT) or len(taken) >= MAX_DECISIONS:
                return taken, taken[-1].key if taken else after
            subjects += 1
        taken.append(case)
    return taken, None


def _by_subject(judged: list[Judged]) -> dict[str, list[Judged]]:
    found: dict[str, list[Judged]] = {}
    for one in _permitted(judged):
        found.setdefault(one.case.question.participant.id, []).append(one)
    return found


def _entity(kind: str, name: str, judged: list[Judged]) -> Json:
    """Write one result, with the purposes and agreements for which it is one."""
    questions = [one.case.question for one in judged]
    return {
        "type": kind,
        "id": name,
        "properties": {
            "purposes": list(dict.fromkeys(question.purpose for question in questions)),
            "agreements": [one.agreement.agreement for one in questions if one.agreement is not None],
        },
    }


def _page(results: list[Json], last: Key | None, key: Json) -> Found:
    token = "" if last is None else write_token(last, key)
    return {"page": {"next_token": token, "count": len(results)}, "results": results}


def _nothing() -> Found:
    return _page([], None, None)
