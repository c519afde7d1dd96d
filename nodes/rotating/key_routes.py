"""What an administrator does with the node's own keys, over loopback (``/local/keys``)."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter

from contracts.messages import KeyRole, RevocationReason, Wire
from nodes.bodies import RawBody
from nodes.callers import Administrator, TheNode
from nodes.rotating.rotation import revoke_key, rotate_key

router = APIRouter(prefix="/local/keys")


class KeyToRotate(Wire):
    """Whose key is replaced, and the file of the root key where that has to sign."""

    role: KeyRole
    root_key: str | None = None


class KeyToRevoke(Wire):
    """Whose key counts no more, why, and the file of the root key where that has to sign."""

    role: KeyRole
    reason: RevocationReason
    root_key: str | None = None


@router.post("/rotate")
def post_rotate(node: TheNode, _person: Administrator, body: RawBody) -> dict[str, Any]:
    """Replace a key of this node."""
    asked = KeyToRotate.parse(body)
    return rotate_key(node, asked.role, None if asked.root_key is None else Path(asked.root_key))


@router.post("/revoke")
def post_revoke(node: TheNode, _person: Administrator, body: RawBody) -> dict[str, Any]:
    """Revoke a key of this node."""
    asked = KeyToRevoke.parse(body)
    root = None if asked.root_key is None else Path(asked.root_key)
    return revoke_key(node, asked.role, asked.reason, root)
