"""Presenting grants to a provider, good ones and spoilt ones."""

from typing import Any

import httpx
from sqlmodel import select

from audit.keys.signing import SigningKey
from contracts.messages import (
    Grant,
    LoggedGrant,
    PurposeFields,
)
from nodes.sharing_tables import DeliveryRow, OutboxRow
from nodes.signed import peek_statement, sign_statement
from tests.nodes.sharing import NARROW, PURPOSE, World

DIGEST = "sha256:" + "9" * 64
NARROWED = {"purposes": [PURPOSE], "purpose_fields": [PurposeFields(purpose=PURPOSE, fields=NARROW)]}


def code(answer: httpx.Response) -> str:
    return str(answer.json().get("code", answer.status_code))


def refused(world: World, answer: httpx.Response, expected: str) -> None:
    """A refusal has its own code and leaves neither a delivery nor a receipt."""
    assert code(answer) == expected, answer.text
    with world.provider.database.read() as session:
        assert session.exec(select(DeliveryRow)).all() == []
        assert session.exec(select(OutboxRow)).all() == []


def resigned(world: World, logged: LoggedGrant, **changes: Any) -> LoggedGrant:
    """Give the grant with other words under the exchange's true signature."""
    grant = peek_statement(logged.grant_envelope, Grant).statement.model_copy(update=changes)
    return logged.model_copy(
        update={"grant_envelope": sign_statement(grant, world.exchange.statement_key).text}
    )


def other_agreement(world: World, logged: LoggedGrant, *keys: SigningKey, **changes: Any) -> LoggedGrant:
    """Grant anew, truly logged, under an agreement with other words or other signatures."""
    terms = world.exchange._agreed(next(iter(world.exchange.subscriptions.values())).agreement).statement
    signed = sign_statement(terms.model_copy(update=changes), *keys)
    world.exchange.transfers.clear()
    world.exchange.spoil_grant |= {"agreement_digest": signed.digest}
    subscription = next(iter(world.exchange.subscriptions))
    return world.granted(subscription).model_copy(update={"agreement_envelope": signed.text})
