"""The journal on a real disk: segments only grow, numbers only rise, and writes are shared."""

import asyncio
from pathlib import Path

import pytest

from nodes.stations import journal as journal_module
from nodes.stations.journal import GroupCommit, Journal, JournalFull, number_of, segments
from tests.nodes.stations.hearing import CLOCK


def test_each_start_begins_a_segment(tmp_path: Path) -> None:
    """What an earlier process left is closed, also an empty segment, and the numbers go on."""
    for content in (b"one", b"", b"three"):
        journal = Journal(tmp_path, CLOCK)
        if content:
            journal.append([content])
        journal.close()
    last = Journal(tmp_path, CLOCK)

    assert [path.read_bytes() for path in last.closed()] == [b"one", b"", b"three"]
    assert [number_of(path) for path in segments(tmp_path)] == [1, 2, 3, 4]
    last.close()


def test_a_full_segment_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment ends by itself at its size, so that none is too large to be read at once."""
    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 10)
    journal = Journal(tmp_path, CLOCK)
    for _ in range(3):
        journal.append([b"12345", b"67890"])

    assert [path.read_bytes() for path in journal.closed()] == [b"1234567890"] * 3
    journal.close()


def test_a_removed_segment_makes_room(tmp_path: Path) -> None:
    """The limit is on what waits; what was taken counts no more, and may be kept beside."""
    journal = Journal(tmp_path, CLOCK, max_bytes=10)
    journal.append([b"12345678"])
    with pytest.raises(JournalFull):
        journal.append([b"901"])
    journal.close_segment()
    (segment,) = journal.closed()
    journal.remove(segment, tmp_path / "kept")
    journal.append([b"901"])

    assert (tmp_path / "kept" / segment.name).read_bytes() == b"12345678"
    assert journal.closed() == []
    journal.close()


def test_numbers_do_not_come_again(tmp_path: Path) -> None:
    """A new journal counts on from what is kept, for numbers name what was handed over."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "00000041.hj212").touch()
    journal = Journal(tmp_path, CLOCK)

    assert [number_of(path) for path in segments(tmp_path)] == [42]
    journal.close()


def test_only_segments_have_numbers(tmp_path: Path) -> None:
    """Other files of the folder are none of its segments."""
    (tmp_path / "notes.txt").touch()
    assert segments(tmp_path) == segments(tmp_path / "nowhere") == []
    with pytest.raises(ValueError, match="no segment"):
        number_of(tmp_path / "notes.txt")


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    """An append after close is an error, never a write into whatever file came next."""
    journal = Journal(tmp_path, CLOCK)
    journal.close()
    journal.close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        journal.append([b"x"])


class CountingJournal(Journal):
    """A journal that counts its writes."""

    writes = 0

    def append(self, frames: object) -> None:
        self.writes += 1
        super().append(frames)  # type: ignore[arg-type]  # handed on as it came


def test_those_who_wait_together_share_a_write(tmp_path: Path) -> None:
    """Two hundred appends at one moment cost a few writes, and each is on disk when it returns."""
    journal = CountingJournal(tmp_path, CLOCK)

    async def story() -> None:
        commit = GroupCommit(journal)
        await asyncio.gather(*(commit.append(b"%03d;" % number) for number in range(200)))

    asyncio.run(story())

    assert sorted(segments(tmp_path)[0].read_bytes().split(b";")[:-1]) == [b"%03d" % n for n in range(200)]
    assert journal.writes <= 2
    journal.close()
