"""A node replaces or revokes one of its own keys.

The steps of a rotation: (1) make the next key, durable, beside the present one, or find the one that an
interrupted rotation made; (2) have the keys that must vouch for it sign; (3) hand the statement to the
exchange, which logs it; (4) put the next key in its place and use it; (5) verify the directory that says so.
Until 4 everything can be done again from 1 and leads to the same key.
"""

from pathlib import Path

import structlog

from audit.formats.cosignature import Cosigner
from audit.keys.key_history import key_id_of
from audit.keys.signing import KeyFileMissing, Signer, SigningKey, load_key
from audit.log.next_key import next_path, next_sealing_key, next_signing_key
from contracts.errors import Usage
from contracts.messages import KeyRevocation, KeyRole, KeyRotation, RevocationReason
from nodes.node import Node
from nodes.rotating.keys import witness_name
from nodes.signed import sign_statement

log = structlog.get_logger(__name__)

ROLES: tuple[KeyRole, ...] = ("node", "witness", "sealing")


class NoSuchKey(Usage):
    """This node has no key of this role."""

    code = "no-such-key"
    title_zh = "本节点没有该类密钥"
    next_zh = "节点密钥用 node,见证密钥用 witness(仅见证方),封装密钥用 sealing。"
    next_en = "Name node, sealing or, where this node is a witness, witness."


def rotate_key(node: Node, role: KeyRole, root_key: Path | None = None) -> dict[str, str | int]:
    """Replace the key of a role, or finish doing so; ``root_key`` signs where the old key no longer may.

    Raises NoSuchKey, an error of the key files, and what the exchange answers; the present key then stays.
    """
    with node.keys.changing:
        return _rotate(node, role, root_key)


def revoke_key(
    node: Node, role: KeyRole, reason: RevocationReason, root_key: Path | None = None
) -> dict[str, str | int]:
    """Revoke this node's present key of a role, signed by the node key, or by ``root_key`` where given."""
    with node.keys.changing:
        key = _present(node, role)
        signer: Signer = node.node_key if root_key is None else load_key(root_key)
        revocation = KeyRevocation(
            participant=node.participant, role=role, key=key, reason=reason, at=node.clock.now()
        )
        state = node.broker.revoke_key(sign_statement(revocation, signer).text)
        log.warning("key_revoked", role=role, key=key_id_of(role, key))
    return {"role": role, "key": key_id_of(role, key), "status": state.status.value}


def finish_rotations(node: Node) -> None:
    """Finish what an interrupted rotation left; where the exchange refuses, a person must look."""
    with node.keys.changing:
        for role in ROLES:
            if _next_path(node, role).exists():
                _rotate(node, role, None)


def _rotate(node: Node, role: KeyRole, root_key: Path | None) -> dict[str, str | int]:
    root = None if root_key is None else load_key(root_key)
    old, new, signers = _prepared(node, role)
    rotation = KeyRotation(participant=node.participant, role=role, old=old, new=new, at=node.clock.now())
    vouching = [*signers, *([] if root is None else [root])]
    node.broker.rotate_key(sign_statement(rotation, *vouching).text)
    node.keys.take_next(role)
    if role == "witness" and node.witness is not None:
        node.witness.renew()
    log.info("key_rotated", role=role, old=key_id_of(role, old), new=key_id_of(role, new))
    node.trust.refresh_directory()
    return {"role": role, "old": key_id_of(role, old), "new": key_id_of(role, new)}


def _prepared(node: Node, role: KeyRole) -> tuple[str, str, list[Signer]]:
    """Make the next key; give the old and the new one as text, and who signs."""
    home, keys = node.home, node.keys
    old = _present(node, role)
    match role:
        case "node":
            fresh = next_signing_key(home.node_key)
            return old, fresh.public.text, [keys.node, fresh]
        case "sealing":
            return old, next_sealing_key(home.sealing_key).public_text, [keys.node]
        case "witness":
            number = home.witness_number
            pen = next_signing_key(home.witness_key_of(number + 1))
            new = str(Cosigner(witness_name(node.identity, number + 1), pen).verifier_key)
            return old, new, [keys.node, pen, *_retiring(home.witness_key_of(number))]
        case "statement":
            raise NoSuchKey("the statement key is the exchange's")


def _retiring(path: Path) -> list[SigningKey]:
    try:
        return [load_key(path)]
    except KeyFileMissing:
        return []  # it is lost; the root key signs in its place


def _present(node: Node, role: KeyRole) -> str:
    match role:
        case "node":
            return node.node_key.public.text
        case "sealing":
            return node.sealing_key.public_text
        case "witness" if node.witness is not None:
            return node.witness.vkey
        case "witness" | "statement":
            raise NoSuchKey(f"this node has no {role} key")


def _next_path(node: Node, role: KeyRole) -> Path:
    match role:
        case "node":
            return next_path(node.home.node_key)
        case "sealing":
            return next_path(node.home.sealing_key)
        case "witness" | "statement":
            return next_path(node.home.witness_key_of(node.home.witness_number + 1))
