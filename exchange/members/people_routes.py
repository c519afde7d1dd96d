"""The exchange's people over HTTP: an administrator proposes one, another person confirms."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from contracts.messages import KeyText, PersonName, Role, Wire
from exchange.edge import Wired, answer_json, parsed
from exchange.identity import Administrator, Person, person_with
from exchange.members import people

router = APIRouter(tags=["people"])

Anybody = Annotated[Person, Depends(person_with())]
Confirmer = Annotated[Person, Depends(person_with(Role.ADMINISTRATOR, Role.OPERATOR))]


class NewPerson(Wire):
    """A person's name, roles and public key."""

    name: PersonName
    roles: Annotated[list[Annotated[Role, Field(strict=False)]], Field(min_length=1, max_length=3)]
    key: KeyText


@router.get("/operator/people")
async def listed(parts: Wired, _person: Anybody) -> Response:
    """List the people who may act, and those who wait to be confirmed."""
    return answer_json({"people": people.people(parts)})


@router.post("/operator/people", status_code=201)
async def propose(
    parts: Wired, person: Administrator, message: Annotated[NewPerson, Depends(parsed(NewPerson))]
) -> Response:
    """Propose a person."""
    roles = frozenset(message.roles)
    return answer_json(
        {"people": await people.propose_person(parts, person, message.name, roles, message.key)}, 201
    )


@router.post("/operator/people/{name}/confirmation")
async def confirm(parts: Wired, person: Confirmer, name: str) -> Response:
    """Confirm a person whom somebody else proposed."""
    return answer_json({"people": await people.confirm_person(parts, person, name)})
