"""Provinces that change their keys as they should, and what the directory then says of them."""

from collections.abc import Sequence

import httpx

from audit.keys.signing import SealingKey, SigningKey
from contracts.messages import (
    KeyRevocation,
    KeyRole,
    KeyRotation,
    Member,
)
from exchange.members import rotation
from nodes.signed import sign_statement
from tests.exchange.provinces import Exchange, Province
from tests.exchange.signers import Participant
from tests.exchange.test_members import directory
from tests.exchange.trading import Alliance


def held(province: Province, role: KeyRole) -> str:
    """Give a province's present key of a role."""
    match role:
        case "node":
            return province.node_key.public.text
        case "witness":
            return str(province.cosigner.verifier_key)
        case _:
            return province.sealing_key.public_text


def replace(province: Province, role: KeyRole) -> tuple[KeyRotation, list[SigningKey]]:
    """Give a province another key; give the statement about it and those who should sign."""
    old, before, witness = held(province, role), province.node_key, province.witness_key
    signers = [before]
    match role:
        case "node":
            province.node_key = SigningKey.generate()
            signers.append(province.node_key)
        case "witness":
            province.witness_key, province.witness_number = SigningKey.generate(), province.witness_number + 1
            signers += [witness, province.witness_key]
        case _:
            province.sealing_key = SealingKey.generate()
    said = KeyRotation(
        participant=province.participant,
        role=role,
        old=old,
        new=held(province, role),
        at=province.exchange.clock.now(),
    )
    return said, signers


async def hand_in(
    exchange: Exchange, said: KeyRotation | KeyRevocation, signers: Sequence[SigningKey]
) -> httpx.Response:
    """Hand in a signed key change."""
    path = "/keys/rotations" if isinstance(said, KeyRotation) else "/keys/revocations"
    return await exchange.http.post(path, content=sign_statement(said, *signers).text)


async def rotate(province: Province, role: KeyRole) -> httpx.Response:
    """Replace a key as it should be done."""
    return await hand_in(province.exchange, *replace(province, role))


async def member(exchange: Exchange, province: Province) -> Member:
    """Give what the directory says of a province."""
    return next(m for m in (await directory(exchange)).members if m.participant == province.participant)


def revocation(province: Province, role: KeyRole) -> KeyRevocation:
    """Write a province's own revocation."""
    return KeyRevocation(
        participant=province.participant,
        role=role,
        key=held(province, role),
        reason="lost",
        at=province.exchange.clock.now(),
    )


def rotate_participant(alliance: Alliance, node: Participant) -> None:
    """Give a trading participant another node key, as both keys say."""
    old, new = node.key, SigningKey.generate()
    said = KeyRotation(
        participant=node.id,
        role="node",
        old=old.public.text,
        new=new.public.text,
        at=alliance.clock.now(),
    )
    alliance.run(rotation.take_rotation(alliance.parts, sign_statement(said, old, new).text))
    node.key = new


def revoke_participant(alliance: Alliance, node: Participant) -> None:
    """Revoke a trading participant's node key, and let the exchange's standing of it be as before."""
    said = KeyRevocation(
        participant=node.id,
        role="node",
        key=node.key.public.text,
        reason="compromised",
        at=alliance.clock.now(),
    )
    alliance.run(rotation.take_revocation(alliance.parts, sign_statement(said, node.key).text))
