"""The bundle in force as an OPA server fetches it: signed with a key of its own, once per bundle."""

from pathlib import Path

from policies.bundle import Bundle
from policies.opa.signing import create_key, load_key, public_pem, signed_archive


class BundleSigner:
    """Signs bundles with the P-256 key at ``path``, which is made where there is none."""

    def __init__(self, path: Path) -> None:
        """Read or make the key; raise PolicyFileExposed or PolicyFileUnreadable."""
        self._key = load_key(path) if path.exists() else create_key(path)
        self._packed: tuple[str, bytes] | None = None

    @property
    def public(self) -> str:
        """The public key as PEM, for ``--verification-key``."""
        return public_pem(self._key).decode()

    def archive_of(self, bundle: Bundle) -> bytes:
        """Give the archive; the same bytes for the same bundle while the process runs."""
        packed = self._packed
        if packed is None or packed[0] != bundle.digest:
            packed = self._packed = (bundle.digest, signed_archive(bundle, self._key))
        return packed[1]
