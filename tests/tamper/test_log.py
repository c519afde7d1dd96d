"""Whoever owns the log's database, and even its key, changes nothing in the past that stays unnoticed.

The rows of the table in docs/explanation/evidence.md are the attacks here; each test says who notices.
"""

from pathlib import Path

import pytest

from audit.walk.log_source import DirectorySource
from tests.tamper.attacker import ATTACKS, BACK_DATED, UNWITNESSED, Attack, Power, mirror
from tests.tamper.conftest import Scene
from tests.tamper.detectors import asked_to_cosign, fsck_against, fsck_alone, held_against_mirror, reading

attacks = pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.name)
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "evidence.md"


def test_the_untouched_log_is_sound(scene: Scene) -> None:
    """Nobody cries wolf: walk, checkpoints, mirror and witnesses agree with a log left alone."""
    with reading(scene.sound) as source:
        assert fsck_alone(source) is None
        assert fsck_against(source, scene.kept.cosigned, scene.kept.log_signed) is None
        assert held_against_mirror(source, scene.kept) is None
    assert asked_to_cosign(scene.sound, scene.kept).status == 200


@attacks
def test_changed_rows_are_named_exactly(scene: Scene, attack: Attack) -> None:
    """Without recomputing hashes, ``fsck`` alone names the very first entry that was changed."""
    with reading(scene.tampered(attack, Power.ROWS)) as source:
        alone, mirrored = fsck_alone(source), held_against_mirror(source, scene.kept)

    assert alone is not None
    assert (alone.index, mirrored) == (attack.first, attack.first)


@attacks
@pytest.mark.parametrize("power", [Power.HASHES, Power.KEY])
def test_recomputed_hashes_do_not_help(scene: Scene, attack: Attack, power: Power) -> None:
    """With every hash recomputed, and even signed anew, the cosigned checkpoint convicts the log."""
    with reading(scene.tampered(attack, power)) as source:
        alone, mirrored = fsck_alone(source), held_against_mirror(source, scene.kept)

    assert alone is not None
    assert alone.index <= attack.first
    assert mirrored == attack.first


@attacks
def test_silencing_the_witnesses_does_not_help(scene: Scene, attack: Attack) -> None:
    """With the cosigned checkpoints removed too, any one that was kept elsewhere convicts the log."""
    kept = scene.kept
    with reading(scene.tampered(attack, Power.SILENCE)) as source:
        by_witness, by_reader = fsck_against(source, kept.cosigned), fsck_against(source, kept.log_signed)
        mirrored = held_against_mirror(source, kept)

    assert by_witness is not None
    assert by_reader is not None
    assert max(by_witness.index, by_reader.index) <= attack.first
    assert mirrored == attack.first


@attacks
@pytest.mark.parametrize("power", [Power.KEY, Power.SILENCE])
def test_no_witness_cosigns_what_was_written_anew(scene: Scene, attack: Attack, power: Power) -> None:
    """A witness that cosigned before answers 409 or 422, so no quorum ever forms over the new history."""
    assert asked_to_cosign(scene.tampered(attack, power), scene.kept).status in {409, 422}


@pytest.mark.parametrize("attack", UNWITNESSED, ids=lambda one: one.name)
@pytest.mark.parametrize("power", list(Power))
def test_what_no_witness_has_seen_is_convicted_by_its_reader(
    scene: Scene, attack: Attack, power: Power
) -> None:
    """Past the last cosigned checkpoint, a log-signed one that a reader kept convicts the log of a fork."""
    with reading(scene.tampered(attack, power)) as source:
        found = fsck_against(source, scene.kept.log_signed)

    assert found is not None
    assert found.index <= attack.first


@pytest.mark.parametrize("power", list(Power))
def test_an_entry_cannot_be_dated_before_what_was_cosigned(scene: Scene, power: Power) -> None:
    """Back-date: a new entry that claims to be older than a cosigned checkpoint below it is named."""
    with reading(scene.tampered(BACK_DATED, power)) as source:
        alone, against = fsck_alone(source), fsck_against(source, scene.kept.cosigned)

    assert against is not None
    assert against.index == BACK_DATED.first
    assert alone == (None if power is Power.SILENCE else against)


@attacks
@pytest.mark.parametrize("signed", [False, True], ids=["without the key", "with the key"])
def test_an_archive_with_recomputed_links_is_convicted(scene: Scene, attack: Attack, *, signed: bool) -> None:
    """A static archive whose links all agree is convicted by the quorum that it lacks, or contradicts."""
    folder = mirror(scene.tampered(attack, Power.SILENCE), scene.folder / "archive")
    if not signed:
        (folder / "checkpoint").write_bytes(scene.kept.cosigned)

    source = DirectorySource(folder)
    alone, against = fsck_alone(source), fsck_against(source, scene.kept.cosigned)
    mirrored = held_against_mirror(source, scene.kept)
    assert alone is not None
    assert against is not None
    assert mirrored is not None
    assert max(against.index, mirrored) <= attack.first


def test_every_attack_stands_in_the_docs() -> None:
    """The table of what detects what names every attack that is tried here."""
    table = PAGE.read_text().partition("## What detects what")[2].partition("\n## ")[0]
    lines = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]

    assert {one.name for one in (*ATTACKS, *UNWITNESSED, BACK_DATED)} <= set(lines)
