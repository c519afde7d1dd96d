"""The report from an exchange's home or an exported log: it adds up, and what was meddled with is named."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from audit.formats.note import VerifierKey
from audit.formats.quorum import PolicyKey, WitnessPolicy
from audit.log.entry import EntryKind
from audit.log.export import export
from contracts.clock import BEIJING
from contracts.errors import Refused
from contracts.messages import MemberStatus
from exchange.completeness.reconciling import Report, reconcile_folder
from exchange.log.home import NoLogHere
from exchange.transfers.expiry import expire_grants
from tests.exchange.completeness.cases import complete, count, cut, half, lines_of
from tests.exchange.trading import START, Trade

SWAP = """UPDATE node_count SET envelope = (
    SELECT envelope FROM node_count AS other WHERE other.participant <> node_count.participant
)"""


def report(trade: Trade, later: timedelta = timedelta()) -> Report:
    """Reconcile the exchange's home, while its process runs."""
    alliance = trade.alliance
    return reconcile_folder(alliance.parts.settings.home, None, now=alliance.clock.now() + later)


def counted(trade: Trade) -> None:
    """Let one release move, cut, and let both sides count it."""
    moved = complete(trade)
    at = cut(trade)
    count(trade, trade.provider, at, lines_of("provider", moved))
    count(trade, trade.consumer, at, lines_of("consumer", moved))


def meddle(trade: Trade, statement: str) -> None:
    """Change the database behind the exchange's back."""
    with trade.alliance.parts.database.write_connection() as connection:
        connection.execute(text(statement))


def codes(found: Report) -> set[str]:
    """Give the codes of what does not fit."""
    return {one.code for one in found.problems}


def test_a_true_log_reconciles(trade: Trade) -> None:
    """Every grant has one end, refusals are asked for too, and both sides' counts agree."""
    counted(trade)
    half(trade, release=2)
    alliance = trade.alliance
    alliance.clock.advance(700)
    alliance.run(expire_grants(alliance.parts))
    with pytest.raises(Refused):  # it owes the receipt for release 2
        alliance.request(trade.consumer, trade.subscription)
    found = report(trade)

    (row,) = found.days
    assert found.ok
    assert (row.provider, row.consumer) == (trade.provider.id, trade.consumer.id)
    assert (row.asked, row.denied, row.granted, row.done, row.expired) == (3, 1, 2, 1, 1)
    assert row.day == alliance.clock.now().astimezone(BEIJING).date()
    assert found.facts()["ok"] is True


def test_a_day_can_be_asked_for(trade: Trade) -> None:
    """One day shows what was granted on it, in Beijing time."""
    counted(trade)
    day = trade.alliance.clock.now().astimezone(BEIJING).date()
    home, now = trade.alliance.parts.settings.home, trade.alliance.clock.now()

    assert len(reconcile_folder(home, day, now=now).days) == 1
    assert reconcile_folder(home, day + timedelta(days=2), now=now).days == ()


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE transfer SET state = 'expired'", "row-differs"),
        ("DELETE FROM transfer", "row-missing"),
        ("UPDATE node_count SET envelope = NULL", "count-not-kept"),
        ("UPDATE node_count SET envelope = replace(envelope, 'keyid\":\"', 'keyid\":\"x')", "count-forged"),
        (
            SWAP,
            "count-forged",
        ),
    ],
)
def test_rows_that_were_meddled_with_are_named(trade: Trade, statement: str, code: str) -> None:
    """What the exchange keeps beside the log must say what the log says."""
    counted(trade)
    meddle(trade, statement)

    assert code in codes(report(trade))


def test_a_count_that_differs_is_named(trade: Trade) -> None:
    """A node's count that does not fit the log fails the report, by its totals and by its lines."""
    moved = complete(trade)
    at = cut(trade)
    longer = (moved[0], moved[1].model_copy(update={"view_size_bytes": 5}))
    count(trade, trade.provider, at, lines_of("provider", longer))
    count(trade, trade.consumer, at, [])
    found = report(trade)

    assert [(one.code, one.about) for one in found.problems] == [
        ("count-differs", trade.consumer.id),
        ("count-differs", trade.provider.id),
        ("count-differs", trade.consumer.id),
    ]
    assert not found.ok


def test_a_count_that_is_overdue_is_named(trade: Trade) -> None:
    """A day after the cut, whoever has not counted is missing, and the report fails."""
    complete(trade)
    cut(trade)
    early = report(trade)
    late = report(trade, timedelta(days=1, seconds=1))

    assert early.ok
    assert {name for _, name in late.missing} == {trade.provider.id, trade.consumer.id}
    assert not late.ok


def test_an_exported_log_reconciles_without_the_exchange(trade: Trade, tmp_path: Path) -> None:
    """From entries alone an auditor comes to the same days and windows; refusals have no provider there."""
    counted(trade)
    alliance = trade.alliance
    alliance.set_status(trade.consumer, MemberStatus.ACTIVE)
    key = VerifierKey.parse(alliance.parts.log.shard().vkey)
    export(alliance.parts.log, tmp_path / "1", WitnessPolicy((PolicyKey(key),), {}, {}, None))
    found = reconcile_folder(tmp_path, None, now=alliance.clock.now())

    assert found.ok
    assert found.days == report(trade).days
    assert found.windows == report(trade).windows
    assert found.entries == len(alliance.entries())
    assert alliance.entries(EntryKind.COUNT)


def test_an_empty_folder_is_no_log(tmp_path: Path) -> None:
    """A folder without a log says so."""
    with pytest.raises(NoLogHere):
        reconcile_folder(tmp_path, None, now=START)
