"""The key that the exchange signs statements with, while the process runs: one at a time, replaced whole.

The log decides which key is the present one. A rotation makes the next key durable, signs with it from the
unit on that logs the rotation, and puts the file in its place when the unit is durable; a process that ended
in between finds both files, and the log says which of them counts.
"""

from pathlib import Path

from audit.keys.signing import PublicKey, SigningKey, load_key
from audit.log.next_key import next_path, next_signing_key, promote
from contracts.errors import Corrupt


class StatementKeyLost(Corrupt):
    """The key that the log names as the exchange's is not in the home."""

    code = "statement-key-lost"
    title_zh = "日志所记的现行声明密钥不在主目录中"
    next_zh = "从备份恢复 keys/;在此之前交换中心不签署任何声明。"
    next_en = "Restore keys/ from a backup; until then the exchange signs no statement."


class StatementKeys:
    """A ``Signer`` that signs with the present key, also for those who hold on to it."""

    def __init__(self, path: Path) -> None:
        """Read the key file; raise KeyFileExposed, KeyFileMissing or KeyUnreadable."""
        self._path = path
        self._current = load_key(path)

    @property
    def current(self) -> SigningKey:
        """The present key; take it once for one statement."""
        return self._current

    @property
    def public_raw(self) -> bytes:
        """The public key, 32 bytes."""
        return self._current.public_raw

    @property
    def key_id(self) -> str:
        """The key's name."""
        return self._current.key_id

    def sign(self, message: bytes) -> bytes:
        """Give the 64 bytes of the present key's signature."""
        return self._current.sign(message)

    def settle(self, logged: str | None) -> None:
        """Take the key that the log names (None: it never changed), finishing an interrupted rotation.

        Raises StatementKeyLost when it is in neither file.
        """
        if logged is None or self._current.public == PublicKey.from_text(logged):
            return
        place = next_path(self._path)
        following = load_key(place) if place.exists() else None
        if following is None or following.public.text != logged:
            raise StatementKeyLost("neither keys/statement.key nor the one beside it is the logged key")
        self.adopt(following)

    def prepare(self) -> SigningKey:
        """Make the next key durable, or find it again."""
        return next_signing_key(self._path)

    def switch(self, key: SigningKey) -> None:
        """Sign with ``key`` from now on; the files stay as they are."""
        self._current = key

    def adopt(self, key: SigningKey) -> None:
        """Sign with ``key``, the next one, for good."""
        self._current = key
        promote(self._path)
