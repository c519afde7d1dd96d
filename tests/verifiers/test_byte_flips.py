"""More than ten thousand flipped bytes, over every kind of file that is evidence: none is accepted."""

from functools import partial
from pathlib import Path

import pytest

from tests.audit.logs import SIGNER
from tests.verifiers.emitted import AT, POLICY, QUORUM, WITNESSES
from tests.verifiers.first import ours
from tests.verifiers.second_trust import verdict
from tests.verifiers.specimens import LARGE, SMALL, Specimen, accepted, evidence_of_transfers, files_of_a_log
from tests.verifiers.tampering import flip, seeded

FLIPS = {
    "checkpoint": 1500,
    "policy": 1000,
    ".tlog-proof": 1000,
    "tile/0/000 of 257": 300,
    "tile/0/001.p/1 of 257": 64,
    "tile/1/000.p/1 of 257": 64,
    "tile/entries/000 of 257": 300,
    "tile/entries/001.p/1 of 257": 200,
    "checkpoint of 257, walked": 150,
    "tile/0/000 of 70000": 500,
    "tile/0/200 of 70000": 500,
    "tile/0/273.p/112 of 70000": 500,
    "tile/1/000 of 70000": 500,
    "tile/1/001.p/17 of 70000": 500,
    "tile/2/000.p/1 of 70000": 100,
    ".hwproof": 1000,
    "JSON in a .hwproof": 700,
    "trust root": 700,
    "trust root and view": 300,
    "signed root": 700,
    ".hwfork of two sizes": 300,
    ".hwfork of one size": 300,
    ".hwfork at a power of two": 300,
    ".hwpart": 300,
}


@pytest.fixture(scope="module")
def specimens(emitted: dict[int, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Specimen]:
    """Give one sound file of every kind."""
    folder = tmp_path_factory.mktemp("specimens")
    found = [*files_of_a_log(emitted[SMALL], emitted[LARGE], folder), *evidence_of_transfers(folder)]
    return {one.name: one for one in found}


def test_ten_thousand_bytes_are_flipped() -> None:
    """The counts below add up to more than ten thousand."""
    assert sum(FLIPS.values()) > 10_000


def test_every_specimen_is_sound_and_counted(specimens: dict[str, Specimen]) -> None:
    """Each file is accepted as it stands, by both verifiers, so that a refusal means something."""
    words = {name: ours(partial(one.ours, one.raw)) for name, one in specimens.items()}
    seconds = {name: verdict(partial(one.theirs, one.raw)) for name, one in specimens.items() if one.theirs}

    assert words == dict.fromkeys(FLIPS, "good")
    assert set(seconds.values()) == {"good"}


@pytest.mark.parametrize("name", list(FLIPS))
def test_no_flipped_byte_is_accepted(specimens: dict[str, Specimen], name: str) -> None:
    """No byte of the file can be changed, not even into another spelling of the same meaning."""
    assert accepted(specimens[name], FLIPS[name], seeded(name)) == []


def test_a_spare_cosignature_spoilt_is_never_counted(emitted: dict[int, Path]) -> None:
    """With cosignatures to spare, a spoilt name or key id makes a stranger of a witness, who is not counted.

    That a verifier ignores strangers is signed-note's rule; the verdict then names one witness fewer.
    """
    note, random = (emitted[SMALL] / "checkpoint").read_bytes(), seeded("spare")
    assert len(POLICY.check(note, now=AT).cosignatures) == len(WITNESSES)
    counts = set()
    for _ in range(1000):
        changed = flip(note, random.randrange(len(note)), random)
        if ours(partial(POLICY.check, changed, now=AT)) == "good":
            counts.add(len(POLICY.check(changed, now=AT).cosignatures))

    assert counts == {len(WITNESSES) - 1}
    assert len(WITNESSES) > QUORUM
    assert SIGNER.name.encode() in note
