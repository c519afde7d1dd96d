"""Backup and restore of an exchange: settings, keys and a snapshot of the database in one tar.

The snapshot is one moment of a database that may be in use. The file holds private keys and is 0600. A
restored log starts sealed and asks the witnesses, so an old backup cannot fork what was published since.
"""

import io
import os
import re
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path, PurePosixPath

from contracts.errors import Conflict, Invalid, Usage
from exchange.settings import SETTINGS_FILE, Settings, load_settings

SNAPSHOT = "exchange.db"
MAX_FILES = 1000

_NAME = re.compile(
    r"(?:headwaters\.toml|exchange\.db|(?:keys|people)/[a-z0-9][a-z0-9-]{0,62}\.key(?:\.next)?"
    r"|evidence/[0-9a-f]{16}\.hwfork)",
    re.ASCII,
)


class BackupNeedsPgDump(Usage):
    """A PostgreSQL database is backed up with its own tools."""

    code = "backup-needs-pg-dump"
    title_zh = "PostgreSQL 数据库请用其自带工具备份"
    next_zh = "用 pg_dump 备份数据库,并另行安全保存 keys/ 与 people/ 目录。"
    next_en = "Back the database up with pg_dump, and keep the folders keys/ and people/ safe beside it."


class BackupExists(Conflict):
    """There is a file of this name already."""

    code = "backup-exists"
    title_zh = "备份文件已存在"
    next_zh = "换一个文件名;已有备份绝不覆盖。"
    next_en = "Choose another name; a backup is never overwritten."


class BackupUnreadable(Invalid):
    """The file is not a backup of an exchange."""

    code = "backup-unreadable"
    title_zh = "该文件不是交换中心备份"
    next_zh = "核对文件;备份由 headwaters exchange backup 生成。"
    next_en = "Check the file; headwaters exchange backup writes backups."


class RestoreNeedsEmptyHome(Conflict):
    """A backup is restored into an empty folder only."""

    code = "restore-needs-empty-home"
    title_zh = "只能恢复到空目录"
    next_zh = "另选一个空目录;现有数据绝不覆盖。"
    next_en = "Choose an empty folder; existing data are never overwritten."


def backup(home: Path, to_file: Path) -> dict[str, str]:
    """Write a backup, while the exchange runs or not; raise BackupNeedsPgDump, BackupExists."""
    settings = load_settings(home)
    database = _database_file(settings)
    try:
        descriptor = os.open(to_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise BackupExists(f"{to_file} exists already") from error
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        _add_snapshot(tar, database, home)
        _add(tar, SETTINGS_FILE, _portable((home / SETTINGS_FILE).read_text()).encode())
        # A proof that the log signed two histories keeps it sealed, wherever it is restored.
        for path in (
            *sorted(home.glob("keys/*.key*")),
            *sorted(home.glob("people/*.key")),
            *sorted(home.glob("evidence/*.hwfork")),
        ):
            _add(tar, path.relative_to(home).as_posix(), path.read_bytes())
    return {"backup": str(to_file), "size_bytes": str(to_file.stat().st_size), "origin": settings.origin}


def restore(backup_file: Path, home: Path) -> dict[str, str]:
    """Write a backup's files into an empty or new folder; raise RestoreNeedsEmptyHome, BackupUnreadable."""
    if home.exists() and any(home.iterdir()):
        raise RestoreNeedsEmptyHome(f"{home} is not empty")
    files = _read(backup_file)
    evidence = ["evidence"] if any(name.startswith("evidence/") for name in files) else []
    for folder in (home, *(home / name for name in ("keys", "people", "run", *evidence))):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    for name, raw in files.items():
        path = home / name
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(raw)
    return {"home": str(home), "files": str(len(files)), "origin": load_settings(home).origin}


def _database_file(settings: Settings) -> Path:
    if not settings.database.startswith("sqlite:///"):
        raise BackupNeedsPgDump("this exchange keeps its database on a PostgreSQL server")
    return Path(settings.database.removeprefix("sqlite:///"))


def _add_snapshot(tar: tarfile.TarFile, database: Path, home: Path) -> None:
    # Inside the home, because the copy is as private as the database itself.
    with tempfile.TemporaryDirectory(dir=home, prefix=".backup-") as folder:
        copy = Path(folder) / SNAPSHOT
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        with copy.open("rb") as file:
            tar.addfile(_header(SNAPSHOT, copy.stat().st_size), file)


def _portable(settings: str) -> str:
    """Leave out where the database lies: a restored home has it inside."""
    return re.sub(r"(?m)^\s*database_url\s*=.*\n?", "", settings)


def _add(tar: tarfile.TarFile, name: str, raw: bytes) -> None:
    tar.addfile(_header(name, len(raw)), io.BytesIO(raw))


def _header(name: str, size_bytes: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size_bytes, 0o600
    return info


def _read(backup_file: Path) -> dict[str, bytes]:
    """Read every file of a backup by its name; nothing outside the known names is taken."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(backup_file, mode="r:") as tar:
            for info in tar:
                source = tar.extractfile(info) if info.isreg() else None
                if source is None or not _NAME.fullmatch(info.name) or len(files) == MAX_FILES:
                    raise BackupUnreadable(f"{PurePosixPath(info.name).name[:40]!r} has no place in a backup")
                files[info.name] = source.read()
    except (tarfile.TarError, OSError) as error:
        raise BackupUnreadable("the file cannot be read as a backup") from error
    if not {SETTINGS_FILE, SNAPSHOT, "keys/log.key", "keys/statement.key"} <= files.keys():
        raise BackupUnreadable("settings, database or keys are missing")
    return files
