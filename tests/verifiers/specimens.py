"""One sound file of every kind that evidence is made of, and who judges it.

Each checkpoint bears exactly a quorum of cosignatures, and each trust root exactly enough signatures, so that
nothing in a file is to spare. ``ours`` raises unless the file holds; ``theirs`` is the second verifier.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from audit.formats.cosignature import Cosigner
from audit.formats.merkle import inclusion_path, leaf_hash, root_from, verify_inclusion
from audit.formats.packed import pack
from audit.formats.policy_file import check_policy_file
from audit.formats.proof import TlogProof
from audit.formats.tile import TileHashReader, parse_tile_path, tile_path
from audit.keys.signing import SigningKey
from audit.keys.trust import TrustedKey, TrustedLog, TrustedParticipant, TrustedWitness, TrustRoot
from audit.keys.trust_file import SignedRoot, TrustFile
from audit.proofs.equivocation import verify_fork
from audit.proofs.excerpt import verify_excerpt, write_excerpt
from audit.proofs.verify import verify_transfer
from audit.walk.fsck import Trusted, walk
from audit.walk.log_source import DirectorySource
from contracts.errors import Corrupt
from contracts.messages import Text
from tests.audit.logs import NOW, SIGNER
from tests.audit.test_equivocation import EQUAL, KEY, POWER, RAW
from tests.audit.transfer_evidence import DATA, PROVIDER, evidence, signed_root
from tests.verifiers import second
from tests.verifiers.corpus import plain
from tests.verifiers.emitted import AT, POLICY, QUORUM, WITNESSES, copy, put
from tests.verifiers.first import ours
from tests.verifiers.second_evidence import Transfer, check_fork
from tests.verifiers.second_trust import Trust, verdict

SMALL, LARGE = 257, 70_000
SECOND_EVERY = 4  # the second verifier is asked about one flip in four
LARGE_TILES = [
    "tile/0/000",
    "tile/0/200",
    "tile/0/273.p/112",
    "tile/1/000",
    "tile/1/001.p/17",
    "tile/2/000.p/1",
]


@dataclass(frozen=True)
class Specimen:
    """A sound file, and how to ask about a changed one; ``theirs`` is None where only we read the kind."""

    name: str
    raw: bytes
    ours: Callable[[bytes], object]
    theirs: Callable[[bytes], object] | None = None


def accepted(specimen: Specimen, count: int, random: Random) -> list[str]:
    """Flip ``count`` bytes, one at a time: single bits and whole bytes by turns; name what was accepted."""
    found = []
    for number in range(count):
        at = random.randrange(len(specimen.raw))
        mask = 1 << random.randrange(8) if number % 2 else random.randrange(1, 256)
        changed = specimen.raw[:at] + bytes([specimen.raw[at] ^ mask]) + specimen.raw[at + 1 :]
        if ours(partial(specimen.ours, changed)) == "good":
            found.append(f"byte {at} becomes {changed[at : at + 1]!r}")
        if specimen.theirs is None or number % SECOND_EVERY:
            continue
        if verdict(partial(specimen.theirs, changed)) == "good":
            found.append(f"byte {at} becomes {changed[at : at + 1]!r}: accepted by the second verifier")
    return found


def files_of_a_log(small: Path, large: Path, folder: Path) -> Iterator[Specimen]:
    """Give a checkpoint, a policy, a proof, and tiles and bundles of every level, full and partial."""
    home = _exact(copy(small, folder / "small"))
    note = (home / "checkpoint").read_bytes()
    policy = second.read_policy(POLICY.format())
    yield Specimen(
        "checkpoint",
        note,
        lambda raw: POLICY.check(raw, now=AT),
        lambda raw: second.witnessed(raw, policy, AT.timestamp()),
    )
    root = alliance_root()
    yield Specimen("policy", (home / "policy").read_bytes(), lambda raw: check_policy_file(raw, root))
    yield _tlog_proof(home, note, policy)
    for path in (
        "tile/0/000",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/1",
    ):
        yield _walked(home, path)
    yield _checkpoint_walked(home)
    for path in LARGE_TILES:
        yield _tile(large, path)


def evidence_of_transfers(folder: Path) -> Iterator[Specimen]:
    """Give a transfer proof, as it lies on disk and unpacked, an excerpt, trust roots and fork proofs."""
    proof = evidence(folder).proof()
    signed = TrustFile.of(signed_root(), None)
    trust = Trust(signed.canonical())

    def ours(raw: bytes) -> None:
        verify_transfer(raw, None, signed, now=NOW)

    def theirs(raw: bytes) -> None:
        Transfer(raw, trust, NOW.timestamp())

    yield Specimen(".hwproof", proof, ours, theirs)
    yield Specimen(
        "JSON in a .hwproof", plain(proof), lambda raw: ours(pack(raw)), lambda raw: theirs(pack(raw))
    )
    both = TrustFile.of(signed_root(), signed_root().signed).canonical()
    yield Specimen("trust root", signed.canonical(), TrustFile.read, Trust)
    yield Specimen("trust root and view", both, TrustFile.read, Trust)
    yield Specimen(
        "signed root", signed_root().canonical(), lambda raw: SignedRoot.read(raw).require_signed(None)
    )
    for name, raw in {"of two sizes": RAW, "of one size": EQUAL, "at a power of two": POWER}.items():
        yield Specimen(
            f".hwfork {name}",
            raw,
            lambda raw: verify_fork(raw, [KEY]),
            lambda raw: check_fork(raw, [str(KEY)]),
        )
    yield _excerpt(proof, signed)


def alliance_root() -> TrustRoot:
    """Give a trust root that names the witnesses of the emitted log."""
    seeds = enumerate(WITNESSES, start=100)
    return TrustRoot(
        number=0,
        previous=None,
        issued_at=NOW,
        expires_at=None,
        threshold=1,
        quorum=QUORUM,
        logs=[TrustedLog(origin=SIGNER.name, vkey=str(SIGNER.verifier_key))],
        statement_keys=[TrustedKey(key=PROVIDER.public.text)],
        participants=[_participant(number, witness) for number, witness in seeds],
    ).checked()


def _participant(number: int, witness: Cosigner) -> TrustedParticipant:
    letters = f"{number:b}".replace("0", "a").replace("1", "b").rjust(12, "a")
    node = SigningKey.from_seed(bytes([number]) * 32)
    return TrustedParticipant(
        participant=f"p-{letters}",
        name=Text(zh="省", en="Province"),
        node_keys=[TrustedKey(key=node.public.text)],
        witness_keys=[TrustedWitness(vkey=str(witness.verifier_key))],
        root_key=None,
    )


def _exact(home: Path) -> Path:
    """Leave the log's signature and those of exactly a quorum on a checkpoint."""
    lines = (home / "checkpoint").read_bytes().splitlines(keepends=True)
    put(home / "checkpoint", b"".join(lines[: 4 + 1 + QUORUM]))
    return home


