"""The auditor's search finds entries by kind, participant and time, in a database and in an exported copy."""

from datetime import timedelta
from pathlib import Path

import pytest

from audit.log.entry import EntryKind
from contracts.canonical import canonical_bytes
from contracts.errors import HeadwatersError
from contracts.messages import ReceiptRole
from exchange.log.home import NoLogHere
from exchange.log.offline import export_folder
from exchange.reports.search import Search, search
from tests.exchange.trading import START, Alliance, Trade


@pytest.fixture
def home(alliance: Alliance, trade: Trade) -> Path:
    """Give the home of an exchange with one finished transfer, an hour after everything else."""
    alliance.clock.advance(3600)
    logged = alliance.request(trade.consumer, trade.subscription)
    given = alliance.receipt(trade.provider, ReceiptRole.PROVIDER, logged)
    taken = alliance.receipt(trade.consumer, ReceiptRole.CONSUMER, logged)
    alliance.deliver(trade.consumer, logged, given, taken)
    return alliance.parts.settings.home


def kinds(home: Path, **wanted: object) -> list[str]:
    """Search and give the kinds found."""
    return [row["kind"] for row in search(home, Search(**wanted))]  # type: ignore[arg-type]  # one test each


def test_the_newest_entries_come_first(home: Path) -> None:
    """Without conditions the newest entries are shown, as many as asked for."""
    assert kinds(home, limit=2) == ["done", "grant"]


def test_entries_are_found_by_kind(home: Path) -> None:
    """Only entries of the kind are found."""
    assert kinds(home, kind=EntryKind.RELEASE_PUBLISH) == ["release.publish"] * 2


def test_entries_are_found_by_participant(home: Path, trade: Trade) -> None:
    """An entry is found by whichever side it names; other participants' entries are not."""
    consumer = kinds(home, participant=trade.consumer.id)
    provider = kinds(home, participant=trade.provider.id)

    assert set(consumer) == {"grant", "agreement", "application.open"}
    assert {"release.publish", "dataset.publish", "grant"} <= set(provider)
    assert kinds(home, participant="p-nobodyxxxxxx") == []


def test_entries_are_found_by_time(home: Path) -> None:
    """The start is included and the end is not."""
    later = START + timedelta(hours=1)

    assert kinds(home, since=later) == ["done", "grant"]
    assert "grant" not in kinds(home, until=later)
    assert kinds(home, since=START - timedelta(hours=1), until=START) == [
        "directory",
        "policy.activate",
        "shard.open",
    ]


def test_an_exported_copy_gives_the_same_answer(home: Path, tmp_path: Path, trade: Trade) -> None:
    """A mirror or an export is searched like the database, without anybody's names."""
    export_folder(home, tmp_path / "copy")
    for wanted in (
        Search(),
        Search(kind=EntryKind.GRANT),
        Search(participant=trade.consumer.id, limit=2),
        Search(since=START + timedelta(hours=1)),
    ):
        here = [(row["index"], row["fields"]) for row in search(home, wanted)]

        assert [(row["index"], row["fields"]) for row in search(tmp_path / "copy", wanted)] == here


def test_a_row_shows_beijing_time_and_names(home: Path) -> None:
    """Time is UTC+8, the kind has a Chinese name, and participants are named as the exchange knows them."""
    row = search(home, Search(kind=EntryKind.GRANT))[0]

    assert (row["time"], row["at"]) == ("2026-03-02 10:00:00", "2026-03-02T02:00:00.000Z")
    assert row["what"] == {"zh": "授权", "en": "grant"}
    assert [who.split()[0] for who in row["who"]] == ["某省", "某省"]
    assert row["says"] == ["seq=1"]
    canonical_bytes(row["fields"])


def test_a_folder_without_a_log_is_named(tmp_path: Path) -> None:
    """A folder that holds no log is no empty log."""
    with pytest.raises(NoLogHere):
        search(tmp_path, Search())
    with pytest.raises(HeadwatersError):
        search(tmp_path / "nowhere", Search())
