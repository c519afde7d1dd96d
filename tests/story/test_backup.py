"""Backups of the exchange: an old one can never fork the log, the newest one signs on."""

import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import Conflict, Unavailable
from exchange.demo.processes import run
from exchange.demo.stage import wait_for
from tests.story.killing import checkpoints_kept_by
from tests.story.small_alliance import SmallAlliance, readings, small_alliance

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("story"), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallAlliance]:
    """Give an alliance of this module's own, because its exchange is taken away from it."""
    with small_alliance(tmp_path_factory.mktemp("restored")) as alliance:
        yield alliance


def test_an_old_backup_cannot_sign_and_the_newest_can(small: SmallAlliance) -> None:
    """An exchange restored from before what witnesses saw stays sealed; restored from the end, it goes on."""
    first = small.alliance.exchange_home
    old, new = small.home / "old.tar", small.home / "new.tar"
    _done(run("exchange", "backup", "--home", first, "--to", old))
    size_then = small.log()["size"]
    _trade(small, 1)
    wait_for("the cosigned end", lambda: _is_witnessed(small) or None)
    size_now = small.log()["size"]
    small.alliance.exchange.stop()
    kept = _kept(small)

    _done(run("exchange", "restore", old, "--home", small.home / "from-old"))
    small.move_exchange(small.home / "from-old")
    wait_for("the refusal", lambda: _readiness(small) == (503, "log-behind-witnesses") or None)
    with pytest.raises(Unavailable) as sealed:
        small.administer(small.consumer_id, "suspend", "drill")
    with pytest.raises(Conflict) as noticed:
        small.publish(readings(small.home / "input", 2))
    served = int(small.ask_exchange("/log/checkpoint").text.splitlines()[1])
    small.alliance.exchange.stop()

    assert (sealed.value.code, noticed.value.code) == ("log-sealed", "exchange-forgot")
    assert size_then <= _walked_size(small.home / "from-old") < size_now
    assert served < size_now
    assert _fsck(small.home / "from-old", against=kept["provider"][0]) == 1
    assert _kept(small) == kept

    _done(run("exchange", "backup", "--home", first, "--to", new))
    _done(run("exchange", "restore", new, "--home", small.home / "from-new"))
    small.move_exchange(small.home / "from-new")
    wait_for("readiness", lambda: _readiness(small) == (200, None) or None)
    _trade(small, 2)
    wait_for("new cosignatures", lambda: _is_witnessed(small) or None)

    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert small.log()["witnessed_size"] > size_now
    assert _walked_size(small.home / "from-new") > size_now
    assert _fsck(small.home / "from-new", against=kept["provider"][0]) == 0


def test_a_home_that_is_not_empty_is_never_restored_over(small: SmallAlliance, tmp_path: Path) -> None:
    """Restore refuses a folder that holds anything, with exit 1, and leaves it as it was."""
    backup, home = tmp_path / "backup.tar", tmp_path / "home"
    _done(run("exchange", "backup", "--home", small.alliance.exchange_home, "--to", backup))
    home.mkdir()
    (home / "mine.txt").write_text("keep me\n")

    done = run("exchange", "restore", backup, "--home", home, "--json")

    assert done.returncode == 1
    assert json.loads(done.stderr)["code"] == "restore-needs-empty-home"
    assert [path.name for path in home.iterdir()] == ["mine.txt"]


def _trade(small: SmallAlliance, number: int) -> None:
    small.publish(readings(small.home / "input", number))
    assert small.pull()["files"]
    small.drain()


def _is_witnessed(small: SmallAlliance) -> bool:
    log = small.log()
    return bool(log["witnessed_size"] == log["size"])


def _readiness(small: SmallAlliance) -> tuple[int, str | None]:
    answer = small.ask_exchange("/health/ready")
    return answer.status_code, answer.json().get("code")


def _kept(small: SmallAlliance) -> dict[str, list[bytes]]:
    return {slug: checkpoints_kept_by(small.homes[slug]) for slug in small.alliance.nodes}


def _walked_size(home: Path) -> int:
    done = run("audit", "fsck", "--home", home, "--json")
    assert done.returncode == 0, done.stdout
    return int(json.loads(done.stdout)["size"])


def _fsck(home: Path, *, against: bytes) -> int:
    kept = home.parent / "kept-checkpoint"
    kept.write_bytes(against)
    return run("audit", "fsck", "--home", home, "--against", kept, "--json").returncode


def _done(command: "subprocess.CompletedProcess[str]") -> None:
    assert command.returncode == 0, command.stderr
