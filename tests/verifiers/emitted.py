"""The log that every verifier is asked about: written by our sequencer, cosigned, exported, at nine sizes.

One log grows through the sizes at which tiles and bundles begin, fill and give way, and is exported at each.
The exports share their files as hard links, so none may be written to in place: take a ``copy`` and ``put``.
"""

import base64
import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from audit.database import open_database, upgrade
from audit.formats.cosignature import Cosigner
from audit.formats.note import VerifierKey, parse_note
from audit.formats.proof import TlogProof
from audit.formats.quorum import WitnessPolicy
from audit.formats.tile import entries_path, tiles_for
from audit.keys.signing import SigningKey
from audit.log.export import export
from audit.log.sequencer import Log
from tests.audit.logs import SIGNER, appending, running

SIZES = (0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000)
AT = datetime(2026, 11, 22, tzinfo=UTC)
WITNESSES = [
    Cosigner(f"w{number}.example/test", SigningKey.from_seed(bytes([20 + number]) * 32))
    for number in range(1, 8)
]
QUORUM = 5
POLICY = WitnessPolicy.k_of_n(
    SIGNER.verifier_key, {f"w{number}": one.verifier_key for number, one in enumerate(WITNESSES, 1)}, QUORUM
)

_SAMPLES = 25
_BATCH = 5_000


class Prover(Protocol):
    """Whoever can prove what a log holds: the log itself, or a tree in memory."""

    def entry(self, index: int) -> bytes:
        """Give the bytes of one entry."""
        ...

    def root(self, size: int) -> bytes:
        """Give the root of the log of ``size``."""
        ...

    def inclusion_path(self, index: int, size: int) -> list[bytes]:
        """Prove that an entry is in the log of ``size``."""
        ...

    def consistency_path(self, old: int, new: int) -> list[bytes]:
        """Prove that the log of ``new`` extends that of ``old``."""
        ...


def emit(
    folder: Path, sizes: Sequence[int] = SIZES, witnesses: Sequence[Cosigner] = WITNESSES
) -> dict[int, Path]:
    """Grow a log through ``sizes`` and export it at each; give the folder of each size."""
    database = open_database(f"sqlite:///{folder / 'evidence.db'}")
    upgrade(database, "exchange:migrations")
    homes = {}
    try:
        with running(database) as log:
            for size in sizes:
                _grow(log, size)
                text = parse_note(log.checkpoint()).text
                lines = "".join(witness.cosign(text, AT) for witness in witnesses)
                log.publish_cosigned(log.checkpoint() + lines.encode())
                export(log, folder / "growing", POLICY)
                homes[size] = _snapshot(log, folder, size, witnesses)
    finally:
        database.close()
    return homes


def copy(home: Path, to: Path) -> Path:
    """Give another view of an export, whose files may be ``put``."""
    return shutil.copytree(home, to, copy_function=os.link)


def put(path: Path, content: bytes) -> None:
    """Put another file in the place of one that is shared."""
    path.unlink()
    path.write_bytes(content)


def live_files(size: int) -> list[str]:
    """Name every tile and bundle of a log of ``size``."""
    tiles = list(tiles_for(size))
    return [tile.path for tile in tiles] + [
        entries_path(tile.n, tile.width) for tile in tiles if not tile.level
    ]


def sampled(size: int, count: int = _SAMPLES) -> list[int]:
    """Give evenly spread indexes, and the last."""
    return sorted({*range(0, size, max(1, size // count)), max(0, size - 1)} & set(range(size)))


def _grow(log: Log, size: int) -> None:
    for start in range(log.size(), size, _BATCH):
        log.commit_blocking(appending(*range(start, min(size, start + _BATCH))))


def _snapshot(log: Log, folder: Path, size: int, witnesses: Sequence[Cosigner]) -> Path:
    """Keep the export as it stands at ``size``, with the keys that signed and proofs by the log."""
    home = folder / str(size)
    for name in ("checkpoint", "policy", *live_files(size)):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(folder / "growing" / name, home / name)
    add_claims(home, log, size, [SIGNER.verifier_key, *(witness.verifier_key for witness in witnesses)])
    return home


def add_claims(home: Path, prover: Prover, size: int, keys: Sequence[VerifierKey]) -> None:
    """Add what a judge is told besides the log: the keys that signed, the log's first, and sampled proofs."""
    (home / "vkeys").write_text("".join(f"{key}\n" for key in keys))
    (home / "vkey").write_text(str(keys[0]))
    claims = _claims(prover, size, (home / "checkpoint").read_bytes())
    (home / "proofs.json").write_text(json.dumps(claims, separators=(",", ":")))


def _claims(log: Prover, size: int, note: bytes) -> dict[str, list[dict[str, object]]]:
    paths = {index: log.inclusion_path(index, size) for index in sampled(size)}
    return {
        "Inclusion": [
            {
                "Index": index,
                "Leaf": _text(log.entry(index)),
                "Path": [_text(value) for value in path],
                "File": TlogProof(index, tuple(path), note).encode().decode(),
            }
            for index, path in paths.items()
        ],
        "Consistency": [
            {
                "Old": old,
                "Root": _text(log.root(old)),
                "Path": [_text(value) for value in log.consistency_path(old, size)],
            }
            for old in sorted({*sampled(size), size} - {0})
        ],
    }


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
