"""``headwaters emergency`` and ``quarantine`` against a served exchange: what people type, what they get."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.errors import HeadwatersError, Usage
from exchange.cli.app import app
from exchange.home import init
from tests.exchange.test_serve import serving

DECLARED = (
    "declare",
    "--title-zh=沱江水污染",
    "--title-en=Pollution of the Tuo",
    "--why=ammonia at three intakes",
    "--territory=510000",
    "--hours=6",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Serve an exchange for the tests of this file."""
    path = tmp_path_factory.mktemp("emergency") / "exchange"
    init(path, origin="audit.example/emergency", public_url="http://127.0.0.1:8420")
    with serving(path):
        yield path


def typed(home: Path, *words: str) -> Any:
    """Run a command and give the JSON that it prints."""
    result = CliRunner().invoke(app, [*words, "--home", str(home), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_emergency_from_the_terminal(home: Path) -> None:
    """Declare, list, show, end and review, each by the person whose role it is."""
    made = typed(home, "emergency", *DECLARED)
    name = made["emergency"]
    listed = typed(home, "emergency", "list")
    ended = typed(home, "emergency", "end", name, "--why=the intakes are clean")
    words = ("--finding=justified", "--words=nothing was granted")
    reviewed = typed(home, "emergency", "review", name, *words)
    shown = typed(home, "emergency", "show", name)

    assert (made["state"], listed[0]["emergency"]) == ("in-force", name)
    assert (ended["state"], reviewed["state"]) == ("ended", "reviewed")
    assert shown["grants"] == []


def test_people_read_a_table(home: Path) -> None:
    """Without --json the list and one emergency are shown in words, Chinese first."""
    name = typed(home, "emergency", *DECLARED)["emergency"]
    runner = CliRunner()
    listed = runner.invoke(app, ["emergency", "list", "--home", str(home)])
    shown = runner.invoke(app, ["emergency", "show", name, "--home", str(home)])

    assert (listed.exit_code, shown.exit_code) == (0, 0)
    typed(home, "emergency", "end", name, "--why=over")


@pytest.mark.parametrize("life", [("--hours=0",), ("--days=30", "--hours=1"), ()])
def test_a_life_is_said_and_bounded(home: Path, life: tuple[str, ...]) -> None:
    """An emergency without an end, or of more than thirty days, is wrong usage."""
    words = [*(word for word in DECLARED if word != "--hours=6"), *life, "--home", str(home)]
    result = CliRunner().invoke(app, ["emergency", *words])

    assert isinstance(result.exception, Usage)


def test_a_refusal_is_said_with_its_exit_code(home: Path) -> None:
    """What is in force is not reviewed: the command ends with 1 and says why."""
    name = typed(home, "emergency", *DECLARED)["emergency"]
    command = ["review", name, "--finding=justified", "--words=good", "--home", str(home), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "exchange.cli", "emergency", *command],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert json.loads(done.stderr)["code"] == "emergency-in-force"
    typed(home, "emergency", "end", name, "--why=over")


def test_the_doctor_looks_at_reviews(home: Path) -> None:
    """An emergency that waits for its review is counted, and is no fault before it is overdue."""
    result = CliRunner().invoke(app, ["doctor", "--home", str(home), "--json"])
    (found,) = [row for row in json.loads(result.stdout) if row["check"].endswith("reviews")]

    assert found["ok"] is True
    assert found["detail"].startswith("0 in force")


def test_an_unknown_participant_is_not_quarantined(home: Path) -> None:
    """The command speaks to the room: an unknown id is not found."""
    words = ["exchange", "quarantine", "p-aaaaaaaaaaaa", "--why=its node is not its own", "--home", str(home)]
    result = CliRunner().invoke(app, words)

    assert isinstance(result.exception, HeadwatersError)
    assert result.exception.code == "unknown-member"
