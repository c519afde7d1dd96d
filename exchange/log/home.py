"""Where an auditor's command reads from: an exchange's home, a demonstration's, or an exported log."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit.database import Database, open_database
from contracts.errors import NotFound
from exchange.settings import SETTINGS_FILE, Settings, load_settings


class NoLogHere(NotFound):
    """The folder holds neither an exchange nor an exported log."""

    code = "no-log-here"
    title_zh = "该目录既不是交换中心也不是导出的日志"
    next_zh = "用 --home 指定交换中心目录、演示目录或导出目录。"
    next_en = "Name an exchange's folder, a demonstration's folder or an exported one with --home."


@contextmanager
def open_home(folder: Path) -> Iterator[tuple[Settings, Database]]:
    """Open the database of an exchange's home for reading; its process may run or not. Raises NoLogHere."""
    home = find_home(folder)
    if home is None:
        raise NoLogHere(f"{folder} is not the home of an exchange")
    with opened(home) as both:
        yield both


@contextmanager
def opened(home: Path) -> Iterator[tuple[Settings, Database]]:
    """Open the database of exactly this home; raise NoExchangeHome or SettingsInvalid."""
    settings = load_settings(home)
    database = open_database(settings.database)
    try:
        yield settings, database
    finally:
        database.close()


def find_home(folder: Path) -> Path | None:
    """Accept an exchange's home, or a demonstration's, which holds ``exchange/``."""
    return next((home for home in (folder, folder / "exchange") if (home / SETTINGS_FILE).is_file()), None)
