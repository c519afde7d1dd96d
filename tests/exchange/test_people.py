"""People beyond the founders: one proposes, another confirms, and nobody makes their own second person."""

import pytest

from audit.commitment import new_salt
from audit.keys.signing import SigningKey
from audit.log.entry import EntryKind, parse_entry
from contracts.messages import Role
from exchange.members.model import PersonRecord
from exchange.members.store import find_person_proposal, list_people, save_person
from tests.exchange.provinces import Exchange, code

pytestmark = pytest.mark.anyio

PEOPLE = "/operator/people"


def _zhang(signer: SigningKey | None = None, /, **changes: object) -> dict[str, object]:
    public = (signer or SigningKey.generate()).public.text
    return {"name": "zhang-san", "roles": ["administrator"], "key": public, **changes}


async def test_a_person_acts_once_another_has_confirmed(exchange: Exchange) -> None:
    """A proposed person is nobody; once confirmed they act under their own key, and both acts are logged."""
    key = SigningKey.generate()
    await exchange.person("administrator").post(PEOPLE, json=_zhang(key))
    new = exchange.client(key, "person:zhang-san")
    early = await new.get("/operator/members")
    confirmed = await exchange.person("operator").post(f"{PEOPLE}/zhang-san/confirmation")
    late = await new.get("/operator/members")

    listed = {one["name"]: one for one in confirmed.json()["people"]}
    log = exchange.parts.log
    acts = [parse_entry(raw) for raw in log.entries(0, log.size())]
    assert (early.status_code, late.status_code) == (401, 200)
    assert listed["zhang-san"] == {
        "name": "zhang-san",
        "roles": ["administrator"],
        "key": key.public.text,
        "waits": False,
        "by": None,
    }
    assert [(one.fields["what"], one.fields["role"]) for one in acts if one.kind is EntryKind.ADMIN_ACT] == [
        ("person.propose", "administrator"),
        ("person.confirm", "operator"),
    ]


async def test_nobody_confirms_whom_they_proposed(exchange: Exchange) -> None:
    """One person alone makes no second one."""
    await exchange.person("administrator").post(PEOPLE, json=_zhang())
    answer = await exchange.person("administrator").post(f"{PEOPLE}/zhang-san/confirmation")

    assert code(answer) == (403, "other-person-needed")


@pytest.mark.parametrize("who", ["operator", "auditor"])
async def test_only_an_administrator_proposes(exchange: Exchange, who: str) -> None:
    """Others cannot propose people."""
    assert code(await exchange.person(who).post(PEOPLE, json=_zhang())) == (403, "wrong-role")


async def test_an_auditor_confirms_nobody(exchange: Exchange) -> None:
    """Auditors read."""
    await exchange.person("administrator").post(PEOPLE, json=_zhang())
    answer = await exchange.person("auditor").post(f"{PEOPLE}/zhang-san/confirmation")

    assert code(answer) == (403, "wrong-role")


async def test_names_and_keys_are_one_persons(exchange: Exchange) -> None:
    """A name or a key that somebody has, or that waits, is refused."""
    administrator = exchange.person("administrator")
    held = exchange.parts.roll.person("operator").key
    waiting = SigningKey.generate()
    await administrator.post(PEOPLE, json=_zhang(waiting))
    answers = [
        await administrator.post(PEOPLE, json=_zhang(name="operator")),
        await administrator.post(PEOPLE, json=_zhang(name="li-si", key=held)),
        await administrator.post(PEOPLE, json=_zhang()),
        await administrator.post(PEOPLE, json=_zhang(waiting, name="li-si")),
    ]

    assert [code(answer) for answer in answers] == [(409, "person-taken")] * 4


@pytest.mark.parametrize(
    "changes",
    [{"name": "../evil"}, {"roles": []}, {"roles": ["king"]}, {"key": "ed25519:" + "A" * 43 + "="}],
)
async def test_odd_people_are_refused(exchange: Exchange, changes: dict[str, object]) -> None:
    """A name that is no file name, no role or a made-up one, and a key that is none are refused."""
    answer = await exchange.person("administrator").post(PEOPLE, json=_zhang(**changes))

    assert answer.status_code == 400
    assert (await exchange.person("auditor").get(PEOPLE)).text.count("zhang-san") == 0


@pytest.mark.parametrize(
    "edit",
    [{"key": "ed25519:" + "A" * 43 + "="}, {"roles": "administrator,operator"}, {"by": "auditor"}],
    ids=lambda edit: next(iter(edit)),
)
async def test_a_proposal_that_was_edited_is_not_confirmed(exchange: Exchange, edit: dict[str, str]) -> None:
    """Who confirms lets in whom the log says was proposed, and nobody whom the database says."""
    await exchange.person("administrator").post(PEOPLE, json=_zhang())
    with exchange.parts.database.transaction() as session:
        row = find_person_proposal(session, "zhang-san")
        assert row is not None
        for name, value in edit.items():
            setattr(row, name, value)
        session.add(row)
    answer = await exchange.person("operator").post(f"{PEOPLE}/zhang-san/confirmation")

    assert code(answer) == (500, "people-tampered")
    with exchange.parts.database.read() as session:
        assert "zhang-san" not in {one.name for one in list_people(session)}


async def test_people_beside_the_log_let_nobody_in(exchange: Exchange) -> None:
    """While the database has a person whom the log does not know, nobody is confirmed."""
    with exchange.parts.database.transaction() as session:
        key = SigningKey.generate().public.text
        save_person(session, PersonRecord("evil", frozenset(Role), key, new_salt()))
    await exchange.person("administrator").post(PEOPLE, json=_zhang())
    answer = await exchange.person("operator").post(f"{PEOPLE}/zhang-san/confirmation")

    assert code(answer) == (500, "people-tampered")


async def test_nobody_waits_unknown(exchange: Exchange) -> None:
    """Only who was proposed can be confirmed."""
    answer = await exchange.person("operator").post(f"{PEOPLE}/nobody/confirmation")

    assert code(answer) == (404, "person-not-proposed")


async def test_few_wait(exchange: Exchange) -> None:
    """At most twenty people wait to be confirmed."""
    administrator = exchange.person("administrator")
    answers = [await administrator.post(PEOPLE, json=_zhang(name=f"n-{number}")) for number in range(21)]

    assert [answer.status_code for answer in answers] == [201] * 20 + [409]
