"""Who is calling: every request but the open ones is signed, and its nonce counts once.

A node signs as its participant id, a person as ``person:<name>`` (RFC 9421 through ``audit.httpsig``). The
order is fixed: signature and times, then the nonce in a durable commit, then the standing of whoever
signed; so a refusal for standing cannot be replayed either. A dependency gives a ``Caller`` or a ``Person``
or raises.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from audit import nonces
from audit.httpsig import SignedParts, verify_request
from audit.keys.signing import PublicKey
from contracts.errors import Refused, Unauthenticated
from contracts.identifiers import PERSON_PREFIX
from contracts.messages import MemberStatus, Role
from exchange.edge import Wired
from exchange.members.model import NodeKeyRevoked
from exchange.members.roll import UnknownCaller
from exchange.parts import Parts
from exchange.peer import peer_address


class WrongAddress(Unauthenticated):
    """The request was addressed to another host than this exchange."""

    code = "wrong-exchange-address"
    title_zh = "请求所写的地址不是本交换中心"
    next_zh = "使用邀请中的交换中心地址。"
    next_en = "Use the exchange's address as the invite gives it."


class NotActive(Refused):
    """The participant may not act now: it is pending, suspended, quarantined or revoked."""

    code = "member-not-active"
    title_zh = "该参与方当前不能操作(待批准、已暂停、已隔离或已撤销)"
    next_zh = "请联系交换中心管理员。"
    next_en = "Ask the exchange's administrator."


class WrongRole(Refused):
    """The person does not have the role that this needs."""

    code = "wrong-role"
    title_zh = "该人员没有所需角色"
    next_zh = "请由具有该角色的人员操作。"
    next_en = "Ask a person who has the role."


@dataclass(frozen=True, slots=True)
class Caller:
    """A node that signed this request, and the IP address that it came from, where that is known."""

    participant: str
    key: PublicKey
    status: MemberStatus
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A person who signed this request; ``salt`` opens the log's commitments to the name."""

    name: str
    roles: frozenset[Role]
    salt: bytes


async def any_node(request: Request, parts: Wired) -> Caller:
    """Give the registered node that signed, whatever its standing."""
    keyid = (await _signed(request, parts)).keyid
    return _caller(request, parts, keyid)


async def active_node(caller: Annotated[Caller, Depends(any_node)]) -> Caller:
    """Give the node that signed; raise NotActive unless it is approved and in good standing."""
    return require_active(caller)


async def admitted_node(caller: Annotated[Caller, Depends(any_node)]) -> Caller:
    """Give the node that signed; raise NotActive while it was never approved."""
    if caller.status in {MemberStatus.INVITED, MemberStatus.PENDING}:
        raise NotActive(f"{caller.participant} is {caller.status.value}", status=caller.status.value)
    return caller


async def testifying_node(caller: Annotated[Caller, Depends(any_node)]) -> Caller:
    """Give the node that signed; raise NotActive unless its evidence is taken.

    Receipts, aborts, counts and proofs of a fork bear their own signatures and open no way to any data, so
    they are taken from a quarantined node too: what happened before matters most then.
    """
    return caller if caller.status is MemberStatus.QUARANTINED else require_active(caller)


AnyNode = Annotated[Caller, Depends(any_node)]
AdmittedNode = Annotated[Caller, Depends(admitted_node)]
ActiveNode = Annotated[Caller, Depends(active_node)]
TestifyingNode = Annotated[Caller, Depends(testifying_node)]


def person_with(*roles: Role) -> Callable[..., Awaitable[Person]]:
    """Give a dependency that wants a person with one of ``roles``; without roles, any person."""

    async def check(request: Request, parts: Wired) -> Person:
        keyid = (await _signed(request, parts)).keyid
        return _person(parts, keyid, roles)

    return check


Administrator = Annotated[Person, Depends(person_with(Role.ADMINISTRATOR))]
Auditor = Annotated[Person, Depends(person_with(Role.AUDITOR))]


def node_or_person(*roles: Role) -> Callable[..., Awaitable[Caller | Person]]:
    """Give a dependency that wants an active node, or a person with one of ``roles``."""

    async def check(request: Request, parts: Wired) -> Caller | Person:
        keyid = (await _signed(request, parts)).keyid
        if keyid.startswith(PERSON_PREFIX):
            return _person(parts, keyid, roles)
        return require_active(_caller(request, parts, keyid))

    return check


def require_active(caller: Caller) -> Caller:
    """Return ``caller``; raise NotActive unless it is in good standing."""
    if caller.status is not MemberStatus.ACTIVE:
        raise NotActive(f"{caller.participant} is {caller.status.value}", status=caller.status.value)
    return caller


def target_uri(request: Request, bases: tuple[str, ...]) -> str:
    """Spell the request's absolute URI as its signer had to; raise WrongAddress for a foreign host.

    The scheme comes from our own list, because a proxy in front of us speaks plain HTTP to us.
    """
    host = request.headers.get("host", "").lower()
    base = next((b for b in bases if urlsplit(b).netloc == host), None)
    if base is None:
        raise WrongAddress(f"{host[:80]!r} is not an address of this exchange")
    raw_path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    # What is not ASCII is no URI; it becomes a spelling that nobody signed.
    path = raw_path.partition(b"?")[0].decode("ascii", "replace")
    return base + path + (f"?{query.decode('ascii', 'replace')}" if query else "")


async def _signed(request: Request, parts: Parts) -> SignedParts:
    signed = verify_request(
        request.method,
        target_uri(request, parts.settings.bases),
        request.headers.items(),
        await request.body(),
        resolve=lambda keyid: _key_of(parts, keyid),
        clock=parts.clock,
    )
    await parts.log.commit(lambda unit: nonces.admit(unit.session, signed, unit.now))
    request.state.keyid = signed.keyid
    return signed


def _key_of(parts: Parts, keyid: str) -> PublicKey:
    if keyid.startswith(PERSON_PREFIX):
        return PublicKey.from_text(parts.roll.person(keyid.removeprefix(PERSON_PREFIX)).key)
    member = parts.roll.caller(keyid)
    if member.node_key is None:
        raise UnknownCaller("no participant with this id has registered a key")
    if member.is_node_key_revoked:
        raise NodeKeyRevoked(f"the node key of {keyid} is revoked", participant=keyid)
    return PublicKey.from_text(member.node_key)


def _caller(request: Request, parts: Parts, keyid: str) -> Caller:
    member = parts.roll.caller(keyid)
    return Caller(keyid, _key_of(parts, keyid), member.status, peer_address(request, parts.settings))


def _person(parts: Parts, keyid: str, roles: tuple[Role, ...]) -> Person:
    if not keyid.startswith(PERSON_PREFIX):
        raise WrongRole("this is for people, and a node signed", needed=[role.value for role in roles])
    found = parts.roll.person(keyid.removeprefix(PERSON_PREFIX))
    if roles and not found.roles & set(roles):
        raise WrongRole(f"{found.name} is not {' or '.join(roles)}", needed=[role.value for role in roles])
    return Person(found.name, found.roles, found.salt)
