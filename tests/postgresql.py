"""A throw-away PostgreSQL for tests: one cluster for each test process, gone when it ends.

It needs ``initdb`` and ``pg_ctl`` in PATH or under /usr/lib/postgresql. Without them the tests that ask
for it skip aloud, and fail when REQUIRE_PARTS=1.
"""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.parts import missing

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "autovacuum": "off",
}


def _program(name: str) -> str | None:
    found = shutil.which(name)
    if found:
        return found
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[-3]))
    return str(newest[-1]) if newest else None


def _account() -> str | None:
    """Name the account that may run the server: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _run(*argv: str, account: str | None) -> None:
    subprocess.run(
        argv,
        check=True,
        user=account,
        group=pwd.getpwnam(account).pw_gid if account else None,
        extra_groups=[] if account else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=120,
    )


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Start a cluster on a Unix socket; give the psycopg connection string of its maintenance database."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        missing("initdb and pg_ctl", "PostgreSQL 14 or later, from the system's packages")
    account = _account()
    # A socket's path may have about 100 bytes, which pytest's own folders exceed.
    home = Path(tempfile.mkdtemp(prefix="hw-pg-", dir="/tmp"))  # mkdtemp makes it private
    if account:
        shutil.chown(home, account)
    data = home / "data"
    options = " ".join(f"-c {key}={value}" for key, value in _SETTINGS.items())
    options += f" -c listen_addresses='' -k {home}"
    initial = ("-U", "headwaters", "-A", "trust", "-E", "UTF8", "--no-sync")
    try:
        _run(initdb, "-D", str(data), *initial, account=account)
        start = (pg_ctl, "-D", str(data), "-w", "-o", options)
        _run(*start, "-l", str(home / "log"), "start", account=account)
        try:
            yield f"host={home} user=headwaters dbname=postgres"
        finally:
            _run(pg_ctl, "-D", str(data), "-m", "immediate", "-w", "stop", account=account)
    finally:
        shutil.rmtree(home)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """Make an empty database; give its SQLAlchemy URL, and drop it afterwards."""
    url = new_database(postgresql_server)
    yield url
    name = url.partition("@/")[2].partition("?")[0]
    with psycopg.connect(postgresql_server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def new_database(server: str) -> str:
    """Make an empty database in the cluster; give its SQLAlchemy URL. It goes when the cluster goes."""
    name = "t" + secrets.token_hex(6)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        return f"postgresql://headwaters@/{name}?host={admin.info.host}"
