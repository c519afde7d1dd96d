import asyncio

import httpx
import pytest

from audit.httpsig import RequestSigner
from audit.keys.signing import SigningKey, load_key
from contracts.clock import FrozenClock
from contracts.messages import MemberStatus, Role
from nodes.node import Node, open_node
from nodes.people import PersonExists, UnknownPerson
from tests.nodes.conftest import JoinNode
from tests.nodes.faces import LISTENER, small_app, transport
from tests.nodes.simulated_exchange import SimulatedExchange


def _call(
    node: Node, request: httpx.Request, *, auth: httpx.Auth | None = None, peer: str = "127.0.0.1"
) -> httpx.Response:
    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport(small_app(node), peer)) as client:
            return await client.send(request, auth=auth)

    return asyncio.run(send())


@pytest.fixture
def li_wei(node: Node) -> RequestSigner:
    return RequestSigner(load_key(node.home.person_key("li-wei")), "person:li-wei", node.clock)


def test_the_exchange_is_known_by_its_statement_key(node: Node, exchange: SimulatedExchange) -> None:
    """A request signed by the exchange for this node is accepted."""
    uri = node.mailbox_base + "/offers"
    request = httpx.Request(
        "POST", uri, content=b"offer", headers=exchange.signed_headers("POST", uri, b"offer")
    )

    assert _call(node, request).json() == {"bytes": 5}


def test_a_request_counts_once(node: Node, exchange: SimulatedExchange) -> None:
    """The same signed request is refused the second time, also by a process that was started anew."""
    uri = node.mailbox_base + "/offers"
    headers = exchange.signed_headers("POST", uri, b"offer")
    first = _call(node, httpx.Request("POST", uri, content=b"offer", headers=headers))
    with open_node(node.home.path, clock=node.clock, transport=exchange.transport) as again:
        second = _call(again, httpx.Request("POST", uri, content=b"offer", headers=headers))

    assert (first.status_code, second.status_code, second.json()["code"]) == (200, 401, "replayed")


def test_a_request_for_another_node_is_refused(node: Node, exchange: SimulatedExchange) -> None:
    """A request signed for another address does not count here, even with a good signature."""
    uri = "http://p-aaaaaaaaaaaa.node/offers"
    request = httpx.Request("POST", uri, headers=exchange.signed_headers("POST", uri))

    assert _call(node, request).json()["code"] == "wrong-target"


@pytest.mark.parametrize("part", ["body", "path"])
def test_a_changed_request_is_refused(node: Node, exchange: SimulatedExchange, part: str) -> None:
    """Body and target are covered by the signature."""
    uri = node.mailbox_base + "/offers"
    headers = exchange.signed_headers("POST", uri, b"offer")
    changed = uri + "?x=1" if part == "path" else uri
    content = b"OFFER" if part == "body" else b"offer"
    answer = _call(node, httpx.Request("POST", changed, content=content, headers=headers))

    assert (answer.status_code, answer.json()["code"]) == (401, "request-signature-invalid")


def test_a_request_without_a_signature_is_refused(node: Node) -> None:
    """Nothing but a signature makes a caller."""
    answer = _call(node, httpx.Request("POST", node.mailbox_base + "/offers", content=b"x"))

    assert answer.status_code == 401


def test_a_participant_does_not_speak_for_the_exchange(node: Node) -> None:
    """An offer signed by a participant is refused."""
    auth = RequestSigner(node.node_key, node.participant, node.clock)

    answer = _call(node, httpx.Request("POST", node.mailbox_base + "/offers"), auth=auth)
    assert answer.json()["code"] == "wrong-caller"


@pytest.mark.parametrize("status", [MemberStatus.SUSPENDED, MemberStatus.QUARANTINED])
def test_an_active_participant_is_known_by_its_directory_key(
    node: Node, exchange: SimulatedExchange, join_node: JoinNode, clock: FrozenClock, status: MemberStatus
) -> None:
    """A participant that joined a moment ago is accepted; once stopped it is refused."""
    with open_node(join_node("hubei"), clock=clock, transport=exchange.transport) as other:
        auth = RequestSigner(other.node_key, other.participant, clock)
        request = httpx.Request("POST", node.mailbox_base + "/deliveries")
        accepted = _call(node, request, auth=auth)
        stopped = exchange.members[other.participant].model_copy(update={"status": status})
        exchange.set_member(stopped)
        node.trust.refresh_directory()
        refused = _call(node, request, auth=auth)

        assert accepted.json() == {"participant": other.participant, "key": other.node_key.public.text}
        assert refused.json()["code"] == "unknown-participant"


def test_a_person_acts_on_this_machine(node: Node, li_wei: RequestSigner) -> None:
    """A registered person is accepted from a loopback peer."""
    answer = _call(node, httpx.Request("GET", LISTENER + "/local/anybody?x=1"), auth=li_wei)

    assert answer.json() == {"name": "li-wei"}


@pytest.mark.parametrize("peer", ["10.0.0.7", "mailbox"])
def test_a_person_is_refused_from_anywhere_else(node: Node, li_wei: RequestSigner, peer: str) -> None:
    """People's routes are out of reach for the network and for the mailbox."""
    answer = _call(node, httpx.Request("GET", LISTENER + "/local/anybody"), auth=li_wei, peer=peer)

    assert (answer.status_code, answer.json()["code"]) == (403, "not-local")


def test_an_unknown_person_is_refused(node: Node) -> None:
    """A key that is not registered under the name is refused."""
    stranger = SigningKey.generate()
    request = httpx.Request("GET", LISTENER + "/local/anybody")

    unknown = _call(node, request, auth=RequestSigner(stranger, "person:nobody", node.clock))
    posing = _call(node, request, auth=RequestSigner(stranger, "person:li-wei", node.clock))
    not_person = _call(node, request, auth=RequestSigner(node.node_key, node.participant, node.clock))
    assert unknown.json()["code"] == "unknown-person"
    assert posing.json()["code"] == "request-signature-invalid"
    assert not_person.json()["code"] == "wrong-caller"


def test_each_role_is_its_own(node: Node) -> None:
    """A person without the role is refused; the first person of a node holds every role."""
    key = SigningKey.generate()
    node.people.register("wang-fang", key.public, {Role.OPERATOR}, at_ms=0)
    request = httpx.Request("POST", LISTENER + "/local/audit")

    refused = _call(node, request, auth=RequestSigner(key, "person:wang-fang", node.clock))
    first = RequestSigner(load_key(node.home.person_key("li-wei")), "person:li-wei", node.clock)
    assert (refused.status_code, refused.json()["code"]) == (403, "role-missing")
    assert _call(node, request, auth=first).status_code == 200


def test_a_name_keeps_its_key(node: Node) -> None:
    """Registering a name again with another key is refused, with the same key it is harmless."""
    key = SigningKey.generate().public
    node.people.register("wang-fang", key, {Role.OPERATOR}, at_ms=0)
    node.people.register("wang-fang", key, {Role.OPERATOR}, at_ms=1)

    with pytest.raises(PersonExists):
        node.people.register("wang-fang", SigningKey.generate().public, {Role.OPERATOR}, at_ms=2)
    assert [node.people.find(name).name for name in ("li-wei", "wang-fang")] == ["li-wei", "wang-fang"]
    assert node.people.find("wang-fang").key == key
    with pytest.raises(UnknownPerson):
        node.people.find("nobody")
