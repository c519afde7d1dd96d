"""What a dishonest hand could try, done to copies, so that the story can show it caught and convicted."""

import shutil
from pathlib import Path

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import leaf_hash, tree_root
from audit.formats.note import NoteSigner, format_note, parse_note
from audit.formats.tile import TILE_WIDTH, decode_bundle, encode_bundle, entries_path
from audit.keys.signing import load_key
from audit.proofs.equivocation import prove_fork


def flip_byte(file: Path, scratch: Path) -> Path:
    """Copy a delivered file with one bit of its middle byte flipped."""
    scratch.mkdir(parents=True, exist_ok=True)
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    forged = scratch / file.name
    forged.write_bytes(raw)
    return forged


def delete_entry(exported: Path, to: Path) -> Path:
    """Copy an exported log without its second entry; the later ones move up."""
    shutil.copytree(exported, to)
    entries = _entries(exported)
    del entries[1]
    shutil.rmtree(to / "tile" / "entries")
    for n in range(0, len(entries), TILE_WIDTH):
        bundle = entries[n : n + TILE_WIDTH]
        path = to / entries_path(n // TILE_WIDTH, len(bundle))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_bundle(bundle))
    return to


def fork(exported: Path, log_key: Path, to: Path) -> Path:
    """Sign, with the log's own key, a checkpoint of the same size over a history that differs."""
    entries = _entries(exported)
    entries[-1] += b" "
    claim = _checkpoint(exported)
    forged = Checkpoint(claim.origin, claim.size, tree_root([leaf_hash(entry) for entry in entries]))
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(format_note(str(forged), [NoteSigner(claim.origin, load_key(log_key)).sign(str(forged))]))
    return to


def convict(exported: Path, forged: Path, log_key: Path, to: Path) -> Path:
    """Make the evidence file out of the published checkpoint and another one that the log's key signed."""
    key = NoteSigner(_checkpoint(exported).origin, load_key(log_key)).verifier_key
    published = (exported / "checkpoint").read_bytes()
    to.write_bytes(prove_fork(published, forged.read_bytes(), key).encode())
    return to


def _checkpoint(exported: Path) -> Checkpoint:
    return Checkpoint.parse(parse_note((exported / "checkpoint").read_bytes()).text)


def _entries(exported: Path) -> list[bytes]:
    size = _checkpoint(exported).size
    entries: list[bytes] = []
    for n in range(0, size, TILE_WIDTH):
        width = min(TILE_WIDTH, size - n)
        entries += decode_bundle((exported / entries_path(n // TILE_WIDTH, width)).read_bytes())
    return entries
