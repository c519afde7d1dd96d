"""What people of a node see and do about the network, over loopback: the mirror, the peers, the evidence."""

from typing import Any

from fastapi import APIRouter
from sqlmodel import select

from contracts.clock import beijing, from_epoch_ms
from contracts.errors import HeadwatersError
from nodes.callers import AnyPerson, Operator, TheNode
from nodes.node import Node
from nodes.witnessing import gossip_store, monitor
from nodes.witnessing.network_tables import GossipPeerRow, LogForkRow, ReplayRow

Fields = dict[str, Any]  # Any: the JSON that people and scripts read

router = APIRouter(prefix="/local")


@router.get("/network")
def get_network(node: TheNode, _person: AnyPerson) -> Fields:
    """Say what is mirrored, how the peers answer and which logs are stopped; call nobody."""
    with node.database.read() as session:
        peers = gossip_store.peers(session)
        claims = gossip_store.claims(session)
        forks = session.exec(select(LogForkRow)).all()
        replayed = session.get(ReplayRow, node.trust.shards.current().origin)
    return {
        "mirror": _mirror(node) | {"replayed": 0 if replayed is None else replayed.size},
        "peers": [_peer(row) for row in peers],
        "unsettled": len(claims),
        "stopped": [{"origin": row.origin, "evidence": row.digest} for row in forks],
    }


@router.post("/mirror")
def post_mirror(node: TheNode, _person: Operator) -> Fields:
    """Bring the mirror up to date, check every file of it again, and replay what is new."""
    grown = node.mirror.update()
    checked = node.mirror.scrub()
    monitor.replay(node)
    return _mirror(node) | {
        "fetched": grown.fetched + checked.fetched,
        "checked": checked.checked,
        "mended": list(checked.mended),
    }


def _peer(row: GossipPeerRow) -> Fields:
    return {
        "participant": row.participant,
        "size": row.size,
        "answered": _shown(row.answered_at),
        "silent_since": _shown(row.silent_since),
        "trouble": row.trouble,
    }


def _shown(ms: int | None) -> str | None:
    return None if ms is None else beijing(from_epoch_ms(ms))


def _mirror(node: Node) -> Fields:
    sizes, trouble = [], None
    for shard in node.trust.shards.all():
        try:
            claim = node.mirror.files(shard.number).checkpoint()
        except HeadwatersError as error:
            claim, trouble = None, error.code
        sizes.append(0 if claim is None else claim.size)
    return {
        "folder": str(node.mirror.folder),
        "shards": len(sizes),
        "size": sizes[-1],
        "entries": sum(sizes),
        "trouble": trouble,
    }
