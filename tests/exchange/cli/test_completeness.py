"""The auditor's commands about completeness, on an exchange's home: what they print and how they end."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from exchange.cli.app import app
from tests.exchange.completeness.cases import complete, count, cut, lines_of
from tests.exchange.completeness.cosigning import Cosigned
from tests.exchange.trading import Trade, alliance, exchange_home, trade

__all__ = ["alliance", "exchange_home", "trade"]


def run(*words: str) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def quiet(trade: Trade) -> Cosigned:
    """Give a log with one transfer, and two cuts with nothing in between."""
    cosigned = Cosigned(trade)
    moved = complete(trade)
    at = cut(trade)
    count(trade, trade.provider, at, lines_of("provider", moved))
    count(trade, trade.consumer, at, lines_of("consumer", moved))
    trade.alliance.clock.advance(60)
    at = cut(trade)
    for node in (trade.provider, trade.consumer):
        count(trade, node, at, [])
    cosigned.publish()
    return cosigned


def silence(quiet: Cosigned, to: Path) -> Result:
    """Write the proof for the minute in between."""
    trade = quiet.trade
    words = ("audit", "silence", trade.subscription, "--to", str(to))
    span = ("--since", "2026-03-02T09:00:00", "--until", "2026-03-02T09:01:00")
    return run(*words, *span, "--home", str(trade.alliance.parts.settings.home), "--json")


def test_silence_is_written_and_verified_offline(quiet: Cosigned, tmp_path: Path) -> None:
    """The file that one command writes another verifies with the trust root alone."""
    proof, trust = tmp_path / "quiet.hwsilence", tmp_path / "trust.json"
    trust.write_bytes(quiet.trust().canonical())
    written = silence(quiet, proof)
    verified = run("verify", str(proof), "--trust", str(trust), "--json")

    assert written.exit_code == 0, written.output
    assert verified.exit_code == 0, verified.output
    view = json.loads(verified.stdout)
    assert (view["valid"], view["subscription"], view["transfers"]) == (True, quiet.trade.subscription, 1)
    assert view["since"] == "2026-03-02T01:00:00.000Z"
    assert run("verify", str(proof), "--trust", str(trust)).exit_code == 0


def test_reconcile_ends_with_0_where_all_agrees(quiet: Cosigned) -> None:
    """Everything agrees: a table for people, one JSON value for scripts, exit code 0."""
    home = str(quiet.trade.alliance.parts.settings.home)
    told = run("audit", "reconcile", "--home", home, "--json")

    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["ok"] is True
    assert "相符" in run("audit", "reconcile", "--home", home).stdout


def test_reconcile_ends_with_1_where_something_differs(quiet: Cosigned) -> None:
    """A count that differs ends with 1 and is named."""
    trade = quiet.trade
    count(trade, trade.provider, cut(trade), lines_of("provider", complete(trade)))
    told = run("audit", "reconcile", "--home", str(trade.alliance.parts.settings.home), "--json")

    assert told.exit_code == 1
    assert [one["code"] for one in json.loads(told.stdout)["problems"]] == ["count-differs", "count-differs"]
    shown = run("audit", "reconcile", "--home", str(trade.alliance.parts.settings.home))
    assert "count-differs" in shown.stdout
