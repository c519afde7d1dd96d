"""What our log emits, judged by five verifiers that Headwaters did not write: it holds, nothing else does."""

import collections
import shutil
from pathlib import Path

import pytest

from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import Cosigner
from audit.formats.merkle import consistency_path, inclusion_path
from audit.formats.note import NoteSigner, format_note
from audit.formats.quorum import WitnessPolicy
from audit.formats.tile import TileHashReader
from audit.keys.signing import SigningKey
from tests.audit import test_known_answer as known
from tests.audit.logs import SIGNER
from tests.audit.trees import MemoryTree, numbered
from tests.verifiers.emitted import AT, SIZES, WITNESSES, add_claims, copy, live_files, put
from tests.verifiers.judges import SIGSTORE, SIGSTORE_JS, TESSERA, Judge
from tests.verifiers.tampering import binary, seeded, tamperings

FLIPS = 16
SMALL = 257

pytestmark = pytest.mark.real


def _accepts(line: str, size: int) -> bool:
    return line.partition(",")[0] == f"OK {size} entries"


def test_everything_that_the_log_emits_is_accepted(judge: Judge, emitted: dict[int, Path]) -> None:
    """At every size at which tiles begin, fill or give way, the judge accepts all that it looks at."""
    verdicts = judge.ask(*(emitted[size] for size in SIZES))

    assert [size for size, line in zip(SIZES, verdicts, strict=True) if _accepts(line, size)] == list(SIZES)


def test_all_eight_signatures_are_verified(judge: Judge, emitted: dict[int, Path]) -> None:
    """Judges that know cosignatures verify those of all seven witnesses, beside the log's own."""
    verdict = judge.judge(emitted[SMALL])

    assert ("8 signatures" in verdict) == ("cosignatures" in judge.sees)


def test_nothing_that_was_changed_is_accepted(judge: Judge, emitted: dict[int, Path], tmp_path: Path) -> None:
    """Of some hundred changes to each part that the judge looks at, it rejects every one."""
    cases = [
        one for one in tamperings(emitted[SMALL], SMALL, seeded(judge.name), FLIPS) if one.part in judge.sees
    ]
    folders = []
    for number, case in enumerate(cases):
        folders.append(copy(emitted[SMALL], tmp_path / str(number)))
        case.apply(folders[-1])

    verdicts = judge.ask(*folders)

    assert [case.what for case, line in zip(cases, verdicts, strict=True) if line.startswith("OK")] == []
    assert {case.part for case in cases} == judge.sees
    assert min(collections.Counter(case.part for case in cases).values()) >= 8


def test_no_level_of_a_large_log_can_be_changed(
    judge: Judge, emitted: dict[int, Path], tmp_path: Path
) -> None:
    """In a log of 70,000, with tiles of three levels, a changed file of any level is rejected."""
    paths = [
        "tile/0/000",
        "tile/0/272",
        "tile/0/273.p/112",
        "tile/1/000",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]
    paths += ["tile/entries/200", "tile/entries/273.p/112"]
    assert set(paths) <= set(live_files(70_000))
    if "tiles" not in judge.sees:
        return
    home = copy(emitted[70_000], tmp_path / "log")
    for path in paths:
        good = (home / path).read_bytes()
        for case in list(binary(path, good, seeded(path), 0))[1:3]:
            case.apply(home)
            assert judge.judge(home).startswith("REJECTED"), case.what
        put(home / path, good)

    assert judge.judge(home).startswith("OK 70000 entries")


def test_a_log_with_another_root_is_rejected(judge: Judge, emitted: dict[int, Path], tmp_path: Path) -> None:
    """A checkpoint that log and witnesses did sign, over other entries, does not cover these."""
    home = copy(emitted[SMALL], tmp_path / "log")
    text = str(Checkpoint(SIGNER.name, SMALL, numbered(SMALL).root(SMALL)))
    lines = [SIGNER.sign(text), *(witness.cosign(text, AT) for witness in WITNESSES)]
    put(home / "checkpoint", format_note(text, lines))

    assert judge.judge(home).startswith("REJECTED")


