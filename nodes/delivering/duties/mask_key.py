"""The secret behind keyed hashes: one random key for each home, and keys derived from it for each use.

The file is ``keys/mask.key``, made when it is first needed, its owner's alone. Without it nobody can tell
whether a guess at a hashed value is right. A new key gives new hashes: what was delivered before does not
join with what comes after.
"""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts.canonical import canonical_bytes
from nodes.home import NodeHome
from nodes.secret_key import secret_key

_USE = "headwaters-mask-v1"


def mask_key(home: NodeHome, dataset: str, column: str, recipient: str) -> bytes:
    """Derive the key for one dataset, column and recipient (HKDF-SHA256, RFC 5869).

    Raises KeyFileExposed when others can read the file, KeyUnreadable when it is no key.
    """
    info = canonical_bytes([_USE, dataset, column, recipient])
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret_key(home.mask_key))
