"""The gateway as a part of the serving node: started with it, collected while it runs, ended with it.

It listens only where it is told to; HJ 212 has no TLS, so an address off loopback is a decision of whoever
runs the node, and is logged as such.
"""

import structlog

from audit.durable import write_private
from contracts.errors import Usage
from nodes.addresses import AddressInUse, BadAddress, bracketed, host_port, is_loopback
from nodes.node import Node
from nodes.stations.collect import collect, journal_folder
from nodes.stations.gateway import Gateway, Limits
from nodes.stations.journal import SEGMENT_BYTES, Journal
from nodes.stations.registry import NodeRegister

TICK_SECONDS = 2.0
COLLECT_SECONDS = 60.0

log = structlog.get_logger(__name__)


class Listening:
    """One node's gateway and journal; ``tick`` is done again and again while the node serves."""

    def __init__(self, node: Node, limits: Limits | None = None) -> None:
        self._node = node
        self.journal = Journal(journal_folder(node), node.clock)
        self.gateway = Gateway(NodeRegister(node), self.journal, node.clock, limits or Limits())
        self.address: str | None = None
        # What an earlier run left is collected at the first tick.
        self._collected_at = 0.0

    async def start(self, listen: str) -> str:
        """Listen on HOST:PORT and give the address; raise Usage or AddressInUse."""
        try:
            host, port = host_port(listen)
        except BadAddress as error:
            raise Usage("stations is HOST:PORT") from error
        try:
            taken, port = await self.gateway.start(host, port)
        except OSError as error:
            raise AddressInUse(f"{listen} cannot be taken: {error.strerror}") from error
        if not is_loopback(host):
            log.warning("hj212_listens_off_loopback", host=host)
        address = self.address = f"{bracketed(taken)}:{port}"
        write_private(self._node.home.path / "run" / "stations", address.encode() + b"\n")
        log.info("hj212_listening", address=address)
        return address

    def tick(self, node: Node) -> None:
        """Write down refusals and who was heard; collect when it is time, or when much has come."""
        self.gateway.note()
        now = node.clock.now().timestamp()
        if now - self._collected_at >= COLLECT_SECONDS or self.journal.size_bytes >= SEGMENT_BYTES // 2:
            self._collected_at = now
            collect(node, self.journal)

    async def close(self) -> None:
        """End it."""
        (self._node.home.path / "run" / "stations").unlink(missing_ok=True)
        await self.gateway.close()
