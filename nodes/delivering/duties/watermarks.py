"""Watermarks: the token in a view's metadata that names, to this node alone, whom the view was made for.

A token is an HMAC-SHA-256 over artifact, obligations and recipient under a key of this home, so nobody else
can make one or read one, and two views with the same token are the same view. What a token stands for is
written down, durable, before a view with it gets its name; ``nodes.delivering.tracing`` reads it again.

Whoever knows a token can write it into another file and so accuse its recipient. So the token itself is in
the file alone; receipts and headers, which others read too, have its digest.
"""

import hmac

from contracts.canonical import canonical_bytes, sha256_hex
from contracts.clock import epoch_ms
from contracts.messages import Discharged, Watermark
from contracts.view import WATERMARK_MARK
from nodes.delivering.duties.handler import Draft, DutyFailed
from nodes.node import Node
from nodes.secret_key import secret_key
from nodes.sharing_tables import WatermarkRow


def mark_view(draft: Draft, duty: Watermark) -> Discharged:
    """Write the recipient's token into a view's metadata and into this node's book."""
    if duty.recipient is None:
        raise DutyFailed("the watermark names no recipient")
    token = make_token(draft.node, draft.artifact, draft.key, duty.recipient)
    row = WatermarkRow(
        token=token,
        artifact=draft.artifact,
        obligations=draft.key,
        recipient=duty.recipient,
        dataset=draft.dataset,
        release=draft.release,
        at=epoch_ms(draft.node.clock.now()),
    )
    with draft.node.database.transaction() as session:
        if session.get(WatermarkRow, token) is None:
            session.add(row)
    draft.marks[WATERMARK_MARK] = token
    return Discharged(kind="watermark", token=digest_of(token))


def digest_of(token: str) -> str:
    """Give what receipts and headers say of a token."""
    return sha256_hex(token.encode())


def make_token(node: Node, artifact: str, obligations: str, recipient: str) -> str:
    """Make the token of a view for a recipient, 64 hex digits; raise KeyFileExposed or KeyUnreadable."""
    said = canonical_bytes(
        {"use": "watermark-v1", "artifact": artifact, "obligations": obligations, "recipient": recipient}
    )
    return hmac.new(secret_key(node.home.watermark_key), said, "sha256").hexdigest()


def find_token(node: Node, token: str) -> WatermarkRow | None:
    """Give what a token stands for; None for one that this node did not make."""
    with node.database.read() as session:
        row = session.get(WatermarkRow, token)
    if row is None:
        return None
    made = make_token(node, row.artifact, row.obligations, row.recipient)
    # A book that was tampered with must not accuse anybody.
    return row if hmac.compare_digest(made, token) else None
