"""Where an auditor's command reads from: an exchange's home, a demonstration's, or an exported log."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit.database import Database, open_database
from exchange.log.offline import NoLogHere
from exchange.settings import SETTINGS_FILE, Settings, load_settings


@contextmanager
def open_home(folder: Path) -> Iterator[tuple[Settings, Database]]:
    """Open the database of an exchange's home for reading; its process may run or not. Raises NoLogHere."""
    home = find_home(folder)
    if home is None:
        raise NoLogHere(f"{folder} is not the home of an exchange")
    settings = load_settings(home)
    database = open_database(settings.database)
    try:
        yield settings, database
    finally:
        database.close()


def find_home(folder: Path) -> Path | None:
    """Accept an exchange's home, or a demonstration's, which holds ``exchange/``."""
    return next((home for home in (folder, folder / "exchange") if (home / SETTINGS_FILE).is_file()), None)
