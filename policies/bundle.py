"""A policy bundle: the Rego files that decide together, named by one digest.

The digest is SHA-256 over the canonical list of (path, file digest), sorted by path, so the order on disk
does not matter and no file can be added, dropped or changed unseen. The folder has the shape of an OPA
bundle (``.manifest`` with revision and roots); a folder with data documents is refused, because in the
embedded engine data silently overrides rules of the same name.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Self

from contracts.canonical import digest, sha256_hex
from contracts.errors import Corrupt

MANIFEST = ".manifest"
ROOT = "headwaters"
_BESIDE = frozenset({"tests"})


class BundleTampered(Corrupt):
    """The policy files are not those that the manifest names."""

    code = "bundle-tampered"
    title_zh = "策略文件与清单不符"
    next_zh = "不要使用该策略包;重新安装,或从已批准的版本恢复。"
    next_en = "Do not use this bundle; install it again, or restore the approved version."


@dataclass(frozen=True, slots=True)
class Bundle:
    """Rego sources by path inside the bundle."""

    sources: Mapping[str, bytes]

    @classmethod
    def read(cls, root: Traversable) -> Self:
        """Read a bundle folder and verify it against its manifest; raise BundleTampered."""
        try:
            bundle = cls(dict(_sources(root)))
            manifest = json.loads((root / MANIFEST).read_bytes())
        except (OSError, ValueError) as error:
            raise BundleTampered(f"the bundle cannot be read: {type(error).__name__}") from error
        if manifest != bundle.manifest():
            raise BundleTampered(f"the files have the digest {bundle.digest}, the manifest says otherwise")
        return bundle

    @property
    def digest(self) -> str:
        """Name the bundle: ``sha256:`` over its sorted (path, file digest) pairs."""
        return digest([[path, sha256_hex(raw)] for path, raw in sorted(self.sources.items())])

    def manifest(self) -> dict[str, object]:
        """Give the manifest that fits these files (OPA bundle format)."""
        return {"revision": self.digest, "roots": [ROOT], "rego_version": 1}


def shipped_bundle() -> Bundle:
    """Read and verify the bundle that is part of this package."""
    return Bundle.read(files("policies") / "rego")


def seal(root: Path) -> str:
    """Write the manifest that fits the files under ``root`` after an edit, and give the digest."""
    bundle = Bundle(dict(_sources(root)))
    (root / MANIFEST).write_text(json.dumps(bundle.manifest(), indent=2) + "\n", encoding="utf-8")
    return bundle.digest


def _sources(root: Traversable) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for item in root.iterdir():
        if item.name not in {MANIFEST, ROOT} | _BESIDE:
            raise BundleTampered(f"{item.name!r} does not belong into a bundle")
    for item in (root / ROOT).iterdir():
        if not item.name.endswith(".rego"):
            raise BundleTampered(
                f"{item.name!r} is not a Rego file; facts travel in the question, not as data"
            )
        found.append((f"{ROOT}/{item.name}", item.read_bytes()))
    if not found:
        raise BundleTampered("the bundle holds no policy")
    return found
