"""Who calls this node: the one place where a request's signature becomes a caller (RFC 9421).

A request is accepted when it was meant for this node (its target URI begins with one of the node's own
addresses), when its signature holds under a trusted key, and when its nonce is new; the nonce is durable
before the caller is believed. Network callers are the exchange and active participants; a person signs with
a key of their own (key id ``person:<name>``) over a loopback connection, and the mailbox can never bring
one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from audit.httpsig import RequestSignatureInvalid, SignedParts, verify_request
from audit.keys.signing import PublicKey
from audit.nonces import admit
from contracts.errors import Refused, Unauthenticated
from contracts.identifiers import EXCHANGE_KEYID, PERSON_PREFIX
from contracts.messages import Role
from nodes.addresses import is_loopback
from nodes.bodies import RawBody
from nodes.node import Node
from nodes.people import Person


class WrongTarget(Unauthenticated):
    """The request was signed for another address."""

    code = "wrong-target"
    title_zh = "请求签名的目标不是本节点"
    next_zh = "用目录中登记的地址重新签名。"
    next_en = "Sign again for the address that the directory shows."


class WrongCaller(Unauthenticated):
    """The request is signed by somebody who has no business here."""

    code = "wrong-caller"
    title_zh = "签名方无权调用此接口"
    next_zh = "核对签名所用的身份与密钥。"
    next_en = "Check under which identity and key the request was signed."


class NotLocal(Refused):
    """People act on the node's own machine only."""

    code = "not-local"
    title_zh = "人员操作只能在节点本机进行"
    next_zh = "登录节点所在机器后运行同一命令。"
    next_en = "Log in to the node's machine and run the same command there."


class RoleMissing(Refused):
    """The person does not hold the role that this act needs."""

    code = "role-missing"
    title_zh = "此人不具备所需角色"
    next_zh = "由具备该角色的人员执行。"
    next_en = "Have somebody act who holds the role."


@dataclass(frozen=True, slots=True)
class ExchangeCall:
    """A request by the exchange, with its body."""

    body: bytes


@dataclass(frozen=True, slots=True)
class ParticipantCall:
    """A request by an active participant: its id, the key it signed with, and the body."""

    participant: str
    key: PublicKey
    body: bytes


def target_uri(request: Request) -> str:
    """Spell the request's absolute target as its sender did (RFC 9421 s2.2.2)."""
    raw_path = request.scope.get("raw_path") or request.url.path.encode()
    query = request.scope.get("query_string", b"")
    host = request.headers.get("host", "")
    target = f"{request.url.scheme}://{host}{raw_path.decode('ascii', 'replace')}"
    return target + (f"?{query.decode('ascii', 'replace')}" if query else "")


def authenticate(request: Request, body: bytes, resolve: Callable[[str], PublicKey]) -> SignedParts:
    """Accept a signed request once; raise WrongTarget, an error of ``audit.httpsig``, or Replayed."""
    node = node_of(request)
    target = target_uri(request)
    base = "/".join(target.split("/", 3)[:3])
    if base not in request.app.state.bases:
        raise WrongTarget(f"{base[:80]} is not this node")
    parts = verify_request(
        request.method, target, request.headers.items(), body, resolve=resolve, clock=node.clock
    )
    with node.database.transaction() as session:
        admit(session, parts, node.clock.now())
    return parts


def _authenticate_with_news(
    request: Request, body: bytes, resolve: Callable[[str], PublicKey]
) -> SignedParts:
    """Accept a signed request; a key that was replaced a moment ago is looked up before it is refused."""
    try:
        return authenticate(request, body, resolve)
    except RequestSignatureInvalid:
        if not node_of(request).trust.seek_news():
            raise
    return authenticate(request, body, resolve)


def node_of(request: Request) -> Node:
    """Give the node that serves this request."""
    node = request.app.state.node
    if not isinstance(node, Node):
        raise TypeError("the app was not made by create_app")
    return node


def exchange_call(request: Request, body: RawBody) -> ExchangeCall:
    """Accept a request that the exchange's present statement key signed."""
    trust = node_of(request).trust

    def resolve(keyid: str) -> PublicKey:
        if keyid != EXCHANGE_KEYID:
            raise WrongCaller("only the exchange may ask this")
        return trust.exchange_key

    _authenticate_with_news(request, body, resolve)
    return ExchangeCall(body)


def participant_call(request: Request, body: RawBody) -> ParticipantCall:
    """Accept a request by an active participant of the directory."""
    trust = node_of(request).trust
    keys: dict[str, PublicKey] = {}

    def resolve(keyid: str) -> PublicKey:
        keys[keyid] = trust.node_key(keyid)
        return keys[keyid]

    parts = _authenticate_with_news(request, body, resolve)
    return ParticipantCall(parts.keyid, keys[parts.keyid], body)


def person_with(*roles: Role) -> Callable[..., Person]:
    """Make the dependency that accepts a person who holds one of ``roles``; with none named, any person."""

    def person_call(request: Request, body: RawBody) -> Person:
        if request.client is None or not is_loopback(request.client.host):
            raise NotLocal
        people = node_of(request).people

        def resolve(keyid: str) -> PublicKey:
            if not keyid.startswith(PERSON_PREFIX):
                raise WrongCaller("only a person may do this")
            return people.find(keyid.removeprefix(PERSON_PREFIX)).key

        parts = authenticate(request, body, resolve)
        person = people.find(parts.keyid.removeprefix(PERSON_PREFIX))
        if roles and person.roles.isdisjoint(roles):
            raise RoleMissing(f"this needs the role {' or '.join(roles)}", roles=list(roles))
        return person

    return person_call


TheNode = Annotated[Node, Depends(node_of)]
FromExchange = Annotated[ExchangeCall, Depends(exchange_call)]
FromParticipant = Annotated[ParticipantCall, Depends(participant_call)]
AnyPerson = Annotated[Person, Depends(person_with())]
Operator = Annotated[Person, Depends(person_with(Role.OPERATOR))]
Administrator = Annotated[Person, Depends(person_with(Role.ADMINISTRATOR))]
