"""Logs that our code writes, judged by Go's checksum-database packages, which we did not write."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit.checkpoint import Checkpoint
from audit.cosignature import Cosigner
from audit.keys import SigningKey
from audit.merkle import consistency_path, inclusion_path
from audit.note import NoteSigner, format_note
from audit.tile import TileHashReader
from tests.audit.trees import MemoryTree, numbered
from tests.verifiers.logcheck import build_logcheck, judge

LOG = NoteSigner("audit.alliance.example/test", SigningKey.from_seed(b"\x01" * 32))
WITNESSES = [
    Cosigner(f"w{number}.example/test", SigningKey.from_seed(bytes([number]) * 32)) for number in range(2, 9)
]
AT = datetime(2026, 11, 22, tzinfo=UTC)
SAMPLES = 25

pytestmark = pytest.mark.real


@pytest.fixture(scope="session")
def logcheck() -> Path:
    """Give the Go program."""
    return build_logcheck()


def export(tree: MemoryTree, size: int, home: Path) -> None:
    """Write a static log, the keys that signed it, and sampled proofs made from its tiles."""
    text = str(Checkpoint(LOG.name, size, tree.root(size)))
    lines = [LOG.sign(text), *(witness.cosign(text, AT) for witness in WITNESSES)]
    files = {"checkpoint": format_note(text, lines), **tree.files(size)}
    keys = [LOG.verifier_key, *(witness.verifier_key for witness in WITNESSES)]
    files["vkeys"] = "".join(f"{key}\n" for key in keys).encode()
    files["proofs.json"] = json.dumps(sampled_proofs(tree, size), separators=(",", ":")).encode()
    for path, content in files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(content)


def sampled_proofs(tree: MemoryTree, size: int) -> dict[str, list[dict[str, object]]]:
    """Prove evenly spread entries and sizes, and the last of each."""
    reader = TileHashReader(tree.tile, size)
    step = max(1, size // SAMPLES)
    return {
        "Inclusion": [
            {"Index": index, "Path": texts(inclusion_path(index, size, reader))}
            for index in {*range(0, size, step), max(0, size - 1)}
            if index < size
        ],
        "Consistency": [
            {
                "Old": old,
                "Root": texts([tree.root(old)])[0],
                "Path": texts(consistency_path(old, size, reader)),
            }
            for old in {*range(1, size, step), size}
            if old
        ],
    }


def texts(hashes: list[bytes]) -> list[str]:
    """Write hashes as base64."""
    return [base64.b64encode(value).decode() for value in hashes]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 1000, 70_000])
def test_our_logs_are_accepted(logcheck: Path, tmp_path: Path, size: int) -> None:
    """Go verifies all eight signatures, every entry and tile, and the proofs of our log."""
    export(numbered(size), size, tmp_path)

    assert judge(logcheck, tmp_path).startswith(f"OK {size} entries, 8 signatures, ")


@pytest.mark.parametrize(
    "name",
    [
        "checkpoint",
        "vkeys",
        "proofs.json",
        "tile/0/000",
        "tile/0/003.p/232",
        "tile/1/000.p/3",
        "tile/entries/000",
        "tile/entries/003.p/232",
    ],
)
def test_a_changed_file_is_rejected(logcheck: Path, tmp_path: Path, name: str) -> None:
    """One flipped bit in any kind of file, one byte less, or no file at all, and Go rejects the log."""
    export(numbered(1000), 1000, tmp_path)
    path = tmp_path / name
    good = path.read_bytes()
    at = len(good) // 2
    for bad in (good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], good[:-2], good[1:]):
        path.write_bytes(bad)
        assert judge(logcheck, tmp_path).startswith("REJECTED")
    path.unlink()

    assert judge(logcheck, tmp_path).startswith("REJECTED")


def test_another_root_is_rejected(logcheck: Path, tmp_path: Path) -> None:
    """A well-signed checkpoint over other entries does not cover this log."""
    export(numbered(300), 300, tmp_path)
    text = str(Checkpoint(LOG.name, 300, numbered(301).root(301)))
    lines = [LOG.sign(text), *(witness.cosign(text, AT) for witness in WITNESSES)]
    (tmp_path / "checkpoint").write_bytes(format_note(text, lines))

    assert judge(logcheck, tmp_path).startswith("REJECTED")


def test_a_stranger_s_signature_is_rejected(logcheck: Path, tmp_path: Path) -> None:
    """A cosignature that its witness did not make is rejected by Go as it is by us."""
    export(numbered(3), 3, tmp_path)
    note = (tmp_path / "checkpoint").read_text()
    other = str(Checkpoint(LOG.name, 2, numbered(2).root(2)))
    text = note.partition("\n\n")[0] + "\n"
    changed = note.replace(WITNESSES[0].cosign(text, AT), WITNESSES[0].cosign(other, AT))
    (tmp_path / "checkpoint").write_text(changed)

    assert changed != note
    assert judge(logcheck, tmp_path).startswith("REJECTED")