def test_a_log_of_another_key_is_rejected(judge: Judge, emitted: dict[int, Path], tmp_path: Path) -> None:
    """The same tree under the same name, signed by a key that nobody pinned, is rejected."""
    home = copy(emitted[SMALL], tmp_path / "log")
    text = (home / "checkpoint").read_text().partition("\n\n")[0] + "\n"
    stranger = NoteSigner(SIGNER.name, SigningKey.from_seed(b"\x09" * 32))
    put(
        home / "checkpoint",
        format_note(text, [stranger.sign(text), *(one.cosign(text, AT) for one in WITNESSES)]),
    )

    assert judge.judge(home).startswith("REJECTED")


def test_a_cosignature_moved_from_another_checkpoint_is_rejected(
    judge: Judge, emitted: dict[int, Path], tmp_path: Path
) -> None:
    """A witness's signature over another checkpoint, or by another key of its name, is no cosignature."""
    home = copy(emitted[SMALL], tmp_path / "log")
    note = (home / "checkpoint").read_text()
    text = note.partition("\n\n")[0] + "\n"
    other = str(Checkpoint(SIGNER.name, 2, numbered(2).root(2)))
    impostor = Cosigner(WITNESSES[0].name, SigningKey.from_seed(b"\x09" * 32))
    for line in (WITNESSES[0].cosign(other, AT), impostor.cosign(text, AT)):
        put(home / "checkpoint", note.replace(WITNESSES[0].cosign(text, AT), line).encode())

        assert judge.judge(home).startswith("REJECTED" if "cosignatures" in judge.sees else "OK")


class _Prover:
    """Proves from a tree in memory."""

    def __init__(self, tree: MemoryTree) -> None:
        self._tree = tree
        self.root = tree.root

    def entry(self, index: int) -> bytes:
        return self._tree.entries[index]

    def inclusion_path(self, index: int, size: int) -> list[bytes]:
        return inclusion_path(index, size, TileHashReader(self._tree.tile, size))

    def consistency_path(self, old: int, new: int) -> list[bytes]:
        return consistency_path(old, new, TileHashReader(self._tree.tile, new))


def test_the_known_answer_is_accepted(judge: Judge, tmp_path: Path) -> None:
    """The published vector of 300 entries, whose every byte our tests fix, is sound to the judge."""
    text = str(known.CHECKPOINT)
    files = known.TREE.files(300)
    files["checkpoint"] = format_note(text, [known.LOG.sign(text), known.COSIGNER.cosign(text, known.AT)])
    policy = WitnessPolicy.k_of_n(known.LOG.verifier_key, {"sichuan": known.COSIGNER.verifier_key}, 1)
    files["policy"] = policy.format().encode()
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    add_claims(tmp_path, _Prover(known.TREE), 300, [known.LOG.verifier_key, known.COSIGNER.verifier_key])

    assert judge.judge(tmp_path).startswith("OK 300 entries")
    shutil.rmtree(tmp_path / "tile")
    assert judge.judge(tmp_path).startswith("REJECTED" if "tiles" in judge.sees else "OK")


def test_the_page_names_the_versions() -> None:
    """docs/reference/verifiers.md has the versions that the tests ask for."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "verifiers.md").read_text()
    modules = (Path(__file__).parent / "go" / "go.mod").read_text()
    names = {"golang.org/x/mod", "github.com/transparency-dev/formats", "github.com/transparency-dev/merkle"}
    found = {
        line.split()[0]: line.split()[1] for line in modules.splitlines() if line.strip().count(" ") == 1
    }

    for version in (TESSERA, SIGSTORE_JS, SIGSTORE, *(found[name] for name in names)):
        assert version in page
