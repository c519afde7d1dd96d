"""A policy bundle: the Rego files that decide together, named by one digest.

The digest is SHA-256 over the canonical list of (path, file digest), sorted by path, so the order on disk
does not matter and no file can be added, dropped or changed unseen. A bundle lies in a folder or in an
archive of OPA's shape (``.manifest`` with revision and roots); one with data documents is refused, because in
the embedded engine data silently overrides rules of the same name.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Self

from contracts.canonical import Json, NotCanonical, canonical_bytes, digest, sha256_hex
from contracts.errors import Corrupt
from policies.opa.archive import (
    MANIFEST,
    MAX_BYTES,
    MAX_FILE_BYTES,
    MAX_FILES,
    SIGNATURES,
    known_path,
    unpack,
)

ROOT = "headwaters"
MAX_SOURCE_BYTES = 1024 * 1024
_BESIDE = frozenset({"tests"})


class BundleTampered(Corrupt):
    """The policy files are not those that the manifest names."""

    code = "bundle-tampered"
    title_zh = "策略文件与清单不符"
    next_zh = "自己编辑的策略先运行 headwaters policy seal;否则不要使用,重新安装或从已批准的版本恢复。"
    next_en = (
        "Run headwaters policy seal on rules that you edited; others do not use: restore what was approved."
    )


@dataclass(frozen=True, slots=True)
class Bundle:
    """Rego sources by path inside the bundle."""

    sources: Mapping[str, bytes]

    @classmethod
    def read(cls, root: Traversable) -> Self:
        """Read a bundle folder and verify it against its manifest; raise BundleTampered."""
        try:
            files = {**dict(_sources(root)), MANIFEST: (root / MANIFEST).read_bytes()}
        except OSError as error:
            raise BundleTampered(f"the bundle cannot be read: {type(error).__name__}") from error
        return cls.from_files(files)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Take a bundle's files by path, the manifest among them, and verify them; raise BundleTampered."""
        sources = {path: raw for path, raw in files.items() if path != MANIFEST}
        _check_sizes(sources)
        bundle = cls(sources)
        try:
            manifest = canonical_bytes(json.loads(files[MANIFEST]))
        except (KeyError, ValueError, NotCanonical, RecursionError) as error:
            raise BundleTampered(f"the manifest cannot be read: {type(error).__name__}") from error
        if manifest != canonical_bytes(bundle.manifest()):
            raise BundleTampered(f"the files have the digest {bundle.digest}, the manifest says otherwise")
        return bundle

    @property
    def digest(self) -> str:
        """Name the bundle: ``sha256:`` over its sorted (path, file digest) pairs."""
        return digest([[path, sha256_hex(raw)] for path, raw in sorted(self.sources.items())])

    def manifest(self) -> dict[str, Json]:
        """Give the manifest that fits these files (OPA bundle format)."""
        return {"revision": self.digest, "roots": [ROOT], "rego_version": 1}

    def manifest_bytes(self) -> bytes:
        """Write the manifest as its file holds it."""
        return json.dumps(self.manifest(), indent=2).encode() + b"\n"

    def files(self) -> dict[str, bytes]:
        """Give all files by path, the manifest among them."""
        return {**self.sources, MANIFEST: self.manifest_bytes()}


def shipped_bundle() -> Bundle:
    """Read and verify the bundle that is part of this package."""
    return Bundle.read(shipped_folder())


def shipped_folder() -> Path:
    """Say where the shipped bundle lies, with its tests beside it."""
    return Path(str(files("policies") / "rego"))


def read_bundle(path: Path) -> Bundle:
    """Read a bundle from a folder or from an archive, whose signature is not looked at.

    Raises BundleTampered or BadArchive.
    """
    if path.is_dir():
        return Bundle.read(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BundleTampered(f"the bundle cannot be read: {type(error).__name__}") from error
    files = unpack(raw)
    files.pop(SIGNATURES, None)
    return Bundle.from_files(files)


def seal(root: Path) -> str:
    """Write the manifest that fits the files under ``root`` after an edit, and give the digest."""
    bundle = Bundle(dict(_sources(root)))
    (root / MANIFEST).write_bytes(bundle.manifest_bytes())
    return bundle.digest


def _sources(root: Traversable) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for item in root.iterdir():
        if item.name not in {MANIFEST, ROOT} | _BESIDE:
            raise BundleTampered(f"{item.name!r} does not belong into a bundle")
    for item in (root / ROOT).iterdir():
        path = f"{ROOT}/{item.name}"
        if not known_path(path):
            raise BundleTampered(
                f"{item.name!r} is not a Rego file; facts travel in the question, not as data"
            )
        if not item.is_file() or (isinstance(item, Path) and item.is_symlink()):
            raise BundleTampered(f"{item.name!r} is a link or no file at all")
        with item.open("rb") as file:
            found.append((path, file.read(MAX_FILE_BYTES + 1)))
        if len(found) > MAX_FILES:
            break
    _check_sizes(dict(found))
    return found


def _check_sizes(sources: Mapping[str, bytes]) -> None:
    """Refuse a bundle without files, with strange ones, or with more than an archive may hold."""
    if not sources:
        raise BundleTampered("the bundle holds no policy")
    strange = sorted(path for path in sources if not path.startswith(f"{ROOT}/") or not known_path(path))
    if strange:
        raise BundleTampered(f"{strange[0][:80]!r} does not belong into a bundle")
    too_large = any(len(raw) > MAX_FILE_BYTES for raw in sources.values())
    if too_large or len(sources) > MAX_FILES or sum(map(len, sources.values())) > MAX_SOURCE_BYTES:
        raise BundleTampered("the bundle holds more files or larger ones than the limits allow")
