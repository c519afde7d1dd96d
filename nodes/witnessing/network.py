"""What a serving node does for the network beside its own business: mirror the log, replay it, gossip."""

from contracts.clock import monotonic_seconds
from contracts.errors import HeadwatersError
from nodes.node import Node
from nodes.witnessing import monitor
from nodes.witnessing.gossip import PERIOD_SECONDS, Asker

MIRROR_SECONDS = 5.0
SCRUB_AT_ONCE = 16  # tiles and bundles held against the checkpoint again in each round of the mirror
EAGER_SECONDS = 1.0  # between two rounds while the witness has heard too few peers to cosign


def mirror_round(node: Node) -> None:
    """Bring the mirror up to date, replay what is new, and hold a part of it against its checkpoint again."""
    node.mirror.update()
    monitor.replay(node)
    node.mirror.scrub(SCRUB_AT_ONCE)


class Gossiping:
    """Asks round after round; a witness that has heard too few peers asks sooner."""

    def __init__(self, period_seconds: float = PERIOD_SECONDS) -> None:
        self._period_seconds = period_seconds
        self._rested_seconds: float | None = None  # since when, on the monotonic clock; None before the first
        self._busy: set[str] = set()  # peers that are still answering

    def tick(self, node: Node) -> None:
        """Hold a round where one is due."""
        # Looked at anew each time: a witness that had nobody to hear may have a peer by now.
        pause = min(EAGER_SECONDS, self._period_seconds) if _waits(node) else self._period_seconds
        if self._rested_seconds is not None and monotonic_seconds() < self._rested_seconds + pause:
            return
        try:
            Asker(node, self._period_seconds, busy=self._busy).round()
        finally:
            self._rested_seconds = monotonic_seconds()


def _waits(node: Node) -> bool:
    try:
        return node.witness is not None and node.witness.peers_lacking() > 0
    except HeadwatersError:
        return True  # without a directory nobody can be asked
