"""Service levels: what releases show beside what the contract promises."""

from datetime import UTC, datetime, timedelta

from contracts.identifiers import Kind, new_id
from contracts.messages import (
    ContractRef,
    Counts,
    Distribution,
    Manifest,
    QualityNote,
    SourceNote,
)
from contracts.promises import ServiceLevels
from contracts.quality.levels import Level, measure

START = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DIGEST = "sha256:" + "0" * 64


def release(number: int, at: datetime, note: QualityNote | None) -> Manifest:
    """Write a manifest as of ``at``."""
    return Manifest(
        dataset="air",
        provider=new_id(Kind.PARTICIPANT),
        number=number,
        previous=None if number == 1 else DIGEST,
        contract=ContractRef(id="air", version="1.0.0", digest=DIGEST),
        distribution=Distribution(
            media_type="application/vnd.apache.parquet", sha256=DIGEST, chunk_root=DIGEST, size_bytes=1
        ),
        counts=Counts(read=1, published=1, quarantined=0),
        source=SourceNote(file_name="a", sha256=DIGEST, place="a", synthetic=False),
        at=at,
        quality=note,
    )


def note(expected: int | None, present: int | None, latency: int | None) -> QualityNote:
    """Write what a manifest says of a release's quality."""
    return QualityNote(report=DIGEST, expected=expected, present=present, until=None, latency_seconds=latency)


RELEASES = [
    release(1, START, note(100, 100, 600)),
    release(2, START + HOUR, note(100, 89, 900)),
    release(3, START + 4 * HOUR, None),
]


def test_levels_are_the_worst_of_all_releases() -> None:
    """The longest wait, the longest latency, and the share of all records that were to be there."""
    promised = ServiceLevels(frequency_seconds=7200, latency_seconds=900, completeness_percent=95)

    levels = measure(promised, RELEASES, START + 5 * HOUR)

    assert [(one.level, one.measured, one.kept) for one in levels] == [
        (Level.FREQUENCY, 3 * 3600, False),
        (Level.LATENCY, 900, True),
        (Level.COMPLETENESS, 94, False),
    ]


def test_a_feed_that_stopped_is_late_now() -> None:
    """The wait since the newest release counts, so silence is no good service."""
    promised = ServiceLevels(frequency_seconds=4 * 3600)

    assert measure(promised, RELEASES, START + 9 * HOUR)[0].kept is False
    assert measure(promised, RELEASES, START + 8 * HOUR)[0].kept is True


def test_what_was_not_promised_or_not_measured_is_neither_kept_nor_broken() -> None:
    """Unknown is said as unknown."""
    assert {one.kept for one in measure(None, RELEASES, START + 5 * HOUR)} == {None}
    assert [one.measured for one in measure(None, [], START)] == [None, None, None]
    nothing = [release(1, START, note(None, None, None))]
    promised = ServiceLevels(latency_seconds=1, completeness_percent=100)
    assert [one.kept for one in measure(promised, nothing, START)] == [None, None, None]
