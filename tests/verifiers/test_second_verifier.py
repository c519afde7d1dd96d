"""Two verifiers, written apart, say the same of every log and proof, good or bad."""

import ast
import base64
import json
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import (
    consistency_path,
    inclusion_path,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from audit.formats.note import NoteInvalid, parse_note
from audit.formats.proof import TlogProof
from audit.formats.quorum import WitnessPolicy
from audit.walk.fsck import Trusted, walk
from audit.walk.log_source import DirectorySource
from tests.audit import test_known_answer as known
from tests.audit.logs import SIGNER
from tests.audit.trees import numbered
from tests.verifiers import second
from tests.verifiers.emitted import AT, POLICY, SIZES, copy, put
from tests.verifiers.first import ours
from tests.verifiers.second import Tree
from tests.verifiers.second_trust import verdict
from tests.verifiers.tampering import seeded, tamperings

HERE = Path(__file__).parent
SMALL = 257
TREE = numbered(300)
POLICY_TEXT = POLICY.format()
NOW = AT.timestamp()


def walked(home: Path) -> str:
    """Give our fsck's word on an export."""
    return ours(lambda: walk(DirectorySource(home), Trusted(SIGNER.verifier_key, AT, POLICY)).require_sound())


def walked_apart(home: Path) -> str:
    """Give the second verifier's word on an export."""

    def read(name: str) -> bytes | None:
        return (home / name).read_bytes() if (home / name).is_file() else None

    def check() -> None:
        note = (home / "checkpoint").read_bytes()
        tree, _ = second.witnessed(note, second.read_policy(POLICY_TEXT), NOW)
        second.walk(read, tree)

    return verdict(check)


def test_it_shares_nothing_with_what_it_judges() -> None:
    """The second verifier imports the standard library, ``cryptography`` and itself."""
    names = set()
    for path in HERE.glob("second*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module or "")

    foreign = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {
        name for name in foreign if not name.startswith(("cryptography.", "tests.verifiers.second"))
    } == set()


def test_the_known_answer_holds() -> None:
    """It accepts the published vector: checkpoint, cosignature and tiles."""
    text = str(known.CHECKPOINT)
    note = (text + "\n" + known.LOG.sign(text) + known.COSIGNER.cosign(text, known.AT)).encode()
    policy = WitnessPolicy.k_of_n(known.LOG.verifier_key, {"sichuan": known.COSIGNER.verifier_key}, 1)
    tree, cosigned = second.witnessed(note, second.read_policy(policy.format()), known.AT.timestamp())

    second.walk(known.TREE.files(300).get, tree)

    assert (tree.origin, tree.size, tree.root) == (known.ORIGIN, 300, known.TREE.root(300))
    assert cosigned == {"sichuan": 1_795_310_000}


@pytest.mark.parametrize("size", SIZES)
def test_both_accept_what_the_log_emits(emitted: dict[int, Path], size: int) -> None:
    """At every size both walk the export to its root, and accept every proof."""
    home = emitted[size]
    claims = json.loads((home / "proofs.json").read_text())
    policy = second.read_policy(POLICY_TEXT)
    tree, _ = second.witnessed((home / "checkpoint").read_bytes(), policy, NOW)
    for claim in claims["Inclusion"]:
        leaf = base64.b64decode(claim["Leaf"])
        assert len(second.check_proof(claim["File"].encode(), leaf, policy, NOW)) == 7
    for claim in claims["Consistency"]:
        old = Tree(tree.origin, claim["Old"], base64.b64decode(claim["Root"]))
        second.check_consistency(old, tree, [base64.b64decode(one) for one in claim["Path"]])

    assert (walked(home), walked_apart(home)) == ("good", "good")


def test_both_say_the_same_of_every_tampering(emitted: dict[int, Path], tmp_path: Path) -> None:
    """Whatever is changed, both reject it; or neither does, where a spare cosignature is spoilt."""
    home = copy(emitted[SMALL], tmp_path / "log")
    parts = {"checkpoint", "log's name", "cosignatures", "tiles", "bundles"}
    cases = [one for one in tamperings(home, SMALL, seeded("second"), 20) if one.part in parts]
    different, accepted = [], set()
    for case in cases:
        good = (home / case.path).read_bytes()
        case.apply(home)
        words = (walked(home), walked_apart(home))
        different += [case.what] if (words[0] == "good") != (words[1] == "good") else []
        accepted |= {case.part} if words[0] == "good" else set()
        (home / case.path).unlink(missing_ok=True)
        (home / case.path).write_bytes(good)

    assert different == []
    assert accepted <= {"cosignatures"}
    assert len(cases) > 300


def test_both_count_the_quorum_alike(emitted: dict[int, Path], tmp_path: Path) -> None:
    """Five cosignatures of seven are enough to both, four are too few, and none counts from the future."""
    note = (emitted[SMALL] / "checkpoint").read_bytes()
    lines = note.splitlines(keepends=True)
    policy = second.read_policy(POLICY_TEXT)
    for count in range(8):
        fewer = b"".join(lines[: 5 + count])
        for early in (0, 5, 6):
            words = (
                ours(partial(POLICY.check, fewer, now=AT - timedelta(seconds=early))),
                verdict(partial(second.witnessed, fewer, policy, NOW - early)),
            )
            expected = "good" if count >= 5 and early <= 5 else "undecided"
            assert words == (expected, expected), (count, early)


@given(st.data())
def test_both_judge_inclusion_alike(data: st.DataObject) -> None:
    """For every index and size up to 300, and every path that is nearly right, both say the same."""
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    path = _meddled(data, inclusion_path(index, size, TREE))
    claimed, claimed_size = data.draw(st.sampled_from([(index, size), (index + 1, size), (index, size + 1)]))
    leaf, root = leaf_hash(TREE.entries[index]), TREE.root(size)

    word = verdict(lambda: second.check_inclusion(leaf, claimed, path, Tree("o", claimed_size, root)))

    assert word == ours(lambda: verify_inclusion(leaf, claimed, claimed_size, path, root))
    if (claimed, claimed_size) == (index, size) and path == inclusion_path(index, size, TREE):
        assert word == "good"


@given(st.data())
def test_both_judge_consistency_alike(data: st.DataObject) -> None:
    """For every two sizes up to 300, and every path that is nearly right, both say the same."""
    new = data.draw(st.integers(0, 300))
    old = data.draw(st.integers(0, new))
    path = _meddled(data, consistency_path(old, new, TREE))
    before, after = TREE.root(old), TREE.root(data.draw(st.sampled_from([new, new, old])))

    word = verdict(lambda: second.check_consistency(Tree("o", old, before), Tree("o", new, after), path))

    assert word == ours(lambda: verify_consistency(old, new, path, before, after))


def _meddled(data: st.DataObject, path: list[bytes]) -> list[bytes]:
    match data.draw(st.sampled_from(["leave", "drop", "add", "turn", "change"])):
        case "drop":
            return path[:-1]
        case "add":
            return [*path, bytes(32)]
        case "turn":
            return path[::-1]
        case "change" if path:
            at = data.draw(st.integers(0, len(path) - 1))
            return [*path[:at], bytes(32), *path[at + 1 :]]
        case _:
            return path


_WORDS = ["log", "witness", "group", "quorum", "none", "any", "all", "2", "a", "b", "c", "#", "\t", ""]
_WORDS += [str(SIGNER.verifier_key), *(str(one.key) for one in POLICY.witnesses.values())]


@given(st.lists(st.lists(st.sampled_from(_WORDS), max_size=5).map(" ".join), max_size=7).map("\n".join))
def test_both_read_policies_alike(text: str) -> None:
    """Whatever words a policy file puts together, both read it or both refuse it."""
    lines = f"log {SIGNER.verifier_key}\nwitness a {_WORDS[-1]}\nwitness b {_WORDS[-2]}\n{text}\n"

    for one in (text, lines, lines + "quorum a\n"):
        assert verdict(partial(second.read_policy, one)) == ours(partial(WitnessPolicy.parse, one))


@given(st.data())
def test_both_read_notes_alike(data: st.DataObject) -> None:
    """Whatever piece of a checkpoint is cut, doubled or exchanged, both read it or both refuse it."""
    text = str(Checkpoint(SIGNER.name, 7, TREE.root(7)))
    raw = (text + "\n" + SIGNER.sign(text)).encode()
    pieces = [
        b"\n",
        b"\n\n",
        b" ",
        b"\xe2\x80\x94 ",
        b"0",
        b"=",
        b"+",
        b"\x00",
        b"\xff",
        b"\xc2\x85",
        b"x y\n",
    ]
    at = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(at, min(len(raw), at + 3)))
    changed = raw[:at] + data.draw(st.sampled_from([b"", *pieces])) + raw[end:]
    key = second.read_key(str(SIGNER.verifier_key))

    def read() -> Checkpoint:
        note = parse_note(changed)
        if not note.verified([SIGNER.verifier_key]):
            raise NoteInvalid("not signed")
        return Checkpoint.parse(note.text)

    assert verdict(lambda: second.log_signed(changed, key)) == ours(read)


@given(st.binary(max_size=200), st.integers(0, 300))
def test_both_read_proof_files_alike(noise: bytes, at: int) -> None:
    """Whatever stands in a proof file's place, both read the same from it or both refuse it."""
    raw = TlogProof(3, tuple(inclusion_path(3, 300, TREE)), b"note\n").encode()
    for one in (noise, raw[:at] + noise + raw[at:], raw):
        assert verdict(partial(second.read_proof, one)) == ours(partial(TlogProof.parse, one))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("tile/0/000", b"x"),
        ("tile/0/000", bytes(32)),
        ("tile/0/001.p/1", bytes(32)),
        ("tile/1/000.p/1", b"x"),
        ("tile/entries/000", b"\x00\x00"),
        ("tile/entries/001.p/1", b"\x00\x01x"),
        ("tile/entries/001.p/1", b"x"),
    ],
)
def test_a_file_holds_no_more_than_its_name_says(
    emitted: dict[int, Path], tmp_path: Path, name: str, more: bytes
) -> None:
    """Both refuse a tile or bundle with something behind its end, even where no size reaches it."""
    home = copy(emitted[SMALL], tmp_path / "log")
    put(home / name, (home / name).read_bytes() + more)

    assert (walked(home), walked_apart(home)) == ("bad", "bad")


def test_a_partial_tile_may_have_given_way(emitted: dict[int, Path], tmp_path: Path) -> None:
    """Both read the full tile where the partial one of a smaller log is gone."""
    home = copy(emitted[255], tmp_path / "log")
    for name in ("tile/0/000", "tile/entries/000"):
        (home / f"{name}.p/255").unlink()
        (home / name).write_bytes((emitted[256] / name).read_bytes())

    assert (walked(home), walked_apart(home)) == ("good", "good")
    put(home / "tile/0/000", bytes(8192))
    assert (walked(home), walked_apart(home)) == ("bad", "bad")
