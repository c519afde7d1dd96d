"""``headwaters doctor`` names what is wrong and says so with its exit code."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from exchange.home import init

ORIGIN = "audit.example/doctor"


def examine(*words: str | Path) -> tuple[int, dict[str, bool]]:
    """Run the command and give its exit code and which checks held."""
    command = [sys.executable, "-m", "exchange.cli", "doctor", "--json", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return done.returncode, {row["check"].split()[-1]: row["ok"] for row in rows}


def test_a_sound_installation_has_nothing_wrong() -> None:
    """Without a home the installation alone is looked at: exit 0."""
    code, held = examine()

    assert code == 0
    assert set(held.values()) == {True}


def test_an_exposed_key_and_a_stopped_process_are_named(tmp_path: Path) -> None:
    """A key that others may read and a process that does not answer are each a finding: exit 1."""
    home = tmp_path / "exchange"
    init(home, origin=ORIGIN, public_url="http://127.0.0.1:8420")
    before = examine("--home", home)
    (home / "keys" / "log.key").chmod(0o644)
    after = examine("--home", home)

    assert before == (1, {"3.11+": True, "names": True, "modes": True, "process": False})
    assert after == (1, {"3.11+": True, "names": True, "modes": False, "process": False})


def test_a_folder_that_is_no_home_is_said_to_be_none(tmp_path: Path) -> None:
    """An ordinary folder is neither exchange nor node."""
    code, held = examine("--home", tmp_path)

    assert code == 1
    assert held["home"] is False
