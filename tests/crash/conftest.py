"""What the crash rounds share: their starting points, made once, and the table at the end of a run."""

import shutil
from pathlib import Path

import pytest

from audit.database import open_database, upgrade
from tests.crash.log_writing import NAME
from tests.crash.rounds import found, played
from tests.exchange.trading import exchange_home
from tests.nodes.conftest import clock, exchange, join_node
from tests.nodes.sharing import joined

__all__ = ["clock", "exchange", "exchange_home", "join_node", "joined"]


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with an empty log, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    database = open_database(f"sqlite:///{folder / NAME}")
    upgrade(database, "exchange:migrations")
    database.close()
    return folder


@pytest.fixture
def log_folder(migrated_folder: Path, tmp_path: Path) -> Path:
    """Give one test a folder with an empty log."""
    return Path(shutil.copytree(migrated_folder, tmp_path / "log"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many rounds of each kind this process has played, and after how many a promise was broken."""
    if not played:
        return
    terminalreporter.section("crash rounds")
    for (subject, kind), rounds in sorted(played.items()):
        terminalreporter.write_line(
            f"{subject:<28} {kind:<26} {rounds:>5} rounds, {found[subject, kind]} broken"
        )
    terminalreporter.write_line(
        f"{'':<28} {'':<26} {sum(played.values()):>5} rounds, {sum(found.values())} broken"
    )
