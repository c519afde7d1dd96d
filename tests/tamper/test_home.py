"""``headwaters audit fsck`` on an exchange's home, an archive and a mirror: what it names after tampering."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from audit.log.entry import EntryKind
from contracts.messages import ReceiptRole
from exchange.log.kept import CopyDamaged
from exchange.log.offline import fsck_folder
from tests.exchange.trading import Trade, alliance, exchange_home, grant_of, trade
from tests.tamper.attacker import ATTACKS, Attack, Power, mirror
from tests.tamper.conftest import Scene

__all__ = ["alliance", "exchange_home", "trade"]


@pytest.fixture
def home(trade: Trade) -> Path:
    """Give the home of an exchange that stopped after two transfers, one of them still open."""
    alliance = trade.alliance
    logged = alliance.request(trade.consumer, trade.subscription)
    given = alliance.receipt(trade.provider, ReceiptRole.PROVIDER, logged)
    alliance.deliver(
        trade.consumer, logged, given, alliance.receipt(trade.consumer, ReceiptRole.CONSUMER, logged)
    )
    alliance.request(trade.consumer, trade.subscription, release=2)
    path = alliance.parts.settings.home
    assert grant_of(logged).release == 1
    assert fsck_folder(path).ok
    return path


def _index(home: Path, kind: EntryKind) -> int:
    with closing(sqlite3.connect(home / "exchange.db")) as connection:
        found = connection.execute("SELECT min(idx) FROM log_entry WHERE kind = ?", (kind.value,)).fetchone()
    return int(found[0])


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        (
            "UPDATE directory SET envelope = replace(envelope, 'payload', 'payloae') WHERE number = 1",
            EntryKind.DIRECTORY,
        ),
        (
            "UPDATE directory SET digest = 'sha256:' || hex(zeroblob(32)) WHERE number = 1",
            EntryKind.DIRECTORY,
        ),
        ("DELETE FROM directory WHERE number = 1", EntryKind.DIRECTORY),
        (
            "UPDATE transfer SET envelope = (SELECT envelope FROM transfer WHERE seq = 2) WHERE seq = 1",
            EntryKind.GRANT,
        ),
        (
            "UPDATE transfer SET leaf = (SELECT leaf FROM transfer WHERE seq = 2) WHERE seq = 1",
            EntryKind.GRANT,
        ),
        ("DELETE FROM transfer WHERE seq = 1", EntryKind.GRANT),
        ("UPDATE transfer SET provider_receipt = consumer_receipt WHERE seq = 1", EntryKind.DONE),
        ("UPDATE transfer SET consumer_receipt = provider_receipt WHERE seq = 1", EntryKind.DONE),
        ("UPDATE transfer SET closed_leaf = leaf WHERE seq = 1", EntryKind.DONE),
        (
            """UPDATE evidence SET value = x'00'
            WHERE commitment = (SELECT json_extract(leaf, '$.ev') FROM transfer WHERE seq = 1)""",
            EntryKind.GRANT,
        ),
    ],
)
def test_rows_beside_the_log_are_held_against_it(home: Path, statement: str, kind: EntryKind) -> None:
    """Directory rewrite, body swap: a row with other words than were logged is named by its entry's index."""
    with closing(sqlite3.connect(home / "exchange.db")) as connection:
        changed = connection.execute(statement).rowcount
        connection.commit()

    walked = fsck_folder(home)
    assert changed == 1
    assert not walked.ok
    assert walked.facts["first_bad_index"] == _index(home, kind)


def test_erased_rows_contradict_nothing(home: Path) -> None:
    """What was erased after its time is no contradiction: the leaf alone says nothing."""
    with closing(sqlite3.connect(home / "exchange.db")) as connection:
        connection.execute("UPDATE transfer SET envelope = ''")
        connection.execute("UPDATE transfer SET provider_receipt = NULL, consumer_receipt = NULL")
        connection.execute("UPDATE evidence SET salt = NULL, value = NULL")
        connection.commit()

    assert fsck_folder(home).ok


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.name)
def test_a_mirror_names_the_first_entry_that_was_written_anew(scene: Scene, attack: Attack) -> None:
    """``fsck --against MIRROR``: with all links recomputed and signed, it names the first bad index."""
    archive = mirror(scene.tampered(attack, Power.SILENCE), scene.folder / "archive")

    walked = fsck_folder(archive, against=scene.kept.mirror)
    assert (walked.ok, walked.facts["first_bad_index"]) == (False, attack.first)


def test_a_damaged_mirror_convicts_nobody(scene: Scene) -> None:
    """A copy that is itself unsound is refused: its word says nothing about the log."""
    whole = mirror(scene.sound, scene.folder / "whole")
    bundle = whole / "tile" / "entries" / "000"
    bundle.write_bytes(bundle.read_bytes().replace(b"policy.activate", b"policy.activatf", 1))

    with pytest.raises(CopyDamaged):
        fsck_folder(scene.kept.mirror, against=whole)


def test_a_mirror_and_its_log_agree(scene: Scene) -> None:
    """A sound archive agrees with the mirror that was made of it."""
    assert fsck_folder(mirror(scene.sound, scene.folder / "whole"), against=scene.kept.mirror).ok


def test_a_node_s_mirror_folder_is_taken_whole(scene: Scene) -> None:
    """``--against NODE/mirror`` finds the copies of the shards in it, each named by its number."""
    node = scene.folder / "node"
    node.mkdir()
    (node / "1").symlink_to(scene.kept.mirror, target_is_directory=True)
    attack = ATTACKS[0]
    archive = mirror(scene.tampered(attack, Power.SILENCE), scene.folder / "archive")

    assert fsck_folder(mirror(scene.sound, scene.folder / "whole"), against=node).ok
    assert fsck_folder(archive, against=node).facts["first_bad_index"] == attack.first
