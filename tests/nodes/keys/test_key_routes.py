"""Key changes at a node: an administrator's act, over loopback."""

import httpx
import orjson
import pytest

from audit.httpsig import RequestSigner
from audit.keys.signing import SigningKey, load_key
from contracts.clock import FrozenClock, epoch_ms
from contracts.messages import Role
from nodes.app import create_app
from nodes.node import Node
from tests.nodes.keys.key_exchange import KeyExchange
from tests.nodes.sharing import AppTransport

LOCAL = "http://127.0.0.1:8002"


def post(
    node: Node, path: str, body: dict[str, str], key: SigningKey | None = None, name: str = "li-wei"
) -> httpx.Response:
    """Ask as a person of the node."""
    key = key or load_key(node.home.person_key(name))
    auth = RequestSigner(key, f"person:{name}", clock=node.clock)
    transport = AppTransport(create_app(node, [LOCAL]), peer="127.0.0.1")
    with httpx.Client(base_url=LOCAL, auth=auth, transport=transport) as client:
        return client.post(f"/local/keys/{path}", content=orjson.dumps(body))


def test_an_administrator_replaces_and_revokes(node: Node, exchange: KeyExchange) -> None:
    """The answers name the keys as the log does, and where the participant stands."""
    old = node.node_key.key_id
    rotated = post(node, "rotate", {"role": "node"}).json()
    revoked = post(node, "revoke", {"role": "node", "reason": "lost"}).json()
    root = str(node.home.root_key)
    brought = post(node, "rotate", {"role": "node", "root_key": root}).json()

    assert (rotated["old"], rotated["new"]) == (old, revoked["key"])
    assert revoked["status"] == "suspended"
    assert brought["new"] == node.node_key.key_id
    assert len(exchange.members[node.participant].past_keys) == 3


@pytest.mark.parametrize("path", ["rotate", "revoke"])
def test_an_operator_changes_no_keys(node: Node, clock: FrozenClock, path: str) -> None:
    """Who publishes and receives does not decide about keys."""
    key = SigningKey.generate()
    node.people.register("wang", key.public, {Role.OPERATOR}, at_ms=epoch_ms(clock.now()))

    answer = post(node, path, {"role": "node", "reason": "lost"}, key, "wang")

    assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")


@pytest.mark.parametrize(
    "body", [{}, {"role": "log"}, {"role": "node", "reason": "bored"}, {"role": "node", "key": "x"}]
)
def test_what_is_not_asked_well_is_refused(node: Node, body: dict[str, str]) -> None:
    """A role, and for a revocation one of three reasons; nothing else."""
    assert post(node, "revoke", body).json()["code"] == "bad-message"
