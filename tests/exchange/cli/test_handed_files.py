"""Files that somebody hands over are read up to a limit, whatever they are."""

from pathlib import Path

import pytest

from contracts.errors import Usage
from exchange.cli import audit, auditor


def test_a_file_larger_than_any_proof_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too large is refused; of an excerpt, as large as data are, only the beginning is read."""
    monkeypatch.setattr(auditor, "MAX_FILE_BYTES", 64)
    proof, part = tmp_path / "a.hwproof", tmp_path / "a.hwpart"
    proof.write_bytes(b"?" * 65)
    part.write_bytes(b"headwaters-excerpt/v1\n" + b"?" * 99)

    with pytest.raises(Usage):
        auditor.read_file(proof)
    assert len(auditor.read_file(part)) == 65


def test_an_option_that_means_nothing_here_is_refused(tmp_path: Path) -> None:
    """A check that a file knows nothing of is refused, not left out; so is writing what is not there."""
    proof, part, data = tmp_path / "a.hwproof", tmp_path / "a.hwpart", tmp_path / "data.csv"
    proof.write_bytes(b"?")
    part.write_bytes(b"headwaters-excerpt/v1\n")
    data.write_bytes(b"1\n")

    with pytest.raises(Usage):
        audit.verify(part, file=data)
    with pytest.raises(Usage):
        audit.verify(proof, to=tmp_path / "out")
