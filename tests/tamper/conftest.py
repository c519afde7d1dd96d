"""A sound log, what lay elsewhere before it was tampered with, and an empty log for the attacker to fill."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit.database import open_database, upgrade
from tests.tamper.attacker import Attack, Power, mirror, tamper, write_sound_log
from tests.tamper.detectors import Kept


@dataclass(frozen=True, slots=True)
class Scene:
    """A log that can be tampered with again and again."""

    sound: Path
    empty: Path
    kept: Kept
    folder: Path

    def tampered(self, attack: Attack, power: Power) -> Path:
        """Give a copy of the log after an attack."""
        path, scratch = self.folder / "tampered.db", self.folder / "scratch.db"
        shutil.copy(self.sound, path)
        shutil.copy(self.empty, scratch)
        tamper(path, attack, power, scratch)
        return path


@pytest.fixture(scope="session")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Kept]:
    folder = tmp_path_factory.mktemp("sound")
    sound, empty = folder / "sound.db", folder / "empty.db"
    for path in (empty, sound):
        database = open_database(f"sqlite:///{path}")
        upgrade(database, "exchange:migrations")
        if path == sound:
            write_sound_log(database)
        database.close()
    return sound, empty, Kept.of(sound, mirror(sound, folder / "mirror"))


@pytest.fixture
def scene(_sound: tuple[Path, Path, Kept], tmp_path: Path) -> Scene:
    """Give one test the sound log and what was kept of it."""
    return Scene(*_sound, tmp_path)
