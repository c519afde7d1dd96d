"""One log, byte for byte: what Go's note and tlog and Tessera's fsck have accepted stays as it is."""

import base64
from datetime import UTC, datetime

from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import Cosigner
from audit.formats.merkle import consistency_path, inclusion_path, verify_consistency, verify_inclusion
from audit.formats.note import NoteSigner, format_note, parse_note
from audit.formats.proof import TlogProof
from audit.formats.quorum import WitnessPolicy
from audit.keys.signing import SigningKey
from tests.audit.trees import numbered

ORIGIN = "audit.alliance.example/2026h1"
WITNESS = "witness.sichuan.example/w1"
AT = datetime.fromtimestamp(1_795_310_000, UTC)
LOG_LINE = "Sq3e/t/9Xwj/I/GMcUBvNIy4f3FUbEVpYGVHyw2eijj48+Dsa9wz4epQ6fZVJvChXDvADR4yLHWpVS/XQjO72w113AI="
COSIGNATURE = (
    "oqWcfgAAAABrAkGwY2hDgaqwQWxm3P3+aBgOeeXgLi+I1/CL5yFQTrb/E837JUw9P+HXaOQInrJlgK42xDBRukGRMHEofBHTNkDyAQ=="
)

TREE = numbered(300)
LOG = NoteSigner(ORIGIN, SigningKey.from_seed(b"\x01" * 32))
COSIGNER = Cosigner(WITNESS, SigningKey.from_seed(b"\x02" * 32))
CHECKPOINT = Checkpoint(ORIGIN, 300, TREE.root(300))


def test_roots() -> None:
    """The roots of 300 and of 7 entries are the known ones."""
    expected = {
        300: "yjk9Apa+xeC43KuYO9H7fRRh9RLnJny4ljGtJv1m2Eg=",
        7: "mMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=",
        0: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    }

    assert {size: base64.b64encode(TREE.root(size)).decode() for size in expected} == expected


def test_verifier_keys() -> None:
    """The log's and the witness's verifier keys are the known ones."""
    assert str(LOG.verifier_key) == (
        "audit.alliance.example/2026h1+4aaddefe+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
    )
    assert str(COSIGNER.verifier_key) == (
        "witness.sichuan.example/w1+a2a59c7e+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU"
    )


def test_signature_lines() -> None:
    """The log's line and the cosignature are the known ones."""
    assert LOG.sign(str(CHECKPOINT)) == f"— {ORIGIN} {LOG_LINE}\n"
    assert COSIGNER.cosign(str(CHECKPOINT), AT) == f"— {WITNESS} {COSIGNATURE}\n"


def test_the_whole_checkpoint() -> None:
    """The note of both lines parses, and satisfies a policy of one witness."""
    text = str(CHECKPOINT)
    note = format_note(text, [LOG.sign(text), COSIGNER.cosign(text, AT)])
    policy = WitnessPolicy.k_of_n(LOG.verifier_key, {"sichuan": COSIGNER.verifier_key}, 1)
    witnessed = policy.check(note, now=AT)

    assert parse_note(note).encode() == note
    assert witnessed.checkpoint == CHECKPOINT
    assert [one.timestamp_seconds for one in witnessed.cosignatures] == [1_795_310_000]


def test_files() -> None:
    """The static log consists of exactly these tiles and bundles."""
    assert sorted(TREE.files(300)) == [
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/44",
    ]


def test_proofs() -> None:
    """The inclusion of 256 takes 7 hashes and the consistency of 7 with 300 takes 10; both verify."""
    inclusion = inclusion_path(256, 300, TREE)
    consistency = consistency_path(7, 300, TREE)
    verify_inclusion(TREE(0, 256), 256, 300, inclusion, TREE.root(300))
    verify_consistency(7, 300, consistency, TREE.root(7), TREE.root(300))

    assert (len(inclusion), len(consistency)) == (7, 10)


def test_proof_file() -> None:
    """The proof file of entry 256 reads back, and its checkpoint leads to the leaf."""
    note = format_note(str(CHECKPOINT), [LOG.sign(str(CHECKPOINT))])
    raw = TlogProof(256, tuple(inclusion_path(256, 300, TREE)), note).encode()
    proof = TlogProof.parse(raw)
    proof.verify(TREE(0, 256), Checkpoint.parse(parse_note(proof.checkpoint_note).text))

    assert raw.startswith(b"c2sp.org/tlog-proof@v1\nindex 256\n")
    assert raw.endswith(b"\n\n" + note)
