"""The auditor's commands as a shell sees them: what they print, what they write, and their exit codes."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from exchange.cli import USAGE, main
from tests.audit.transfer_evidence import DATA, evidence
from tests.audit.transfer_evidence import trust as transfer_trust
from tests.exchange.reports.witnessed import Witnessed
from tests.exchange.trading import DATASET, Trade


class Shell:
    """Runs commands in this process, as ``main`` does for a shell."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *words: str | Path) -> tuple[int, Any]:  # Any: whatever JSON the command printed
        """Run a command with --json; give its exit code and what it printed."""
        self._capsys.readouterr()
        self._monkeypatch.setattr(sys, "argv", ["headwaters", *map(str, words), "--json"])
        with pytest.raises(SystemExit) as stop:
            main()
        said = self._capsys.readouterr()
        code = stop.value.code or 0
        if code == USAGE:
            return code, None
        return int(code), json.loads(said.out if code == 0 else said.err.splitlines()[-1])


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """Give a shell; the log's configuration is put back afterwards."""
    configuration = structlog.get_config()
    yield Shell(capsys, monkeypatch)
    structlog.configure(**configuration)


@pytest.fixture
def world(trade: Trade) -> Witnessed:
    """Give an alliance with one transfer, cosigned."""
    world = Witnessed(trade)
    world.transfer()
    world.cosign()
    return world


def test_a_report_is_made_here_and_verified_anywhere(run: Shell, world: Witnessed, tmp_path: Path) -> None:
    """The report verifies with a trust root alone: 0; changed it is refused: 1; without a trust root: 2."""
    home, page, trust = world.alliance.parts.settings.home, tmp_path / "r.html", tmp_path / "trust.json"
    trust.write_bytes(world.trust().canonical())
    made = run("audit", "report", "--dataset", DATASET, "--day", "2026-03-02", "--to", page, "--home", home)
    judged = run("verify", page, "--trust", trust)
    (tmp_path / "bent.html").write_bytes(page.read_bytes().replace("收到".encode(), "拿到".encode(), 1))
    bent = run("verify", tmp_path / "bent.html", "--trust", trust)
    alone = run("verify", page, "--trust", tmp_path / "nowhere.json")

    assert (made[0], len(made[1]["received"])) == (0, 1)
    assert (judged[0], judged[1]["valid"]) == (0, True)
    assert judged[1]["received"] == made[1]["received"]
    assert (bent[0], bent[1]["code"]) == (1, "report-invalid")
    assert (alone[0], alone[1]["code"]) == (2, "trust-root-missing")


def test_the_search_prints_entries(run: Shell, world: Witnessed) -> None:
    """Rows come as JSON with every field of the leaf; a wrong id or day is wrong usage or refused."""
    home = world.alliance.parts.settings.home
    found = run("audit", "search", "--kind", "grant", "--since", "2026-03-02", "--home", home)

    assert found[0] == 0
    assert [row["fields"]["cons"] for row in found[1]] == [world.trade.consumer.id]
    assert run("audit", "search", "--since", "today", "--home", home)[0] == 64
    assert run("audit", "search", "--participant", "sichuan", "--home", home)[0] == 1


def test_an_excerpt_is_cut_and_verified(run: Shell, tmp_path: Path) -> None:
    """The bytes that verify writes are those of the data, and the verdict names them."""
    data, proof, part, out = (tmp_path / name for name in ("a.csv", "a.hwproof", "a.hwpart", "out"))
    trust = tmp_path / "trust.json"
    data.write_bytes(DATA)
    proof.write_bytes(evidence(tmp_path).proof())
    trust.write_bytes(transfer_trust().canonical())
    made = run(
        "audit", "excerpt", data, "--proof", proof, "--bytes", "70000-70010", "--to", part, "--trust", trust
    )
    judged = run("verify", part, "--trust", trust, "--to", out)

    assert (made[0], made[1]["chunks"]) == (0, 1)
    assert (judged[0], judged[1]["bytes"]) == (0, [[65536, 131071]])
    assert out.read_bytes() == DATA[65536:131072]


def test_erasing_needs_a_running_exchange(run: Shell, world: Witnessed) -> None:
    """Only the process that writes the log erases, because the act is an entry: 75 where none runs."""
    home = world.alliance.parts.settings.home

    assert run("exchange", "erase", "--before", "2021-01-01", "--home", home)[0] == 75
