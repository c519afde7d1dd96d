"""A secret of this home that is no key pair: 32 random bytes in a file of its owner's, made at its first use.

The file appears whole or not at all, and is never replaced: what was made under the first key could not be
recognised under another one.
"""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from audit.durable import sync_folder
from audit.keys.signing import KeyFileMissing, KeyUnreadable, read_key_file, write_key_file

_HEX = re.compile(rb"[0-9a-f]{64}\n")


def secret_key(path: Path) -> bytes:
    """Give the secret in a file, made now if there is none; raise KeyFileExposed or KeyUnreadable."""
    try:
        return _read(path)
    except KeyFileMissing:
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        write_key_file(draft, secrets.token_hex(32).encode() + b"\n")
        with suppress(FileExistsError):  # another thread's came first, and is the one that counts
            os.link(draft, path)
        draft.unlink()
        sync_folder(path.parent)
        return _read(path)


def _read(path: Path) -> bytes:
    raw = read_key_file(path)
    if _HEX.fullmatch(raw) is None:
        raise KeyUnreadable(f"{path.name} is not 64 hex digits")
    return bytes.fromhex(raw.decode())
