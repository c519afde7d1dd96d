"""Nodes of one alliance that ask each other in memory, and an exchange that shows them what it likes."""

from collections.abc import Callable

import httpx

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import leaf_hash, tree_root
from audit.formats.note import format_note
from audit.httpsig import RequestSigner
from nodes.addresses import mailbox_base
from nodes.app import create_app
from nodes.node import Node
from nodes.relay import ProviderLink
from nodes.witnessing.gossip import Asker
from tests.nodes.sharing import AppTransport
from tests.nodes.simulated_exchange import ORIGIN, SimulatedExchange

PERIOD_SECONDS = 60.0


class Wires:
    """The ways between nodes; ``cut`` names those that do not answer, ``alter`` changes what they say."""

    def __init__(self, *nodes: Node) -> None:
        self._apps = {node.participant: create_app(node) for node in nodes}
        self.cut: set[str] = set()
        self.alter: Callable[[bytes], bytes] = lambda body: body

    def asker(self, node: Node) -> Asker:
        """Let a node ask over these wires."""
        return Asker(node, PERIOD_SECONDS, self.link)

    def link(self, node: Node, peer: str) -> ProviderLink:
        """Open the way to a peer; a ``Link``."""
        base = mailbox_base(peer)
        inner = AppTransport(self._apps[peer])

        def carry(request: httpx.Request) -> httpx.Response:
            if peer in self.cut:
                raise httpx.ConnectError("silent", request=request)
            answer = inner.handle_request(request)
            return httpx.Response(answer.status_code, content=self.alter(answer.read()), request=request)

        auth = RequestSigner(node.node_key, node.participant, clock=node.clock)
        client = httpx.Client(base_url=base, auth=auth, transport=httpx.MockTransport(carry))
        return ProviderLink(client, relayed=False)


def cosigned(exchange: SimulatedExchange, node: Node, size: int | None = None) -> bytes:
    """Publish a checkpoint with this node's cosignature, given without asking its witness."""
    leaves = exchange.leaves if size is None else exchange.leaves[:size]
    text = str(Checkpoint(ORIGIN, len(leaves), tree_root(leaves)))
    assert node.witness is not None
    line = node.witness._cosigner.cosign(text, node.clock.now())
    exchange.cosignatures = [line]
    return format_note(text, [exchange.signer.sign(text), line])


def rewrite(exchange: SimulatedExchange, size: int, *, since: int = 3) -> None:
    """Let the exchange have another history from entry ``since`` on, of ``size`` entries."""
    del exchange.leaves[since:]
    exchange.log_entries(*(b"other %d" % index for index in range(since, size)))
    assert exchange.leaves[since : since + 1] != [leaf_hash(b"entry %d" % since)]
