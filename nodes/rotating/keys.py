"""The keys of a node while it runs: node, witness and sealing key, each replaced as a whole.

A statement is signed with the key that is taken once; those who sign requests for as long as they live hold
the ``signer``, which always uses the present node key. A witness key that follows another has a name and a
file of its own (``w2``, ``witness-2.key``), because a witness's name stands for one key.
"""

import threading
from dataclasses import dataclass

from audit.formats.cosignature import Cosigner
from audit.keys.signing import SealingKey, SigningKey, load_key, load_sealing_key
from audit.log.next_key import promote
from contracts.messages import KeyRole
from nodes.home import NodeHome, NodeIdentity


@dataclass(frozen=True, slots=True)
class _Held:
    node: SigningKey
    sealing: SealingKey
    witness: Cosigner | None


class LiveSigner:
    """A ``Signer`` over whatever the node key is at the moment of signing."""

    def __init__(self, keys: "NodeKeys") -> None:
        self._keys = keys

    @property
    def public_raw(self) -> bytes:
        """The public key, 32 bytes."""
        return self._keys.node.public_raw

    @property
    def key_id(self) -> str:
        """The key's name."""
        return self._keys.node.key_id

    def sign(self, message: bytes) -> bytes:
        """Give the 64 bytes of the signature."""
        return self._keys.node.sign(message)


class NodeKeys:
    """The private keys of one home; safe to share between threads."""

    def __init__(self, home: NodeHome, identity: NodeIdentity) -> None:
        """Read the key files; raise KeyFileExposed, KeyFileMissing or KeyUnreadable."""
        self._home = home
        self._identity = identity
        self._held = self._read()
        self.signer = LiveSigner(self)
        self.changing = threading.Lock()  # one key change at a time, from making the key to using it

    @property
    def node(self) -> SigningKey:
        """The node key."""
        return self._held.node

    @property
    def sealing(self) -> SealingKey:
        """The key that opens what is sealed to this node."""
        return self._held.sealing

    @property
    def witness(self) -> Cosigner | None:
        """The pen that cosigns checkpoints; None where this node is no witness."""
        return self._held.witness

    def take_next(self, role: KeyRole) -> None:
        """Put the next key of a role in its place, durable, and use it from now on."""
        match role:
            case "node":
                promote(self._home.node_key)
            case "sealing":
                promote(self._home.sealing_key)
            case "witness":
                number = self._home.witness_number
                promote(self._home.witness_key_of(number + 1))
                if self._home.witness_number > number:
                    # What counts no more must not be kept for a thief.
                    self._home.witness_key_of(number).unlink(missing_ok=True)
            case "statement":
                raise ValueError("a node has no statement key")
        self._held = self._read()

    def _read(self) -> _Held:
        home, identity = self._home, self._identity
        witness = None
        if identity.witness:
            number = home.witness_number
            witness = Cosigner(witness_name(identity, number), load_key(home.witness_key_of(number)))
        return _Held(load_key(home.node_key), load_sealing_key(home.sealing_key), witness)


def witness_name(identity: NodeIdentity, number: int = 1) -> str:
    """Name a participant's witness key: under the log's origin, so no two alliances share a name."""
    name = f"{identity.origin}/{identity.participant}"
    return name if number == 1 else f"{name}/w{number}"
