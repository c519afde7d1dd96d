"""How the provinces come to one trust root: a node draws it, root keys sign it, every node adopts it.

What is signed is what each signer's own node would have drawn; where it differs, nothing is signed before a
person has looked. The exchange only carries signatures and logs the root. A node that takes a root from the
exchange wants to see its entry under a quorum-cosigned checkpoint, so that no root can be shown to a few in
secret.
"""

from datetime import timedelta
from typing import Any

import structlog

from audit.formats.quorum import QuorumMissing
from audit.keys.signing import fingerprint
from audit.keys.trust_file import SignedRoot, TrustRootUnsigned
from audit.log.entry import EntryKind, parse_entry
from contracts.canonical import Json
from contracts.clock import rfc3339
from contracts.errors import Conflict, Corrupt, HeadwatersError, Invalid, NotFound
from contracts.messages import Severity, Text
from nodes.node import Node
from nodes.trusting.proved import NOT_WITNESSED, prove_place
from nodes.trusting.trust_root import RootDiffers, differences, draw_root

log = structlog.get_logger(__name__)

ROOT_DAYS = 1095  # three years; the ceremony is work for k people


class NoProposal(NotFound):
    """There is no proposed trust root to sign."""

    code = "no-trust-proposal"
    title_zh = "没有待签署的信任根"
    next_zh = "先由一个省拟议:headwaters trust propose。"
    next_en = "Let one province propose first: headwaters trust propose."


class RootNotLogged(Corrupt):
    """The log does not hold the trust root that the exchange shows."""

    code = "trust-root-not-logged"
    title_zh = "交换中心出示的信任根不在日志中"
    next_zh = "不采信该信任根;保留应答作为证据并通知其他省。"
    next_en = "Do not adopt it; keep the answer as evidence and tell the other provinces."


def draw(node: Node, *, days: int = ROOT_DAYS) -> SignedRoot:
    """Draw the next root from what this node has verified, good for ``days``; nobody has signed it yet."""
    node.trust.refresh_directory()
    now = node.trust.guard_clock()
    root = draw_root(
        node.trust.view(), node.trust.roots.adopted(), issued_at=now, expires_at=now + timedelta(days=days)
    )
    return SignedRoot(signatures=[], signed=root.checked())


def proposal(node: Node) -> SignedRoot:
    """Give the open proposal that agrees with what this node would draw.

    Raises NoProposal, and RootDiffers naming what differs when there are proposals and none agrees.
    """
    node.trust.refresh_directory()
    faults: list[str] = []
    for one in node.broker.trust_roots().open:
        found = compare(node, one.checked())
        if not found:
            return one
        faults += found
    if faults:
        raise RootDiffers("the proposal names other keys than this node knows", reasons=sorted(set(faults)))
    raise NoProposal("nobody has proposed a trust root that still waits")


def compare(node: Node, proposed: SignedRoot) -> list[str]:
    """Name what a proposal says otherwise than this node would; empty when nothing."""
    root = proposed.signed
    drawn = draw_root(
        node.trust.view(), node.trust.roots.adopted(), issued_at=root.issued_at, expires_at=root.expires_at
    )
    return differences(root, drawn)


def hand_in(node: Node, root: SignedRoot) -> dict[str, Any]:
    """Hand signatures to the exchange, adopt the root if they were enough, and say how things stand."""
    node.broker.hand_in_root(root.checked())
    renew(node)
    return standing(node)


def adopt(node: Node, root: SignedRoot) -> dict[str, Any]:
    """Adopt a root that was handed over by other means than the exchange, and say how things stand.

    Raises TrustRootUnsigned, TrustRootInvalid and OutsideTrustRoot.
    """
    node.trust.refresh_directory()
    node.trust.roots.adopt(root, node.trust.view())
    node.trust.export_trust_root()
    return standing(node)


def renew(node: Node) -> bool:
    """Adopt what the exchange has logged since, write ``trust.json``, and say whether nothing is pending.

    A root that is not witnessed yet is pending. One that does not hold is an alarm, and is left alone.
    """
    adopted = node.trust.roots.adopted()
    since = 0 if adopted is None else adopted.signed.number - 1
    try:
        for root in node.broker.trust_roots(since).logged:
            known = node.trust.roots.adopted()
            if known is None or known.digest != root.digest:
                _check_logged(node, root)
            node.trust.roots.adopt(root, node.trust.view())
    except QuorumMissing:
        return False
    except Conflict as error:
        if error.code != NOT_WITNESSED:
            raise
        return False
    except (Corrupt, Invalid, NotFound, TrustRootUnsigned) as error:
        _refuse(node, error)
    node.trust.keep_trust_root()
    return True


def standing(node: Node) -> dict[str, Any]:
    """Say which root this node goes by, which proposals wait, and what they say otherwise than this node."""
    adopted = node.trust.roots.adopted()
    names = {one.participant: one.profile.name.model_dump() for one in node.trust.directory().members}
    own = next(one for one in node.trust.directory().members if one.participant == node.participant)
    return {
        "adopted": None if adopted is None else _shown(adopted, names),
        "proposals": [
            {**_shown(one, names), "differs": compare(node, one)} for one in node.broker.trust_roots().open
        ],
        "root_key": None if own.root_key is None else fingerprint(own.root_key),
        "root_keys": [
            {"participant": one.participant, "name": names[one.participant], "fingerprint": shown}
            for one in node.trust.directory().members
            if one.root_key is not None and (shown := fingerprint(one.root_key))
        ],
    }


def _check_logged(node: Node, root: SignedRoot) -> None:
    shown = node.broker.logged_statement(root.digest)
    entry = parse_entry(prove_place(node, shown).leaf)
    expected: dict[str, Json] = {"n": root.signed.number, "dig": root.digest, "k": root.signed.threshold}
    if entry.kind is not EntryKind.TRUST_ROOT or dict(entry.fields) != expected:
        raise RootNotLogged(f"entry {shown.index} is not that of root {root.signed.number}")


def _refuse(node: Node, error: HeadwatersError) -> None:
    log.error("trust_root_refused", code=error.code)
    title = Text(zh="拒绝交换中心出示的信任根", en="The trust root that the exchange shows is refused")
    node.alarms.raise_alarm("trust.root-refused", Severity.HIGH, title, {"reason": error.code})


def _shown(root: SignedRoot, names: dict[str, dict[str, str]]) -> dict[str, Any]:
    expires = root.signed.expires_at
    return {
        "number": root.signed.number,
        "digest": root.digest,
        "issued_at": rfc3339(root.signed.issued_at),
        "expires_at": None if expires is None else rfc3339(expires),
        "signers": [names.get(one, {"zh": one, "en": one}) for one in root.signers()],
        "needed": root.signed.threshold,
        "logs": [one.origin for one in root.signed.logs],
        "participants": len(root.signed.participants),
    }