def _tlog_proof(home: Path, note: bytes, policy: second.Policy) -> Specimen:
    size = 257
    leaves = second.split_bundle((home / "tile/entries/000").read_bytes())
    reader = TileHashReader(lambda level, n, width: (home / tile_path(level, n, width)).read_bytes(), size)
    raw = TlogProof(100, tuple(inclusion_path(100, size, reader)), note).encode()

    def ours(changed: bytes) -> None:
        proof = TlogProof.parse(changed)
        proof.verify(leaf_hash(leaves[100]), POLICY.check(proof.checkpoint_note, now=AT).checkpoint)

    return Specimen(
        ".tlog-proof", raw, ours, lambda raw: second.check_proof(raw, leaves[100], policy, AT.timestamp())
    )


def _walked(home: Path, path: str) -> Specimen:
    """Judge a file of an export by walking the whole export."""
    good = (home / path).read_bytes()
    policy = second.read_policy(POLICY.format())
    tree, _ = second.witnessed((home / "checkpoint").read_bytes(), policy, AT.timestamp())

    def ours(changed: bytes) -> None:
        put(home / path, changed)
        try:
            walk(DirectorySource(home), Trusted(SIGNER.verifier_key, AT, POLICY)).require_sound()
        finally:
            put(home / path, good)

    def theirs(changed: bytes) -> None:
        second.walk(lambda name: changed if name == path else _read(home / name), tree)

    return Specimen(f"{path} of {SMALL}", good, ours, theirs)


def _checkpoint_walked(home: Path) -> Specimen:
    walked = _walked(home, "checkpoint")
    return Specimen(f"checkpoint of {SMALL}, walked", walked.raw, walked.ours)


def _tile(home: Path, path: str) -> Specimen:
    """Judge a tile of a large log as a reader does: by the root, and by a proof that leans on each hash."""
    level, n, _ = parse_tile_path(path)
    good = (home / path).read_bytes()
    root = second.read_checkpoint(second.read_note((home / "checkpoint").read_bytes())[0]).root

    def ours(changed: bytes) -> None:
        def load(*tile: int) -> bytes:
            name = tile_path(*tile)
            return changed if name == path else (home / name).read_bytes()

        at = next((place for place, byte in enumerate(good) if changed[place] != byte), 0)
        beside = (n * 256 + at // 32) ^ 1
        if (beside + 1) << 8 * level <= LARGE:
            index = beside << 8 * level
            bundle = home / "tile/entries" / f"{index // 256:03d}"
            full = bundle if bundle.is_file() else next(bundle.parent.glob(f"{bundle.name}.p/*"))
            leaf = second.split_bundle(full.read_bytes())[index % 256]
            path_ = inclusion_path(index, LARGE, TileHashReader(load, LARGE))
            verify_inclusion(leaf_hash(leaf), index, LARGE, path_, root)
        elif root_from(LARGE, TileHashReader(load, LARGE)) != root:
            raise Corrupt("another root")

    return Specimen(f"{path} of {LARGE}", good, ours)


def _excerpt(proof: bytes, signed: TrustFile) -> Specimen:
    out = io.BytesIO()
    verdict = verify_transfer(proof, None, signed, now=NOW)
    write_excerpt(out, io.BytesIO(DATA), proof, verdict, [(70_000, 70_001)])
    return Specimen(
        ".hwpart",
        out.getvalue(),
        lambda raw: verify_excerpt(io.BytesIO(raw), signed, now=NOW, keep=lambda _at, _piece: None),
    )


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
